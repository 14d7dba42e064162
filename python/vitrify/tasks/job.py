"""A job of independent tasks: its description, how one task runs, and how signals and parents end a worker.

`vitrify.tasks.run` makes a job; `vitrify.tasks.processes` and `vitrify.tasks.dask_cluster` perform one.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from types import FrameType
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.signals import ENDING, hear, is_usual, raise_for

Outcome = tuple[Any, Exception | None]  # the result of a task, or the exception that it raised


class Interrupts:
    """Makes SIGTERM and SIGHUP as orderly as Ctrl-C, and keeps all until `allowed`: they break into nothing else."""

    def __init__(self) -> None:
        self._allowed = False
        self._pending: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, *ENDING):
            if is_usual(number):
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
        hear()
        self._pending = number
        if self._allowed:
            self._raise()

    def _raise(self) -> None:
        number, self._pending = self._pending, None
        if number is not None:
            raise_for(number)


@dataclass(frozen=True)
class Job:
    """The arguments of `run_tasks`, for local processes or a cluster to work on.

    finished: called with the index of a task and its result. gave_up: called with the index of a task and the reason
    why it has none.
    """

    make: Callable[[Any], Callable[[Any], Any]]
    setup: Any
    tasks: Sequence[Any]
    finished: Callable[[int, Any], None]
    gave_up: Callable[[int, str], None]
    interrupts: Interrupts


def attempt(function: Callable[[Any], Any], argument: Any) -> Outcome:
    """function(argument), or the exception that it raises, as one that can be sent to another process."""
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
    """The error if pickling keeps it, or one with the same message; either with the traceback of the worker."""
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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """Ends this process when its parent has ended, even by a kill."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
