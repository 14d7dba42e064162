"""Energy, forces and stress of a frame under the names and in the conventions that programs give them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean, shown
from vitrify.data.readers.frame import RawFrame

# In the order in which they are looked for, in small letters. ASE: energy, forces, stress; MACE: REF_...; GAP: dft_...;
# KLIFF: Energy, force; QUIP, GPUMD and DeePMD: virial.
_PREFIXES = ("", "ref_", "dft_", "qm_")
_WORDS = {
    "energy": ("energy",),
    "forces": ("forces", "force"),
    "stress": ("stress",),
    "virial": ("virial", "virials"),
}
_LAST = {"energy": ("free_energy", "potential_energy"), "forces": (), "stress": (), "virial": ()}
GPA = 160.21766208  # in a unit of eV/A^3
UNITS_OF_STRESS = {"eV/A^3": 1.0, "GPa": 1 / GPA, "kbar": 0.1 / GPA, "bar": 1e-4 / GPA}
_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_AGREE, _SYMMETRIC = 0.01, 0.01  # shares


@dataclass(frozen=True)
class EnergyNames:
    """Names of energies, forces, stress and virial in files, and the unit of the stress.

    names: those that are not the usual ones (energy, REF_energy, dft_energy and the like). unit: of the stress, where
    it is not the energy per volume of the other numbers.

    Raises VitrifyError for other quantities and other units.
    """

    names: Mapping[str, str]
    unit: str | None = None

    def __post_init__(self) -> None:
        for quantity in self.names:
            if quantity not in _WORDS:
                raise VitrifyError(
                    f"names has {quantity!r}{did_you_mean(quantity, _WORDS)}: give names of {', '.join(_WORDS)}"
                )
        if self.unit is not None and self.unit not in UNITS_OF_STRESS:
            raise VitrifyError(f"stress_unit is {self.unit!r}: use one of {', '.join(UNITS_OF_STRESS)}")

    def find(self, quantity: str, frame: RawFrame, where: str) -> tuple[str, Any] | None:
        """The name and the value of a quantity in a frame, or None.

        Raises VitrifyError if two names hold different values.
        """
        # A column "energy" is of each atom: forces alone are looked for among the columns first.
        of_atoms = quantity == "forces"
        first, second = (frame.info, frame.columns) if of_atoms else (frame.columns, frame.info)
        there: Mapping[str, Any] = {**first, **second}
        if quantity in self.names:
            name = self.names[quantity]
            return (name, there[name]) if name in there else None
        places = (there,) if of_atoms else (frame.info, frame.columns)
        found = next(filter(None, (self._usual(quantity, place) for place in places)), [])
        for other in found[1:]:
            if not _equal(there[found[0]], there[other]):
                raise VitrifyError(
                    f"{where} has both {found[0]} and {other}, which differ: say which is meant (names: "
                    f"{{{quantity}: {other}}})"
                )
        return (found[0], there[found[0]]) if found else None

    @staticmethod
    def _usual(quantity: str, there: Mapping[str, Any]) -> list[str]:
        """The usual names of a quantity among names, the most usual first."""
        by_name = {name.lower(): name for name in there}
        usual = [prefix + word for prefix in _PREFIXES for word in _WORDS[quantity]]
        found = [by_name[name] for name in usual if name in by_name]
        return found or [by_name[name] for name in _LAST[quantity] if name in by_name][:1]

    def used(self, frame: RawFrame) -> tuple[str, ...]:
        """Names in a frame that hold one of the quantities."""
        words = {prefix + word for prefix in _PREFIXES for each in _WORDS.values() for word in each}
        words |= {name for names in _LAST.values() for name in names}
        every = [*frame.info, *frame.columns]
        return tuple(name for name in every if name.lower() in words or name in self.names.values())

    def stress(self, frame: RawFrame, volume: float, where: str) -> np.ndarray | None:
        """The stress (3, 3), positive under tension, from a stress or from a virial, -volume * stress; or None."""
        stress, virial = self.find("stress", frame, where), self.find("virial", frame, where)
        tensors = []
        if stress is not None:
            tensors.append(_tensor(*stress, where) * UNITS_OF_STRESS[self.unit or "eV/A^3"])
        if virial is not None:
            tensors.append(-_tensor(*virial, where) / volume)
        if len(tensors) == 2:
            assert stress is not None and virial is not None
            _check_same(stress[0], virial[0], tensors, where)
        return tensors[0] if tensors else None


def number(value: Any, name: str, where: str) -> float:
    """A number, which may be NaN; VitrifyError for infinity and for a value that is no number."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.inf
    if math.isinf(found):
        raise VitrifyError(f"{where}: {name} is {shown(str(value))}, but must be a number")
    return found


def _equal(one: Any, other: Any) -> bool:
    try:
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-8, equal_nan=True))
    except (TypeError, ValueError):
        return False


def _tensor(name: str, value: Any, where: str) -> np.ndarray:
    """A symmetric tensor (3, 3) from nine numbers, or from six in Voigt's order xx, yy, zz, yz, xz, xy."""
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.size not in (6, 9):
        raise VitrifyError(f"{where}: {name} is {shown(str(value))}, but must be six or nine numbers")
    if not np.isfinite(found).all():
        raise VitrifyError(f"{where}: the {name} are not finite: leave the frame out")
    matrix: np.ndarray = found.ravel()[_VOIGT] if found.size == 6 else found.reshape(3, 3)
    if np.abs(matrix - matrix.T).max() > _SYMMETRIC * np.abs(matrix).max():
        raise VitrifyError(f"{where}: {name} is not symmetric: write nine numbers xx xy xz yx yy yz zx zy zz")
    return matrix


def _check_same(stress: str, virial: str, tensors: list[np.ndarray], where: str) -> None:
    """VitrifyError unless a stress and a virial agree; the message says how they differ."""
    one, other = tensors
    scale = max(np.abs(one).max(), np.abs(other).max())
    if np.abs(one - other).max() <= _AGREE * scale:
        return
    factor = float(np.sum(one * other) / max(np.sum(other * other), 1e-300))
    told = "they have opposite signs" if abs(factor + 1) < 0.05 else f"their factor is {factor:.4g}"
    raise VitrifyError(
        f"{where}: {stress} and {virial} do not belong together, as stress = -virial / volume ({told}): leave one of "
        "them out, or give stress_unit"
    )
