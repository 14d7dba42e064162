"""Predictions by torch in processes that are forked.

A forked child has none of its parent's threads, neither those of torch's pool, for which it would wait for ever, nor
those that hold a lock at the moment of the fork. So a fork waits for the predictions that other threads have begun,
and torch runs in one thread in the child: pools of processes have one for each core already.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vitrify.core.errors import VitrifyError

_REMEDY = 'start processes by "spawn" or "forkserver", as multiprocessing.get_context("spawn").Pool does'


class _Gate:
    """Counts the predictions that are under way; while it is shut, there are none, and none begins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._shut = False
        self._inside = threading.local()  # depth: of the predictions of this thread, which may hold others

    def enter(self) -> None:
        with self._changed:
            depth = getattr(self._inside, "depth", 0)
            # Without the flag, threads that predict without a pause would keep a fork waiting for ever.
            while self._shut and not depth:
                self._changed.wait()
            self._inside.depth = depth + 1
            self._running += 1

    def leave(self) -> None:
        with self._changed:
            self._inside.depth -= 1
            self._running -= 1
            self._changed.notify_all()

    def shut(self) -> None:
        self._changed.acquire()
        while self._shut:  # by a fork of another thread
            self._changed.wait()
        self._shut = True
        while self._running:
            self._changed.wait()

    def open(self) -> None:
        self._shut = False
        self._changed.notify_all()
        self._changed.release()


_gate = _Gate()
_forked = False


def _in_child() -> None:
    global _gate, _forked
    _gate, _forked = _Gate(), True
    torch.set_num_threads(1)


os.register_at_fork(before=lambda: _gate.shut(), after_in_parent=lambda: _gate.open(), after_in_child=_in_child)


@contextmanager
def predicting(device: torch.device) -> Iterator[None]:
    """Goes around each prediction by torch. Raises VitrifyError where a forked process cannot make it."""
    if device.type == "cuda" and torch.cuda._is_in_bad_fork():
        raise VitrifyError(f"{device} cannot be used in a process that was forked from one that uses it: {_REMEDY}")
    gate = _gate
    gate.enter()
    try:
        yield
    except RuntimeError as error:
        if not _forked or isinstance(error, VitrifyError):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise VitrifyError(f"torch failed in a forked process ({reason}): {_REMEDY}") from None
    finally:
        gate.leave()
