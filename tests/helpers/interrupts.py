"""Programs that a test interrupts: what it does before it sends Ctrl-C, and what is left of them afterwards."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path


def hear_interrupts() -> None:
    """For `preexec_fn`: a shell that starts tests in the background lets them, and their children, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def living(group: int) -> list[int]:
    """Processes of a group that are more than a zombie, as a container may lack a reaper."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
            if rest[0] != "Z" and int(rest[2]) == group:
                found.append(pid)
    return found
