"""Tasks for the tests of workers: numbers are squared, and some kill their worker or raise on the way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from vitrify.core.errors import VitrifyError
from vitrify.tasks.run import run_tasks

Recorded = dict[int, Any]


class Setup(NamedTuple):
    """What `make` gets: a folder for the traces of what ran, and the numbers that go wrong.

    once: kill their worker at the first attempt. deadly: kill it always. bad, strange: raise a VitrifyError, an error
    that does not survive pickling. endless: never return. seconds: of each task. start: what making does, "", "error"
    or "death".
    """

    folder: Path
    once: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    strange: tuple[int, ...] = ()
    endless: tuple[int, ...] = ()
    seconds: float = 0.0
    start: str = ""


class Strange(Exception):
    """It cannot be made again from its arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def make(setup: Setup) -> Callable[[int], int]:
    trace(setup, f"make.{os.getpid()}.{threading.get_ident()}")
    if setup.start == "error":
        raise VitrifyError("nothing can be made")
    if setup.start == "death":
        os._exit(3)

    def perform(number: int) -> int:
        runs = trace(setup, f"run.{number}")
        trace(setup, f"thread.{os.getpid()}.{threading.get_ident()}")
        time.sleep(setup.seconds)
        while number in setup.endless:
            time.sleep(1.0)
        if number in setup.deadly or (number in setup.once and runs == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if number in setup.bad:
            raise VitrifyError(f"{number} is bad")
        if number in setup.strange:
            raise Strange("one", "two")
        return number**2

    return perform


def trace(setup: Setup, name: str) -> int:
    """Leaves a mark; returns how many there are of this name."""
    with open(setup.folder / name, "ab") as file:
        file.write(b".")
        return file.tell()


def traces(folder: Path, kind: str) -> dict[str, int]:
    """How often things of a kind happened, by their name."""
    return {path.name.partition(".")[2]: path.stat().st_size for path in folder.glob(f"{kind}.*")}


def run(setup: Setup, tasks: range, recorded: Recorded | None = None, **settings: Any) -> Recorded:
    found: Recorded = {} if recorded is None else recorded

    def record(task: int, result: Any) -> None:
        assert task not in found
        found[task] = result

    run_tasks(make, setup, tasks, record=record, lost=lambda task, reason: reason, **settings)
    return found
