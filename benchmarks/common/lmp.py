"""Runs of the real `lmp` that are measured: loop time, processor time, memory, and where it failed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.errors import VitrifyError
from vitrify.core.lmp_process import program

LOOP = re.compile(r"Loop time of (\S+) on (\d+) procs for (\d+) steps with (\d+) atoms")
USE = re.compile(r"(\S+)% CPU use")
LISTS = re.compile(r"^Neigh +\|.*\| *(\S+)$", re.MULTILINE)


class LammpsError(VitrifyError):
    """`lmp` ended with an error."""


@dataclass(frozen=True)
class Loop:
    """One `run` command: wall seconds, MPI ranks, steps, atoms, and the shares of the wall time on the processor and
    for neighbour lists."""

    seconds: float
    ranks: int
    steps: int
    atoms: int
    use: float
    lists: float

    @property
    def core_seconds(self) -> float:
        """Processor time of all ranks: what other programs took from them is not in it."""
        return self.seconds * self.ranks * self.use


@dataclass(frozen=True)
class Finished:
    """A finished lmp: its runs in order, its output; for the whole process: wall and processor time, and the most
    memory that it held (bytes; on one rank)."""

    loops: tuple[Loop, ...]
    output: str
    wall: float
    processor: float
    memory: int


def run(commands: Sequence[str], folder: Path | None = None, ranks: int = 1, arguments: Sequence[str] = ()) -> Finished:
    """Runs `lmp` on the commands in `folder`, a temporary one by default.

    Raises LammpsError with LAMMPS's own message.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return run(commands, Path(temporary), ranks, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.lammps").write_text("\n".join(commands) + "\n")
    line = [program("lmp"), "-in", "in.lammps", "-nocite", *arguments]
    if ranks > 1:
        line = [program("mpiexec"), "-n", str(ranks), *line]
    begin = time.perf_counter()
    with open(folder / "screen", "w") as screen:
        process = subprocess.Popen(
            line,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        # wait4 alone gives the memory of this child, not of the largest so far.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    output = (folder / "screen").read_text()
    if process.returncode:
        raise LammpsError(f"lmp failed: {failure(output) or f'it ended with status {process.returncode}'}")
    return Finished(tuple(loops(output)), output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def loops(output: str) -> list[Loop]:
    """Every "Loop time" of LAMMPS's output with the "CPU use" that follows it."""
    found = []
    blocks = re.split(r"(?=Loop time of )", output)[1:]
    for block in blocks:
        loop, use, lists = LOOP.search(block), USE.search(block), LISTS.search(block)
        if loop:
            seconds, ranks, steps, atoms = loop.groups()
            shares = [float(part[1]) / 100 if part else default for part, default in ((use, 1.0), (lists, 0.0))]
            found.append(Loop(float(seconds), int(ranks), int(steps), int(atoms), *shares))
    return found


def failure(output: str) -> str:
    """The first error in LAMMPS's output."""
    return next((line.strip() for line in output.splitlines() if line.startswith("ERROR")), "")
