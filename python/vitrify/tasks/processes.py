"""Tasks in worker processes of this machine: what `vitrify.tasks.run.run_tasks` does without a scheduler.

Each worker has a pipe of its own and one task at a time, so that the end of a process, whatever its exit status, is
the end of its pipe and costs the task that it had and no other. `pebble.ProcessPool` (5.2) would not do: it waits for
ever for the task of a worker that ends with status 0, as LAMMPS's `quit` makes it do, it does not tell why workers die
while they start, and all workers share one pipe, whose lock a killed worker may keep.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.tasks.job import Job, attempt, end_with_parent, packed

_GRACE = 5.0  # seconds that workers have to end by themselves when no task is left


def run_in_processes(job: Job, count: int, attempts: int, time_limit: float | None) -> None:
    """Performs the tasks of a job in `count` processes; the other arguments are those of `run_tasks`."""
    _Processes(job, attempts, time_limit).run(count)


def spawning() -> SpawnContext:
    """The context of workers: started afresh, as a forked child would inherit the state of MPI.

    The process of Python that keeps account of shared memory and semaphores is left alone by Ctrl-C and SIGTERM; it is
    started here so that a hang-up of the terminal does not end it either, before those whose account it keeps.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return get_context("spawn")


@dataclass
class _Worker:
    """A process and the index of its task, None while it starts.

    deaths: of earlier workers in its place, while they started. deadline: when its task must have ended, on the clock
    of `time.monotonic`; None without a time limit.
    """

    process: Any
    pipe: Connection
    index: int | None = None
    deaths: int = 0
    deadline: float | None = None


class _Processes:
    """Worker processes with one task each at a time."""

    def __init__(self, job: Job, attempts: int, time_limit: float | None) -> None:
        self.job, self.attempts, self.time_limit = job, attempts, time_limit
        self.waiting = deque(range(len(job.tasks)))
        self.deaths: Counter[int] = Counter()  # of workers, by the index of the task that they had
        self.workers: dict[Any, _Worker] = {}  # by the pipe to them
        self.leaving: list[Any] = []  # processes that get no further task

    def run(self, count: int) -> None:
        try:
            for _ in range(count):
                self._start()
            while self.workers:
                with self.job.interrupts.allowed():
                    ready = connection.wait(self.workers, self._seconds_left())
                for pipe in ready:
                    self._receive(self.workers[pipe])
                self._end_late_tasks()
            end = time.monotonic() + _GRACE
            for process in self.leaving:
                process.join(max(0.0, end - time.monotonic()))
        except BaseException:
            self._save()
            raise
        finally:
            for process in [*(worker.process for worker in self.workers.values()), *self.leaving]:
                process.kill()
                process.join()

    def _start(self, deaths: int = 0) -> None:
        context = spawning()
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.job.make, self.job.setup), daemon=True)
        # Ctrl-C reaches the worker, too: not before `end_with_parent`, as Python would print a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that the end of the process is the end of the pipe
        self.workers[ours] = _Worker(process, ours, deaths=deaths)

    def _receive(self, worker: _Worker) -> None:
        """Reads the answer of a worker, or notices its death, and gives it or its successor the next task."""
        try:
            result, error = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._replace_dead(worker)
            return
        if error is not None:
            worker.index = None
            raise error
        index, worker.index, worker.deadline = worker.index, None, None
        if index is not None:
            self.job.finished(index, result)
        if self.waiting:
            worker.index = self.waiting.popleft()
            if self.time_limit is not None:
                worker.deadline = time.monotonic() + self.time_limit
            # One that has died in the meantime is noticed when its answer is read.
            with contextlib.suppress(OSError):
                worker.pipe.send(self.job.tasks[worker.index])
        else:
            self._remove(worker)
            self.leaving.append(worker.process)

    def _replace_dead(self, worker: _Worker) -> None:
        """Tries the task of a dead worker again, or gives it up after too many deaths, and starts a new worker."""
        self._remove(worker)
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

    def _seconds_left(self) -> float | None:
        """Seconds until the first deadline, None without any."""
        deadlines = [worker.deadline for worker in self.workers.values() if worker.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_late_tasks(self) -> None:
        """Kills workers whose task is over its time limit and has not answered; another attempt would take as long."""
        for worker in list(self.workers.values()):
            if worker.deadline is None or time.monotonic() < worker.deadline or worker.pipe.poll():
                continue
            self._remove(worker)
            worker.process.kill()
            worker.process.join()
            assert worker.index is not None
            self.job.gave_up(worker.index, f"it took longer than {self.time_limit:g} s")
            if self.waiting:
                self._start()

    def _remove(self, worker: _Worker) -> None:
        del self.workers[worker.pipe]
        worker.pipe.close()

    def _save(self) -> None:
        """Records tasks that have finished and whose answers were not read yet."""
        for worker in self.workers.values():
            with contextlib.suppress(EOFError, OSError):
                if worker.index is not None and worker.pipe.poll():
                    result, error = pickle.loads(worker.pipe.recv_bytes())
                    if error is None:
                        self.job.finished(worker.index, result)


def _cause_of_death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    name = signal.Signals(-code).name
    return f"{name}, perhaps for want of memory" if code == -signal.SIGKILL else name


def _work(pipe: Connection, make: Callable[[Any], Callable[[Any], Any]], setup: Any) -> None:
    """The program of a worker process: answers once for `make`, then for every task that comes."""
    end_with_parent()
    perform, error = attempt(make, setup)
    with contextlib.suppress(EOFError, OSError):  # the parent has no further task
        pipe.send_bytes(packed((None, error)))
        while error is None:
            pipe.send_bytes(packed(attempt(perform, pipe.recv())))
