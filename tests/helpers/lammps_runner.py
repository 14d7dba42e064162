"""Runs the real `lmp` on inputs that the tests write, and reads back what it did."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from child_processes import HANGS

Array = NDArray[np.float64]
BIN = Path(sys.executable).parent
# Ranks that wait for one another on fewer cores burn time: each style has fast tests on two ranks, and one on four.
FOUR_RANKS = pytest.param(4, marks=pytest.mark.slow)


@dataclass(frozen=True)
class Configuration:
    """Atoms in a periodic cell: cell (3, 3) rows, lower-triangular; types (N,) 0-based; masses by type."""

    cell: Array
    positions: Array
    velocities: Array
    types: NDArray[np.int64]
    masses: tuple[float, ...]

    def write_data(self, path: Path) -> None:
        """A LAMMPS data file in full double precision."""
        (ax, _, _), (bx, by, _), (cx, cy, cz) = self.cell
        n = len(self.positions)
        lines = ["vitrify test", "", f"{n} atoms", f"{len(self.masses)} atom types", ""]
        for name, length in zip("xyz", (ax, by, cz), strict=True):
            lines.append(f"0.0 {float(length)!r} {name}lo {name}hi")
        if bx or cx or cy:
            lines.append(f"{float(bx)!r} {float(cx)!r} {float(cy)!r} xy xz yz")
        lines += ["", "Masses", "", *(f"{t + 1} {m!r}" for t, m in enumerate(self.masses))]
        lines += ["", "Atoms # atomic", ""]
        for i, (t, r) in enumerate(zip(self.types, self.positions, strict=True)):
            lines.append(f"{i + 1} {t + 1} " + " ".join(repr(float(x)) for x in r))
        lines += ["", "Velocities", ""]
        lines += [f"{i + 1} " + " ".join(repr(float(x)) for x in v) for i, v in enumerate(self.velocities)]
        path.write_text("\n".join(lines) + "\n")

    def replicated(self, counts: tuple[int, int, int]) -> Configuration:
        """The same structure in a larger cell, copy after copy."""
        shifts = np.array(np.meshgrid(*[range(c) for c in counts], indexing="ij")).reshape(3, -1).T @ self.cell
        copies = len(shifts)
        return Configuration(
            self.cell * np.array(counts)[:, None],
            (self.positions[None] + shifts[:, None]).reshape(-1, 3),
            np.tile(self.velocities, (copies, 1)),
            np.tile(self.types, copies),
            self.masses,
        )


@dataclass(frozen=True)
class Result:
    """A finished run: exit status, everything that was printed, and the folder with its files."""

    status: int
    output: str
    folder: Path

    def rows(self, name: str = "out.dump") -> Array:
        """The last frame of a dump of numbers, (N, columns)."""
        lines = (self.folder / name).read_text().splitlines()
        start = max(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
        return np.array([[float(x) for x in line.split()] for line in lines[start + 1 :]])

    def last_frame(self, name: str = "out.dump") -> tuple[Array, Array]:
        """Unwrapped positions and velocities (N, 3) of the last frame of a dump, in the order of IDs."""
        rows = self.rows(name)
        rows = rows[np.argsort(rows[:, 0])]
        return rows[:, 1:4], rows[:, 4:7]

    def thermo(self) -> dict[str, Array]:
        """Thermo columns of all runs in this output, one after the other."""
        columns: dict[str, list[float]] = {}
        names: list[str] = []
        for line in self.output.splitlines():
            words = line.split()
            if words[:1] == ["Step"]:
                names = words
            elif line.startswith("Loop time"):
                names = []
            elif names and len(words) == len(names):  # other lines are messages between the rows
                with contextlib.suppress(ValueError):
                    row = [float(w) for w in words]
                    for name, value in zip(names, row, strict=True):
                        columns.setdefault(name, []).append(value)
        return {name: np.array(values) for name, values in columns.items()}

    def error(self) -> str:
        """The one error of a run that failed; fails if there is none, more than one, or a crash."""
        errors = [line for line in self.output.splitlines() if line.startswith("ERROR")]
        assert len(errors) == 1, self.output
        # LAMMPS ends with 1 after an error; mpiexec kills the ranks that are still on their way out, and says so.
        killed = "CLEANING UP REMAINING PROCESSES" in self.output and "signal 9" in self.output
        assert self.status == 1 or killed, f"status {self.status}\n{self.output}"
        return errors[0]


DUMP = """\
dump         out all custom 1 out.dump id xu yu zu vx vy vz
dump_modify  out sort id format float %24.16e
"""


def run_lammps(script: str, folder: Path, ranks: int = 1, threads: int = 1) -> Result:
    """Runs `script` in `folder` on `ranks` MPI ranks with `threads` OpenMP threads each; it need not succeed."""
    (folder / "in.test").write_text(script)
    command = [str(BIN / "lmp"), "-in", "in.test", "-log", "none", "-nocite"]
    if ranks > 1:
        command = [str(BIN / "mpiexec"), "-n", str(ranks), *command]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, timeout=HANGS, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, folder)


def run_ok(script: str, folder: Path, ranks: int = 1, threads: int = 1) -> Result:
    """Runs `script`, which must succeed."""
    result = run_lammps(script, folder, ranks, threads)
    assert result.status == 0, result.output
    return result
