"""Independent tasks in local processes or on a Dask cluster; what kills a worker loses one task, not the others."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, TypeVar

from tqdm import tqdm

from vitrify.core.errors import VitrifyError

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
Outcome = tuple[Any, Exception | None]  # what a task returned, or what it raised
_PARTING = 5.0  # seconds that workers have to leave when there is nothing more to do


def run_tasks(
    make: Callable[[S], Callable[[T], R]],
    setup: S,
    tasks: Sequence[T],
    *,
    record: Callable[[T, R], None],
    lost: Callable[[T, str], R],
    workers: int | None = None,
    scheduler: str | None = None,
    attempts: int = 3,
    progress: str | None = None,
    patience: float = 60.0,
) -> None:
    """Performs every task in one of several worker processes, and records each as it finishes, in any order.

    make: a function of a module, called in each worker with `setup`; what it returns performs tasks there. On a
        cluster that is once for each thread of a worker, since a LAMMPS instance belongs to one thread.
    record: called here, in the calling process.
    lost: what to record for a task that has killed its worker `attempts` times, given why it died. On a cluster the
        scheduler counts (`distributed.scheduler.allowed-failures`); what it gives up is tried again alone at the end.
    workers: local processes; by default one for each core that this process may use.
    scheduler: address of a Dask scheduler, or the path of its scheduler file; None works locally.
    progress: what to call the bar with the estimate; None shows none.
    patience: seconds to wait for a cluster without workers.

    An exception of `make` or of a task ends the others, when what is finished is recorded, and is raised here. So do
    Ctrl-C and SIGTERM. Only as many tasks leave this process at a time as the workers can hold.

    Raises:
        VitrifyError: from a task; workers that die while they start; no cluster, or one that lacks vitrify or workers.
    """
    if workers is not None and workers < 1:
        raise VitrifyError(f"workers is {workers}, but must be at least 1")
    if not tasks:
        return
    bar = tqdm(total=len(tasks), desc=progress, disable=progress is None, smoothing=0)

    def finished(index: int, result: Any) -> None:
        record(tasks[index], result)
        bar.update()

    def gave_up(index: int, reason: str) -> None:
        finished(index, lost(tasks[index], reason))

    with bar, Interrupts() as interrupts:
        job = Job(make, setup, tasks, finished, gave_up, interrupts)
        if scheduler is None:
            _Processes(job, attempts).run(min(workers or len(os.sched_getaffinity(0)), len(tasks)))
        else:
            from vitrify.tasks.dask_cluster import run_on_cluster

            run_on_cluster(job, scheduler, patience)


class Interrupts:
    """Makes SIGTERM as orderly as Ctrl-C, and keeps both until `allowed`, so that they break into nothing else."""

    def __init__(self) -> None:
        self._allowed = False
        self._pending: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # Signals that the caller ignores, or handles in its own way, are left to it.
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if threading.current_thread() is threading.main_thread() and signal.getsignal(number) == usual:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """The part of the program that a signal may leave."""
        self._allowed = True
        try:
            self._raise()
            yield
        finally:
            self._allowed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._pending = number
        if self._allowed:
            self._raise()

    def _raise(self) -> None:
        number, self._pending = self._pending, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number is not None:
            raise SystemExit(128 + number)


@dataclass(frozen=True)
class Job:
    """What `run_tasks` was asked for; finished and gave_up take the index of a task, and its result or a reason."""

    make: Callable[[Any], Callable[[Any], Any]]
    setup: Any
    tasks: Sequence[Any]
    finished: Callable[[int, Any], None]
    gave_up: Callable[[int, str], None]
    interrupts: Interrupts


@dataclass
class _Worker:
    """A process and the task that it performs, None while it starts."""

    process: Any
    pipe: Connection
    index: int | None = None
    deaths: int = 0  # of those before it in its place, while they started


class _Processes:
    """Worker processes of this machine, each with one task at a time."""

    def __init__(self, job: Job, attempts: int) -> None:
        self.job, self.attempts = job, attempts
        self.waiting = deque(range(len(job.tasks)))
        self.deaths: Counter[int] = Counter()  # of workers, by the task that they had
        self.workers: dict[Any, _Worker] = {}  # by the pipe to them
        self.leaving: list[Any] = []  # processes that have nothing more to do

    def run(self, count: int) -> None:
        try:
            for _ in range(count):
                self._start()
            while self.workers:
                with self.job.interrupts.allowed():
                    ready = connection.wait(self.workers)
                for pipe in ready:
                    self._hear(self.workers[pipe])
            end = time.monotonic() + _PARTING
            for process in self.leaving:
                process.join(max(0.0, end - time.monotonic()))
        except BaseException:
            self._save()
            raise
        finally:
            for process in [*(worker.process for worker in self.workers.values()), *self.leaving]:
                process.kill()
                process.join()

    def _save(self) -> None:
        """Records what has finished but was not heard."""
        for worker in self.workers.values():
            with contextlib.suppress(EOFError, OSError):
                if worker.index is not None and worker.pipe.poll():
                    result, error = pickle.loads(worker.pipe.recv_bytes())
                    if error is None:
                        self.job.finished(worker.index, result)

    def _start(self, deaths: int = 0) -> None:
        context = get_context("spawn")  # a forked child would inherit the state of MPI
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.job.make, self.job.setup), daemon=True)
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self.workers[ours] = _Worker(process, ours, deaths=deaths)

    def _hear(self, worker: _Worker) -> None:
        """Takes what a worker says, be it its last word, and gives it or its successor something to do."""
        try:
            result, error = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._bury(worker)
            return
        if error is not None:
            worker.index = None
            raise error
        index, worker.index = worker.index, None
        if index is not None:
            self.job.finished(index, result)
        if self.waiting:
            worker.index = self.waiting.popleft()
            # One that has died in the meantime is noticed when it is heard.
            with contextlib.suppress(OSError):
                worker.pipe.send(self.job.tasks[worker.index])
        else:
            self._dismiss(worker)
            self.leaving.append(worker.process)

    def _bury(self, worker: _Worker) -> None:
        self._dismiss(worker)
        worker.process.join()
        reason = _cause_of_death(worker.process.exitcode)
        index, deaths = worker.index, 0
        if index is None:
            deaths = worker.deaths + 1
            if deaths >= self.attempts:
                raise VitrifyError(
                    f"worker processes die while they start ({reason}):"
                    " use fewer workers if memory is short, and run the same command again"
                )
        else:
            self.deaths[index] += 1
            if self.deaths[index] < self.attempts:
                self.waiting.appendleft(index)
            else:
                self.job.gave_up(index, reason)
        if self.waiting:
            self._start(deaths)

    def _dismiss(self, worker: _Worker) -> None:
        del self.workers[worker.pipe]
        worker.pipe.close()


def _cause_of_death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    name = signal.Signals(-code).name
    return f"{name}, perhaps for want of memory" if code == -signal.SIGKILL else name


def _work(pipe: Connection, make: Callable[[Any], Callable[[Any], Any]], setup: Any) -> None:
    """The life of a worker process: answers to `make` and to every task that comes."""
    end_with_parent()
    perform, error = attempt(make, setup)
    with contextlib.suppress(EOFError, OSError):  # the parent has nothing more to do
        pipe.send_bytes(packed((None, error)))
        while error is None:
            pipe.send_bytes(packed(attempt(perform, pipe.recv())))


def attempt(function: Callable[[Any], Any], argument: Any) -> Outcome:
    """function(argument), or the exception that it raises, as one that can be sent."""
    try:
        return function(argument), None
    except Exception as error:
        return None, _portable(error)


def packed(outcome: Outcome) -> bytes:
    """The outcome as bytes for `pickle.loads`."""
    try:
        return pickle.dumps(outcome)
    except Exception as error:
        return pickle.dumps((None, RuntimeError(f"the result of a task cannot be sent: {error}")))


def _portable(error: Exception) -> Exception:
    """The error if it survives the way to another process, or one that says the same; either with its traceback."""
    try:
        same: Exception = pickle.loads(pickle.dumps(error))
    except Exception:
        same = VitrifyError(str(error)) if isinstance(error, VitrifyError) else RuntimeError(repr(error))
    if not isinstance(error, VitrifyError):
        same.add_note("in a worker:\n" + "".join(traceback.format_exception(error)))
    return same


def end_with_parent() -> None:
    """Lets this worker process end with the run that started it, and on Ctrl-C without a traceback of its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """Ends this process with its parent, which a kill would otherwise leave behind."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
