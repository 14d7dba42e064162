"""Processes that a test starts, waits for and kills."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

HANGS = 900.0
"""Seconds after which a process or a wait counts as hanging: far beyond what a slow machine needs."""


def wait_until(happened: Callable[[], object]) -> None:
    """Returns when `happened()` is true; fails after HANGS."""
    deadline = time.monotonic() + HANGS
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def living(group: int) -> list[int]:
    """Processes of a group that are more than a zombie, as a container may lack a reaper."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
            if rest[0] != "Z" and int(rest[2]) == group:
                found.append(pid)
    return found


def hear_interrupts() -> None:
    """For `preexec_fn`: a shell that starts tests in the background lets them, and their children, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
