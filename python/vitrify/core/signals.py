"""Signals that end a process in order: SIGTERM and SIGHUP as Ctrl-C does, through every `finally` on the way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal other than Ctrl-C, which raises KeyboardInterrupt, ends the process. code: 128 + its number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def raise_stopped(number: int, frame: FrameType | None) -> None:
    """A handler of signals."""
    raise Stopped(number)


def is_usual(number: int) -> bool:
    """Whether the signal has the handler that Python, or `orderly` below, gives it.

    What the caller ignores, as nohup does with SIGHUP, or handles in its own way, is left to it.
    """
    usual: tuple[Any, ...] = (signal.SIG_DFL, raise_stopped)
    if number == signal.SIGINT:
        usual = (signal.default_int_handler,)
    return threading.current_thread() is threading.main_thread() and signal.getsignal(number) in usual


@contextmanager
def orderly() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP raise `Stopped` in the main thread."""
    before = {number: signal.signal(number, raise_stopped) for number in ENDING if is_usual(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
