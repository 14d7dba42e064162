"""Signals that end a process in order: Ctrl-C, SIGTERM and SIGHUP, through every `finally` on the way.

Python hears a signal only between two of its own instructions. Where compiled code runs for longer, as LAMMPS does in
this process, a thread does what is needed after some seconds: what is registered by `undone`, one line, and the end.
The same thread sends a signal again whose exception some code has dropped, as compiled modules do while they are
imported.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 5.0  # seconds in which Python must have heard a signal
_LOOKS = 4  # in a row, in which an exception must be on its way
_MEMORY = 10.0  # seconds in which a further signal is taken for the one that has been heard
_undo: list[Callable[[], object]] = []
_deferring: list[bool] = []  # one entry for each `deferred` that is entered
_deferred: list[int] = []  # signals that came within
_pipe: list[int] = []  # where Python tells the numbers of signals as they come: the end to read, the one to write
_raised: list[BaseException] = []  # by the last signal, until it has left an `orderly`
_heard = -_MEMORY  # when a handler was last called, on the clock of `time.monotonic`


class Stopped(SystemExit):
    """A signal other than Ctrl-C, which raises KeyboardInterrupt, ends the process. code: 128 + its number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def name_of(number: int) -> str:
    """How a message calls the end by a signal."""
    return "stopped" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"


def hear() -> None:
    """Called by each handler of the signals above."""
    global _heard
    _heard = time.monotonic()


def raise_stopped(number: int, frame: FrameType | None) -> None:
    """A handler of signals."""
    hear()
    if _deferring:
        _deferred.append(number)
    else:
        raise_for(number)


def raise_for(number: int) -> None:
    """Raises what a signal becomes."""
    error = KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)
    _raised[:] = [error]
    raise error


@contextmanager
def deferred() -> Iterator[None]:
    """Lets a signal that comes within raise at the end, for a few steps of which all or none must be done."""
    _deferring.append(True)
    try:
        yield
    finally:
        _deferring.pop()
    if _deferred and not _deferring and threading.current_thread() is threading.main_thread():
        number = _deferred[-1]
        _deferred.clear()
        raise_for(number)


def is_usual(number: int) -> bool:
    """Whether the signal has the handler that Python, or `orderly` below, gives it.

    What the caller ignores, as nohup does with SIGHUP, or handles in its own way, is left to it.
    """
    before = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(number) in (before, raise_stopped)


@contextmanager
def orderly() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt, and SIGTERM and SIGHUP `Stopped`, in the main thread."""
    mine = [n for n in (signal.SIGINT, *ENDING) if is_usual(n) and signal.getsignal(n) is not raise_stopped]
    before: dict[int, Any] = {number: signal.signal(number, raise_stopped) for number in mine}
    hook = sys.unraisablehook
    if mine:
        # What a destructor drops is sent again.
        sys.unraisablehook = lambda found: None if found.exc_value in _raised else hook(found)
    try:
        with _watched(bool(mine)):
            yield
    except BaseException:
        _raised.clear()
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undone(undo: Callable[[], object]) -> Iterator[None]:
    """Has `undo` called if a signal ends the process while compiled code runs, when no `finally` is reached."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


@contextmanager
def _watched(watched: bool) -> Iterator[None]:
    """Ends the process in a thread if Python does not hear a signal."""
    if not watched:
        yield
        return
    if not _pipe:
        _pipe.extend(os.pipe())
        os.set_blocking(_pipe[1], False)
        threading.Thread(target=_watch, args=(_pipe[0],), daemon=True).start()
    before = signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


def _watch(reading: int) -> None:
    while number := os.read(reading, 1):
        came = time.monotonic()
        while _heard < came - _MEMORY and time.monotonic() < came + _PATIENCE:
            time.sleep(0.05)
        if _heard < came - _MEMORY and signal.getsignal(number[0]) is raise_stopped:
            _end_at_once(number[0])
        if _is_dropped():
            os.kill(os.getpid(), number[0])


def _is_dropped() -> bool:
    """Waits until what a signal has raised has left an `orderly`; True if it goes nowhere."""
    looks = 0
    while _raised or _deferred:
        looks = looks + 1 if _raised and not _is_on_its_way(_raised[0]) else 0
        if looks == _LOOKS:
            return True
        time.sleep(0.05)
    return False


def _is_on_its_way(error: BaseException) -> bool:
    """Whether the main thread is in an `except` or `finally` of this exception, or of one that came of it."""
    found: Any = sys._current_exceptions().get(threading.main_thread().ident or 0)
    if isinstance(found, tuple):  # before Python 3.12
        found = found[1]
    while found is not None and found is not error:
        found = found.__context__
    return found is error


def _forget() -> None:
    """A forked child has no thread that watches, and must not tell its parent's of its own signals."""
    if _pipe:
        with suppress(ValueError):  # forked by another thread
            signal.set_wakeup_fd(-1)
        for descriptor in _pipe:
            os.close(descriptor)
        _pipe.clear()
    _raised.clear()


def _end_at_once(number: int) -> None:
    for undo in reversed(_undo):
        with suppress(Exception):
            undo()
    with suppress(OSError, ValueError):
        print(f"\nvitrify: {name_of(number)}", file=sys.stderr, flush=True)
    os._exit(128 + number)


os.register_at_fork(after_in_child=_forget)
