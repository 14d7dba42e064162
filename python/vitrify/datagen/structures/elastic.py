"""Minima of a structure and its elastic constants, through LAMMPS: the stress of strained cells, atoms relaxed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.cell import Cell
from scipy.linalg import cholesky, solve_triangular

from vitrify.core.compositions import masses
from vitrify.core.errors import VitrifyError
from vitrify.datagen.barriers.lbfgs import LBFGS
from vitrify.lammps_library.session import LammpsSession

_VOIGT = ((0, 0), (1, 1), (2, 2), (2, 1), (2, 0), (1, 0))  # xx yy zz yz xz xy, below the diagonal
_GPA = 1e-4  # GPa in a bar
_STRESS = 0.01  # GPa that a relaxed cell may keep
_WORST_STRESS = 3.0  # GPa, where it keeps the cell from its minimum
_STRAINS = 6  # of the cell until it is free of stress
_FORCE = 0.05  # eV/A: a minimisation that leaves larger forces begins anew
_WORST_FORCE = 1.0  # eV/A, where a kink or a step of the potential keeps an atom from its minimum
_KINKED = 1e-3  # eV/A: where conjugate gradients end at the best
_NEWTON = 1000  # atoms: with more, a Hessian is dearer than conjugate gradients
_STEP = 1e-5  # A, of the differences that make the Hessian
_SOFT = 0.1  # eV/A^2: the least stiffness of a direction that is not stable
_STEPS = 60  # with one Hessian
_HALVINGS = 12  # of a step that leads uphill
_NOISE = 1e-8  # eV: rounding errors of the energy


def elastic_constants(
    atoms: Atoms,
    potential_commands: Sequence[str],
    species: Sequence[str],
    charges: Sequence[float] | None = None,
    *,
    strain: float = 0.002,
    relax_cell: bool = True,
    force: float = 1e-4,
) -> np.ndarray:
    """Elastic constants C (6, 6) in GPa, Voigt order xx yy zz yz xz xy, at zero temperature.

    Atoms are first moved to a minimum, with the cell (of any shape) if `relax_cell`. Then C[i, j] is the central
    difference of the stress i with respect to the strain j, at +-`strain`, atoms relaxed at each.

    potential_commands, species, charges: LAMMPS commands in metal units, the elements of its types in their order, and
    charges of these, or None. force: where a minimisation ends, eV/A. The axes are those of the cell in LAMMPS's frame,
    a lower-triangular one: an atoms object whose cell is another is turned.

    Raises VitrifyError: a minimisation that fails, or a structure that is not stable.
    """
    with Solid(atoms, potential_commands, species, charges) as solid:
        solid.relax(relax_cell, force)
        constants = solid.elastic_constants(strain, force)
    if not np.linalg.eigvalsh((constants + constants.T) / 2)[0] > 0:
        raise VitrifyError("the structure is not stable: its elastic constants are not positive definite")
    return constants


def relaxed(
    atoms: Atoms,
    potential_commands: Sequence[str],
    species: Sequence[str],
    charges: Sequence[float] | None = None,
    *,
    relax_cell: bool = True,
    force: float = 1e-4,
) -> tuple[Atoms, float]:
    """A copy of the atoms at a minimum of the potential, and its energy in eV/atom; arguments: `elastic_constants`."""
    with Solid(atoms, potential_commands, species, charges) as solid:
        solid.relax(relax_cell, force)
        return solid.atoms(), solid.energy()


def shear_modulus(constants: np.ndarray) -> float:
    """The mean of C44, C55 and C66, from C (6, 6)."""
    return float(np.mean(np.diag(constants)[3:]))


def youngs_modulus(constants: np.ndarray) -> float:
    """(C11 - C12) (C11 + 2 C12) / (C11 + C12), with means over the axes of C (6, 6)."""
    block = np.asarray(constants)[:3, :3]
    c11 = float(np.trace(block)) / 3
    c12 = float(block.sum() - np.trace(block)) / 6
    return (c11 - c12) * (c11 + 2 * c12) / (c11 + c12)


class Solid(LammpsSession):
    """A structure at rest in LAMMPS, whose cell can be strained."""

    def __init__(
        self, atoms: Atoms, commands: Sequence[str], species: Sequence[str], charges: Sequence[float] | None = None
    ) -> None:
        unknown = sorted(set(atoms.symbols) - set(species))
        if unknown:
            raise VitrifyError(f"the structure has {', '.join(unknown)}, the potential only {', '.join(species)}")
        cell, positions = np.asarray(atoms.cell[:], float), np.asarray(atoms.positions, float)
        if not (np.isfinite(positions).all() and abs(np.linalg.det(cell)) > 1e-6):
            raise VitrifyError("the structure has positions that are no numbers, or no cell in three directions")
        if not np.allclose(cell, np.tril(cell)) or np.diag(cell).min() <= 0.0:
            turned, turn = Cell(cell).standard_form()  # type: ignore[no-untyped-call]
            cell, positions = np.tril(np.asarray(turned[:])), positions @ turn.T
        self.symbols = list(atoms.symbols)
        super().__init__(
            units="metal",
            cell=np.tril(cell),
            types=np.array([list(species).index(symbol) for symbol in self.symbols]),
            masses=masses(species),
            positions=positions,
            charges=charges,
            commands=("change_box all triclinic", "atom_modify sort 0 0.0", *commands),
        )
        self.run_commands("min_style cg", "min_modify dmax 0.1 line quadratic", "thermo 1")
        self.positions = positions
        self._root: Callable[[np.ndarray, bool], np.ndarray] | None = None

    def relax(self, cell: bool, force: float) -> None:
        """Moves the atoms, and with `cell` the cell, to a minimum; the largest force is then below `force` (eV/A)."""
        self.run_commands("minimize 0 0.05 5000 50000")
        if cell:
            for _ in range(2):  # the reference of the fix is renewed with it
                self.run_commands(
                    "fix cell all box/relax tri 0.0 vmax 0.002", "minimize 0 0.05 1000 10000", "unfix cell"
                )
            self.read_cell()
        self._place(self.state().positions)
        self._settle(force)
        if cell:
            self._release(force)

    def _release(self, force: float) -> None:
        """Strains the cell until no stress is left, by Newton's method."""
        compliance: np.ndarray | None = None
        for _ in range(_STRAINS):
            stress = self.stress()
            if np.abs(stress).max() < _STRESS:
                return
            if compliance is None:
                constants = self.elastic_constants(0.001, force)
                values, vectors = np.linalg.eigh((constants + constants.T) / 2)
                compliance = vectors / np.maximum(np.abs(values), 1.0) @ vectors.T
            strain = -compliance @ stress
            deformation = np.eye(3)
            for (row, axis), amount in zip(_VOIGT, strain * min(1.0, 0.01 / np.abs(strain).max()), strict=True):
                deformation[row, axis] += amount
            self._deform(self.cell, self.positions, deformation)
            self._settle(force)
        largest = float(np.abs(self.stress()).max())
        if largest > _WORST_STRESS:
            raise VitrifyError(f"the cell keeps a stress of {largest:.3g} GPa: its relaxation has failed")

    def elastic_constants(self, strain: float, force: float) -> np.ndarray:
        """C (6, 6) in GPa of the structure as it is, a minimum; it is as it was afterwards."""
        cell, rest = self.cell, self.positions
        constants = np.zeros((6, 6))
        for column, (row, axis) in enumerate(_VOIGT):
            ends = []
            for sign in (1, -1):
                deformation = np.eye(3)
                deformation[row, axis] += sign * strain
                self._deform(cell, rest, deformation)
                self._settle(force)
                ends.append(self.stress())
            constants[:, column] = (ends[0] - ends[1]) / (2 * strain)
        self._deform(cell, rest, np.eye(3))
        return constants

    def _deform(self, cell: np.ndarray, positions: np.ndarray, deformation: np.ndarray) -> None:
        self.set_cell(cell @ deformation)
        self._place(positions @ deformation)

    def _place(self, positions: np.ndarray) -> None:
        """Puts the atoms at unwrapped positions (N, 3), with fresh neighbour lists."""
        self.set_state(positions)
        self.run_commands("run 0 post no")
        self.positions = positions
        self._base = self._view("x").copy()

    def _move(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy (eV) and forces (N, 3) at positions not far from where the atoms were placed."""
        self._view("x")[:] = self._base + (positions - self.positions)
        self.run_commands("run 1 pre no post no")  # no integrator: forces where the atoms are
        return float(self.lmp.get_thermo("pe")), self._view("f").copy()

    def _view(self, name: str) -> np.ndarray:
        view: np.ndarray = self.lmp.numpy.extract_atom(name)[: len(self.symbols)]
        return view

    def _settle(self, force: float) -> None:
        """Moves the atoms to the minimum near them: L-BFGS preconditioned by the Hessian, else conjugate gradients."""
        if len(self.symbols) <= _NEWTON:
            if self._root is None:
                self._root = self._root_of_inverse_hessian()
            if self._descend(force):
                return
        largest = np.inf
        for style in ("cg", "fire", "cg"):  # what is stuck begins anew
            self.run_commands(f"min_style {style}", f"minimize 0 {max(force, _KINKED)!r} 500 5000")
            largest = float(np.abs(self.forces()).max())
            if largest < _FORCE:
                break
        self.run_commands("min_style cg")
        self._place(self.state().positions)
        if not largest < _WORST_FORCE:
            raise VitrifyError(f"a minimisation has left forces of {largest:.3g} eV/A, above {_WORST_FORCE:g}")

    def _descend(self, force: float) -> bool:
        """Whether steps have led to the minimum, where the atoms then are.

        Some potentials have kinks, such as Tersoff's where bonds are cut off. A minimum on one is found where no step
        lowers the energy any more, and forces then are small, but not zero.
        """
        assert self._root is not None
        search, scaled, at = LBFGS(np.inf, 1.0), np.zeros_like(self.positions), self.positions
        energy, forces = self._move(at)
        for _ in range(_STEPS):
            if np.abs(forces).max() < force:
                break
            # In coordinates whose Hessian is one.
            step = search.step(scaled, self._root(forces, True))
            move = self._root(step, False)
            size = min(1.0, 0.1 / max(float(np.abs(move).max()), 1e-300))
            for _ in range(_HALVINGS):
                new, pull = self._move(at + size * move)
                if new < energy + _NOISE:
                    break
                size /= 2
            else:
                break
            at, scaled, energy, forces = at + size * move, scaled + size * step, new, pull
        largest = float(np.abs(forces).max())
        self._place(at)
        return largest < force or largest < _KINKED

    def _root_of_inverse_hessian(self) -> Callable[[np.ndarray, bool], np.ndarray]:
        """The product of W, or of its transpose, with (N, 3), where W W^T is the inverse of the Hessian here.

        The signs of curvatures that are negative are turned, so that steps lead downhill.
        """
        rest, n = self.positions, len(self.symbols)
        _, before = self._move(rest)
        hessian = np.zeros((3 * n, 3 * n))
        for k in range(3 * n):
            moved = rest.copy()
            moved[k // 3, k % 3] += _STEP
            hessian[k] = (before - self._move(moved)[1]).ravel() / _STEP
        hessian = (hessian + hessian.T) / 2
        drift = np.tile(np.eye(3), (n, 1)) / np.sqrt(n)
        hessian += 10.0 * drift @ drift.T  # the three directions that change nothing
        try:
            lower = cholesky(hessian, lower=True)
            return lambda x, transposed: solve_triangular(
                lower, x.ravel(), lower=True, trans=0 if transposed else 1
            ).reshape(-1, 3)
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(hessian)
            root = vectors / np.sqrt(np.maximum(np.abs(values), _SOFT))
            return lambda x, transposed: ((root.T if transposed else root) @ x.ravel()).reshape(-1, 3)

    def set_cell(self, cell: np.ndarray) -> None:
        """Gives the box this lower-triangular cell (3, 3); atoms are to be placed anew."""
        (x, _, _), (xy, y, _), (xz, yz, z) = cell.tolist()
        sides = " ".join(f"{name} final 0 {length!r}" for name, length in zip("xyz", (x, y, z), strict=True))
        tilts = f"xy final {xy!r} xz final {xz!r} yz final {yz!r}"
        self.run_commands(f"change_box all {sides} {tilts} remap units box")
        self.cell = cell

    def read_cell(self) -> None:
        """Takes over the box that LAMMPS has changed, with its corner moved to the origin."""
        positions = self._gather("x", 1)
        low, high, xy, yz, xz, *_ = self.lmp.extract_box()
        x, y, z = (b - a for a, b in zip(low, high, strict=True))
        self.set_cell(np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]]))
        self.set_state(positions - low)

    def stress(self) -> np.ndarray:
        """(6,) GPa, tension positive, after the last run."""
        return -_GPA * np.array([self.lmp.get_thermo(f"p{name}") for name in ("xx", "yy", "zz", "yz", "xz", "xy")])

    def energy(self) -> float:
        """eV/atom, after the last run."""
        return float(self.lmp.get_thermo("pe")) / len(self.symbols)

    def atoms(self) -> Atoms:
        """The structure as it is, wrapped into its cell."""
        found = Atoms(self.symbols, positions=self.positions, cell=self.cell, pbc=True)
        found.wrap()  # type: ignore[no-untyped-call]
        return found
