"""Tasks on a Dask cluster: what `vitrify.tasks.run.run_tasks` does with the address of a scheduler."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import threading
import time
import uuid
import warnings
from asyncio import CancelledError
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.tasks.job import Job, Outcome, attempt, packed

_ANSWER_TIMEOUT = 10.0  # seconds in which a scheduler must answer
_POLL = 2.0  # seconds after which the threads of the cluster are counted again
_TASKS_PER_THREAD = 2  # submitted at a time: one that runs and one that waits there


def run_on_cluster(job: Job, scheduler: str, patience: float) -> None:
    """Performs the tasks of a job on the cluster of a scheduler, which stays as it was."""
    with _quiet(), _connected(scheduler, patience, job) as client:
        campaign = _Campaign(job, scheduler, client, patience)
        try:
            campaign.run()
        except BaseException:
            campaign.save()
            raise


class _Campaign:
    """The tasks of one call, of which the cluster has a few for each of its threads at a time."""

    def __init__(self, job: Job, scheduler: str, client: Any, patience: float) -> None:
        self.job, self.scheduler, self.client, self.patience = job, scheduler, client, patience
        self.waiting = deque(range(len(job.tasks)))
        # Tasks that the scheduler has given up, since workers died that held them. Most of them were only queued in a
        # worker that another task killed: each is tried again with no other task in the cluster.
        self.suspects: deque[int] = deque()
        self.alone = False
        self.submitted: dict[str, tuple[Any, int]] = {}  # by key: the future, and the index of the task
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.token = uuid.uuid4().hex
        self.setup = self._submit_setup()
        self.most_submitted = 1
        self.counted_at = self.threads_at = 0.0

    def run(self) -> None:
        while self.waiting or self.submitted or self.suspects:
            with _scheduler_reached(self.scheduler):
                self._count_threads()
                self._submit()
                with self.job.interrupts.allowed():
                    futures = self._next()
                    outcomes = self._outcomes(futures)
            for future, outcome in zip(futures, outcomes, strict=True):
                self._receive(future, outcome)

    def _next(self) -> list[Any]:
        """Futures that have finished since the last call, after a wait for the first."""
        futures = []
        with suppress(Empty):
            futures.append(self.done.get(timeout=_POLL))
            while True:
                futures.append(self.done.get_nowait())
        return futures

    def _count_threads(self) -> None:
        """Counts the threads of the cluster, which may come and go, and how many tasks it may hold."""
        now = time.monotonic()
        if now - self.counted_at < _POLL:
            return
        self.counted_at = now
        threads = sum(self.client.nthreads().values())
        if threads or not self.threads_at:
            self.threads_at = now
        if now - self.threads_at > self.patience:
            raise VitrifyError(
                f"the cluster of {self.scheduler} has lost all workers: start some and run the same command again,"
                " finished tasks are kept"
            )
        self.most_submitted = max(1, _TASKS_PER_THREAD * threads)

    def _submit(self) -> None:
        if self.suspects and not self.waiting and not self.submitted:
            self.alone = True
            # Workers that are dead without being missed yet, on a busy machine, would count against the next task.
            self.client.run(_unchanged, b"", on_error="ignore")
            self.waiting.append(self.suspects.popleft())
        while self.waiting and len(self.submitted) < self.most_submitted:
            index = self.waiting.popleft()
            task = pickle.dumps(self.job.tasks[index])
            future = self.client.submit(_perform, self.token, self.setup, task, pure=False)
            self.submitted[future.key] = future, index
            future.add_done_callback(self.done.put)

    def _submit_setup(self) -> Any:
        """The setup as the result of a task: unlike scattered data, it survives the death of all its workers."""
        content = pickle.dumps((self.job.make, self.job.setup))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large one
            return self.client.submit(_unchanged, content, pure=False)

    def _outcomes(self, futures: list[Any]) -> list[Outcome]:
        """Results and exceptions of tasks, or why the cluster gave them up; one message fetches all."""
        if any(future.status == "cancelled" for future in futures):
            raise CancelledError
        finished = [future for future in futures if future.status == "finished"]
        try:
            answers = dict(zip(finished, self.client.gather(finished), strict=True))
        except _dask().KilledWorker as error:
            # The worker died before its result was fetched, and so did those that were to repeat the task.
            if len(futures) == 1:
                return [(None, error)]
            return [self._outcomes([future])[0] for future in futures]
        return [pickle.loads(answers[f]) if f in answers else self._outcome_of_late(f) for f in futures]

    def _outcome_of_late(self, future: Any) -> Outcome:
        """The outcome of a task that has none yet, or whose worker has died with it since it finished."""
        error = future.exception()
        return self._outcomes([future])[0] if error is None else (None, error)

    def _receive(self, future: Any, outcome: Outcome) -> None:
        _, index = self.submitted.pop(future.key)
        result, error = outcome
        if error is None:
            self.job.finished(index, result)
        elif not isinstance(error, _dask().KilledWorker):
            raise error
        elif error.task == self.setup.key:  # not what the task did
            self.setup = self._submit_setup()
            self.waiting.append(index)
        elif self.alone:
            self.job.gave_up(index, f"{error.allowed_failures + 1} workers died with it")
        else:
            self.suspects.append(index)

    def save(self) -> None:
        """Records tasks that have finished and whose results were not fetched yet, and cancels the others."""
        submitted = list(self.submitted.values())
        with suppress(Exception):
            self.client.cancel([future for future, _ in submitted if future.status == "pending"])
        for future, index in submitted:
            with suppress(Exception, CancelledError):
                if future.status == "finished":
                    result, error = pickle.loads(future.result(timeout=_ANSWER_TIMEOUT))
                    if error is None:
                        self.job.finished(index, result)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the client's own log of errors: they are raised here, once."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _connected(scheduler: str, patience: float, job: Job) -> Iterator[Any]:
    """A client of the cluster, once it has workers that can import this version of vitrify."""
    dask = _dask()
    with job.interrupts.allowed():
        try:
            address = _address(scheduler)
            # A client that finds nobody complains for seconds: knock first.
            with ThreadPoolExecutor(1) as pool:  # for this thread may have an event loop
                pool.submit(asyncio.run, _knock(address, min(_ANSWER_TIMEOUT, patience))).result()
            client = dask.Client(address, timeout=_ANSWER_TIMEOUT, set_as_default=False, name="vitrify")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise VitrifyError(
                f"no Dask scheduler answers at {scheduler} ({' '.join(str(error).split())}): give the address that"
                " `dask scheduler` prints, such as tcp://host:8786, or its scheduler file"
            ) from None
        try:
            with _scheduler_reached(scheduler):
                _require_workers(dask, client, scheduler, patience)
        except BaseException:
            client.close()
            raise
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _scheduler_reached(scheduler: str) -> Iterator[None]:
    """Turns the errors of a lost scheduler into one sentence."""
    try:
        yield
    except (CancelledError, OSError):
        raise VitrifyError(
            f"the scheduler {scheduler} is gone, or has dropped the tasks: start it and run the same command again,"
            " finished tasks are kept"
        ) from None


def _address(scheduler: str) -> str:
    """The address that is given, or the one in a scheduler file."""
    path = Path(scheduler)
    return str(json.loads(path.read_text())["address"]) if path.is_file() else scheduler


async def _knock(address: str, patience: float) -> None:
    security = _dask().Security().get_connection_args("client")
    comm = await import_module("distributed.comm").connect(address, timeout=patience, **security)
    await comm.close()


def _require_workers(dask: Any, client: Any, scheduler: str, patience: float) -> None:
    try:
        client.wait_for_workers(1, timeout=patience)
    except (dask.TimeoutError, TimeoutError):
        raise VitrifyError(
            f"the cluster of {scheduler} has had no workers for {patience:g} s: start some (`dask worker {scheduler}`)"
        ) from None

    # A function within a function travels whole, so that it runs where vitrify is not installed, too.
    def version() -> str:
        try:
            import vitrify.tasks.dask_cluster

            return str(vitrify.__version__)
        except Exception as error:
            return f"cannot import it ({type(error).__name__}: {error})"

    found = {"the scheduler": client.run_on_scheduler(version), **client.run(version, on_error="ignore")}
    for name, answer in found.items():
        if answer != vitrify.__version__:
            where = name if name == "the scheduler" else f"the worker {name}"
            says = f"has {answer}" if answer[:1].isdigit() else answer
            raise VitrifyError(
                f"here vitrify is {vitrify.__version__}, {where} of {scheduler} {says}: start scheduler and workers"
                " in the environment of this process"
            )


def _dask() -> Any:
    try:
        return import_module("distributed")
    except ImportError:
        raise VitrifyError("work on a cluster needs Dask: pip install 'vitrify[dask]'") from None


def _unchanged(content: bytes) -> bytes:
    return content


_of_thread = threading.local()  # of a worker's thread: the token of its campaign, and the function that performs tasks


def _perform(token: str, setup: bytes, task: bytes) -> bytes:
    """One task, in a thread of a worker: its packed outcome."""
    if getattr(_of_thread, "token", None) != token:
        _of_thread.token = _of_thread.perform = None  # what another campaign left goes before this one's comes
        make, content = pickle.loads(setup)
        perform, error = attempt(make, content)
        if error is not None:
            return packed((None, error))
        _of_thread.token, _of_thread.perform = token, perform
    return packed(attempt(_of_thread.perform, pickle.loads(task)))
