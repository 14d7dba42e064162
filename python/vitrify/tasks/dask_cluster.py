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
from vitrify.tasks.run import Job, Outcome, attempt, packed

_ANSWER = 10.0  # seconds in which a scheduler must answer
_LOOK = 2.0  # seconds between two looks at the workers of the cluster
_AHEAD = 2  # tasks with the cluster for each of its threads


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
        # Tasks that the scheduler has given up, since workers died that held them. Most may only have been queued
        # there: each is tried again with nothing beside it.
        self.suspects: deque[int] = deque()
        self.alone = False
        self.flying: dict[str, tuple[Any, int]] = {}  # by key: the future, and the index of the task
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.token = uuid.uuid4().hex
        self.setup = self._submit_setup()
        self.room = 1
        self.looked = self.seen = 0.0

    def run(self) -> None:
        while self.waiting or self.flying or self.suspects:
            with _reached(self.scheduler):
                self._look()
                self._submit()
                with self.job.interrupts.allowed():
                    futures = self._next()
                    outcomes = self._outcomes(futures)
            for future, outcome in zip(futures, outcomes, strict=True):
                self._hear(future, outcome)

    def _next(self) -> list[Any]:
        """All that has finished since the last call, after a wait for the first."""
        futures = []
        with suppress(Empty):
            futures.append(self.done.get(timeout=_LOOK))
            while True:
                futures.append(self.done.get_nowait())
        return futures

    def _look(self) -> None:
        """Sees how many threads the cluster has, which may come and go."""
        now = time.monotonic()
        if now - self.looked < _LOOK:
            return
        self.looked = now
        threads = sum(self.client.nthreads().values())
        if threads or not self.seen:
            self.seen = now
        if now - self.seen > self.patience:
            raise VitrifyError(
                f"the cluster of {self.scheduler} has lost all workers: start some and run the same command again,"
                " finished tasks are kept"
            )
        self.room = max(1, _AHEAD * threads)

    def _submit(self) -> None:
        if self.suspects and not self.waiting and not self.flying:
            self.alone = True
            # Workers that are dead without being missed yet, on a busy machine, would count against the next task.
            self.client.run(_unchanged, b"", on_error="ignore")
            self.waiting.append(self.suspects.popleft())
        while self.waiting and len(self.flying) < self.room:
            index = self.waiting.popleft()
            task = pickle.dumps(self.job.tasks[index])
            future = self.client.submit(_perform, self.token, self.setup, task, pure=False)
            self.flying[future.key] = future, index
            future.add_done_callback(self.done.put)

    def _submit_setup(self) -> Any:
        """The setup as a result: unlike data that are scattered, it survives the death of all workers that have it."""
        content = pickle.dumps((self.job.make, self.job.setup))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large one
            return self.client.submit(_unchanged, content, pure=False)

    def _outcomes(self, futures: list[Any]) -> list[Outcome]:
        """What the tasks returned and what they raised, or why the cluster gave them up; one message for all."""
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
        return [pickle.loads(answers[f]) if f in answers else self._late(f) for f in futures]

    def _late(self, future: Any) -> Outcome:
        """The outcome of a task that has none yet, or no longer: its worker may have died with it since it finished."""
        error = future.exception()
        return self._outcomes([future])[0] if error is None else (None, error)

    def _hear(self, future: Any, outcome: Outcome) -> None:
        _, index = self.flying.pop(future.key)
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
        """Records what has finished but was not heard, and takes the rest back."""
        flying = list(self.flying.values())
        with suppress(Exception):
            self.client.cancel([future for future, _ in flying if future.status == "pending"])
        for future, index in flying:
            with suppress(Exception, CancelledError):
                if future.status == "finished":
                    result, error = pickle.loads(future.result(timeout=_ANSWER))
                    if error is None:
                        self.job.finished(index, result)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the client's own log of what goes wrong back: it is said here, once."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _connected(scheduler: str, patience: float, job: Job) -> Iterator[Any]:
    """A client of the cluster, when workers are there that can import what this process imports."""
    dask = _dask()
    with job.interrupts.allowed():
        try:
            address = _address(scheduler)
            # A client that finds nobody complains for seconds: knock first.
            with ThreadPoolExecutor(1) as pool:  # for this thread may have an event loop
                pool.submit(asyncio.run, _knock(address, min(_ANSWER, patience))).result()
            client = dask.Client(address, timeout=_ANSWER, set_as_default=False, name="vitrify")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise VitrifyError(
                f"no Dask scheduler answers at {scheduler} ({' '.join(str(error).split())}): give the address that"
                " `dask scheduler` prints, such as tcp://host:8786, or its scheduler file"
            ) from None
        try:
            with _reached(scheduler):
                _require_workers(dask, client, scheduler, patience)
        except BaseException:
            client.close()
            raise
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _reached(scheduler: str) -> Iterator[None]:
    """Says in one sentence that the scheduler is no longer there."""
    try:
        yield
    except (CancelledError, OSError):
        raise VitrifyError(
            f"the scheduler {scheduler} is gone, or has dropped the tasks: start it and run the same command again,"
            " finished tasks are kept"
        ) from None


def _address(scheduler: str) -> str:
    """The address itself, or that in a scheduler file."""
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


_mine = threading.local()  # the campaign that a thread of a worker works for, and what performs its tasks


def _perform(token: str, setup: bytes, task: bytes) -> bytes:
    """One task, in a thread of a worker: its packed outcome."""
    if getattr(_mine, "token", None) != token:
        _mine.token = _mine.perform = None  # what another campaign left goes before this one's comes
        make, content = pickle.loads(setup)
        perform, error = attempt(make, content)
        if error is not None:
            return packed((None, error))
        _mine.token, _mine.perform = token, perform
    return packed(attempt(_mine.perform, pickle.loads(task)))
