"""The energy of a region of a glass as LAMMPS computes it: atoms near a chosen one move, the others stay.

So the cost of a saddle search depends on the size of the region, not of the glass. Where the region and a shell of
atoms at rest fit into the cell, LAMMPS holds only these, in vacuum; else it holds the whole cell. Atoms of the shell
near the vacuum exert wrong forces: their error at the start is subtracted, as a constant force, so that the start stays
the minimum that it is in the whole glass. The remaining error is of second order in the displacement of atoms at the
border.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.kinds import KINDS
from vitrify.lammps_library.session import lammps_module, minimise, run_commands

SKIN = {"metal": 1.0, "lj": 0.3}  # A, sigma, of neighbour lists: few atoms of a region ever move that far


@dataclass(frozen=True)
class Glass:
    """A periodic structure and its potential.

    positions (N, 3), cell (3, 3) rows, lower-triangular, types (N,) from 0; masses: one for each type, in the mass
    unit of `units`; commands: LAMMPS commands (pair_style, pair_coeff, ...), run when the atoms are there.
    """

    positions: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    masses: tuple[float, ...]
    units: str
    commands: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.types)

    @property
    def spacing(self) -> float:
        """The cube root of the volume of an atom."""
        return float((abs(np.linalg.det(self.cell)) / len(self)) ** (1 / 3))

    @property
    def width(self) -> float:
        """The smallest distance between two opposite faces of the cell."""
        return float(1.0 / np.linalg.norm(np.linalg.inv(self.cell), axis=0).max())

    def offsets(self, centre: int) -> np.ndarray:
        """Vectors (N, 3) from an atom to the nearest image of each, as the lattice directions have it."""
        fractions = (self.positions - self.positions[centre]) @ np.linalg.inv(self.cell)
        vectors: np.ndarray = (fractions - np.round(fractions)) @ self.cell
        return vectors


class Box:
    """A LAMMPS instance whose atoms are replaced for every region; atoms keep their order.

    cell: None for a cluster in vacuum, in a cube of `side` around the origin.
    """

    def __init__(self, glass: Glass, side: float | None) -> None:
        self.cell = None if side is not None else glass.cell
        self.commands = glass.commands
        self.lmp = lammps_module().lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite", "-suffix", "opt"])
        if side is None:
            (lx, _, _), (xy, ly, _), (xz, yz, lz) = glass.cell.tolist()
            shape = f"prism 0 {lx!r} 0 {ly!r} 0 {lz!r} {xy!r} {xz!r} {yz!r}"
            shape = shape if xy or xz or yz else f"block 0 {lx!r} 0 {ly!r} 0 {lz!r}"
        else:
            shape = "block" + f" {-side / 2!r} {side / 2!r}" * 3
        charged = any("charge" in command.split() for command in glass.commands)
        self.run(
            f"units {glass.units}",
            f"atom_style {'charge' if charged else 'atomic'}",
            "atom_modify map array sort 0 0",  # LAMMPS would reorder atoms
            f"boundary {'p p p' if side is None else 'f f f'}",
            f"region cell {shape}",
            f"create_box {len(glass.masses)} cell",
            *(f"mass {number} {mass!r}" for number, mass in enumerate(glass.masses, 1)),
            f"neighbor {SKIN[glass.units]} bin",
            "neigh_modify every 1 delay 0 check yes",
            "thermo_modify norm no lost error",
            "thermo 1",
        )
        self.prepared = False

    def run(self, *commands: str) -> None:
        """Runs LAMMPS commands."""
        run_commands(self.lmp, commands)

    def place(self, positions: np.ndarray, types: np.ndarray) -> None:
        """Replaces the atoms by others: positions (n, 3), types (n,) from 0."""
        if self.prepared:
            self.run("delete_atoms group all")
        self.positions = np.array(positions, float)
        if self.cell is not None:  # the image of the cell that each atom is placed in
            self.first = np.floor(self.positions @ np.linalg.inv(self.cell))
        self.lmp.create_atoms(len(types), None, (types + 1).tolist(), self._wrapped(positions).ravel().tolist())
        if self.lmp.get_natoms() != len(types):
            raise VitrifyError(f"LAMMPS took {self.lmp.get_natoms()} of {len(types)} atoms: positions must be finite")
        # Charges go with the atoms, so that commands that set them run again for new ones.
        self.run(*(c for c in self.commands if not self.prepared or c.split()[:1] == ["set"]))
        self.prepared = True
        self.restart()

    def _wrapped(self, positions: np.ndarray) -> np.ndarray:
        if self.cell is None:
            return positions
        wrapped: np.ndarray = positions - np.floor(positions @ np.linalg.inv(self.cell)) @ self.cell
        return wrapped

    def restart(self) -> None:
        """Puts the atoms back where they were placed, with fresh neighbour lists, so that results are reproducible."""
        if self.cell is not None:
            self.lmp.numpy.extract_atom("image")[:] = self.lmp.encode_image_flags(0, 0, 0)
        self._view()[:] = self._wrapped(self.positions)
        self.run("run 0 post no")

    def _view(self) -> np.ndarray:
        view: np.ndarray = self.lmp.numpy.extract_atom("x")[: len(self.positions)]
        return view

    def evaluate(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy and forces (n, 3) at unwrapped positions (n, 3), not far from where the atoms were placed."""
        if self.cell is None:
            self._view()[:] = positions
        else:
            self._view()[:] = positions - (self._images() + self.first) @ self.cell
        # A step without an integrator computes forces where the atoms are, and new neighbour lists only if needed.
        self.run("run 1 pre no post no")
        forces = np.array(self.lmp.numpy.extract_atom("f")[: len(positions)])
        energy = float(self.lmp.get_thermo("pe"))
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise FloatingPointError("the potential returned a force that is no number")
        return energy, forces

    def _images(self) -> np.ndarray:
        """Image flags (n, 3), which LAMMPS packs into ten bits each (SMALLBIG)."""
        packed = self.lmp.numpy.extract_atom("image")[: len(self.positions)].reshape(-1).astype(np.int64)
        return np.stack([(packed >> shift & 1023) - 512 for shift in (0, 10, 20)], 1)

    def close(self) -> None:
        self.lmp.close()


class Region:
    """Energy and forces of the free atoms around one atom of a glass, as functions of their displacements.

    free: (n,) indices of the atoms within `radius`; calls: number of force evaluations.
    """

    def __init__(self, boxes: Boxes, centre: int) -> None:
        self.boxes, glass = boxes, boxes.glass
        offsets = glass.offsets(centre)
        distances = np.linalg.norm(offsets, axis=1)
        self.free = np.flatnonzero(distances < boxes.radius)
        self.offsets = offsets[self.free]
        if boxes.cluster:
            # free atoms first
            shell = np.flatnonzero((distances >= boxes.radius) & (distances < boxes.radius + boxes.shell))
            held = np.concatenate([self.free, shell])
            self.start, self.rows = offsets[held], np.arange(len(self.free))
        else:
            held = np.arange(len(glass))
            self.start, self.rows = glass.positions, self.free
        self.box = boxes.box
        self.box.place(self.start, glass.types[held])
        self.everything = len(self.free) == len(glass)
        self.energy, forces = self.box.evaluate(self.start)
        # The error of the forces at the start, as a cluster ends in vacuum.
        self.error = forces[self.rows] - boxes.forces[self.free] if boxes.cluster else np.zeros((len(self.free), 3))
        self.calls = 0

    def restart(self) -> None:
        """Goes back to the start and counts force evaluations from 0."""
        self.box.restart()
        self.calls = 0

    def __call__(self, displacements: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy above the start, and forces (n, 3), at `displacements` (n, 3) of the free atoms."""
        self.calls += 1
        positions = self.start.copy()
        positions[self.rows] += displacements
        energy, forces = self.box.evaluate(positions)
        return energy - self.energy + float(np.vdot(self.error, displacements)), forces[self.rows] - self.error

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Removes the translation from displacements (n, 3), if all atoms are free."""
        return vectors - vectors.mean(0) if self.everything else vectors


class Boxes:
    """The LAMMPS instance, the range of the potential and the forces of the whole glass, for all regions of a glass.

    radius: of the free region, `np.inf` for all atoms. Raises VitrifyError for a potential that LAMMPS refuses or
    that returns no numbers, and for a structure that is no minimum: forces (N, 3) above `tolerance`.
    """

    def __init__(self, glass: Glass, radius: float, tolerance: float) -> None:
        self.glass, self.radius = glass, radius
        whole = Box(glass, None)
        cutoff = potential_range(whole, glass)
        self.shell = min(2.0 * cutoff, max(cutoff, 3.2 * glass.spacing))
        self.cluster = not sees_whole_cell(glass.commands) and 2.0 * (radius + self.shell) < glass.width
        try:
            self.energy, self.forces = whole.evaluate(glass.positions)
        except FloatingPointError:
            raise VitrifyError(
                "the potential returns energies or forces that are no numbers for this structure: check that it is "
                "made for these species in this order, and that no two atoms coincide"
            ) from None
        largest = float(np.linalg.norm(self.forces, axis=1).max())
        if largest > tolerance:
            raise VitrifyError(
                f"the structure is not at an energy minimum: the largest force is {largest:.3g}, and at most "
                f"{tolerance:g} is wanted: give --minimize, or minimise it with this potential first"
            )
        if self.cluster:
            whole.close()
            self.box = Box(glass, 2.0 * (radius + self.shell + 2.0 * glass.spacing))
        else:
            self.box = whole

    def close(self) -> None:
        self.box.close()


def sees_whole_cell(commands: tuple[str, ...]) -> bool:
    """Whether the energy of an atom depends on all others: charges, and latent models, which pool features of all."""
    styles = {style.split()[-1] for kind in KINDS.values() for style in kind.styles if style.startswith("pair_style")}
    words = [command.split() for command in commands]
    return any(line[:1] == ["kspace_style"] or styles.intersection(line) for line in words)


def potential_range(box: Box, glass: Glass) -> float:
    """Places the whole glass and finds the largest cutoff of its potential: LAMMPS says how far its ghosts reach."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        box.place(glass.positions, glass.types)
        box.run(f'log "{log}"', "info out log communication", "log none")
        found = re.search(r"Communication cutoff = ([0-9.eE+-]+)", log.read_text())
    reach = float(found[1]) - SKIN[glass.units] if found else 0.0
    if reach <= 0.0:
        raise VitrifyError(
            f"the potential {'; '.join(glass.commands)} has no cutoff: give a pair_style with a range; beside one that "
            "a fix or Python computes, pair_style zero RANGE gives it"
        )
    return reach


def minimise_glass(glass: Glass, tolerance: float) -> Glass:
    """The nearest energy minimum of the whole glass, cell fixed, by LAMMPS's conjugate gradients.

    Raises VitrifyError where the largest force stays above `tolerance`.
    """
    box = Box(glass, None)
    box.place(glass.positions, glass.types)
    minimise(box.lmp, tolerance / 10, 20000)
    positions = np.array(box._view()) + (box._images() + box.first) @ glass.cell
    largest = float(np.linalg.norm(box.lmp.numpy.extract_atom("f")[: len(glass)], axis=1).max())
    box.close()
    if not largest <= tolerance:
        raise VitrifyError(
            f"the minimisation stopped at a largest force of {largest:.3g}, and at most {tolerance:g} is wanted: "
            "check the structure and the potential"
        )
    return Glass(positions, glass.cell, glass.types, glass.masses, glass.units, glass.commands)
