"""Structures with energy, forces and stress, for the training of models of energies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.samples import Sample, as_number, as_sample, read_extxyz

AT_REST, STRAINED = "minimised", ("compressed", "expanded")


@dataclass(frozen=True)
class Frame(Sample):
    """A periodic structure with the energy, forces and stress of a potential; missing numbers are NaN.

    energy: of the whole cell. forces: (N, 3), energy / length. stress: (3, 3), energy / length^3, positive under
    tension (ASE's sign). inherent_energy: for each atom, at the minimum in the same cell. temperature: of the
    simulation. segment: name of the part of the simulation, or "". Units of the file: in metal units eV, A and K.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray
    inherent_energy: float
    temperature: float
    segment: str

    @property
    def energy_per_atom(self) -> float:
        """The energy divided by the number of atoms."""
        return self.energy / len(self)

    @property
    def thermal(self) -> bool:
        """Whether the structure is a snapshot of a simulation, neither minimised nor strained."""
        return self.segment != AT_REST and self.segment not in STRAINED


def load_frames(paths: Sequence[str | Path], species: Sequence[str], forces: bool = True) -> list[Frame]:
    """All frames of extended XYZ files (.gz too) in ASE's conventions.

    ASE reads energy (or free_energy) and stress from the second line, and forces from columns. The second line may also
    have the numbers inherent_energy (for each atom), temperature and sample (equal for frames of one simulation), and
    the text segment. Only the energy is required, and the forces if `forces` is set.

    Raises:
        VitrifyError: as `vitrify.data.samples.load_samples`; a frame without an energy, or without required forces;
            numbers that are not finite.
    """
    found = []
    for path in map(Path, paths):
        for number, atoms in enumerate(read_extxyz(path), 1):
            where = f"{path}, frame {number}"
            sample = as_sample(atoms, path, number - 1, species, ())
            found.append(_frame(sample, atoms, where, forces))
    if not found:
        raise VitrifyError("no files with structures were given: give at least one")
    return found


def _frame(sample: Sample, atoms: Any, where: str, forces: bool) -> Frame:
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    energy = _scalar(results.get("energy", results.get("free_energy", math.nan)), "energy", where)
    if math.isnan(energy):
        raise VitrifyError(f"{where} has no energy: write it as energy=... in the second line, as ASE does (eV)")
    if forces and "forces" not in results:
        raise VitrifyError(f"{where} has no forces: write them as columns forces:R:3, as ASE does (eV/A)")
    vectors = np.asarray(results.get("forces", np.full((len(sample), 3), math.nan)), float)
    stress = np.asarray(results.get("stress", np.full(6, math.nan)), float)
    for name, values in (("forces", vectors), ("stress", stress)):
        if name in results and not np.isfinite(values).all():
            raise VitrifyError(f"{where}: the {name} are not finite: leave the frame out")
    return Frame(
        sample.cell, sample.positions, sample.types, sample.properties, sample.group,
        energy=energy,
        forces=vectors,
        stress=stress if stress.shape == (3, 3) else _matrix(stress),
        inherent_energy=_scalar(atoms.info.get("inherent_energy", math.nan), "inherent_energy", where),
        temperature=_scalar(atoms.info.get("temperature", math.nan), "temperature", where),
        segment=str(atoms.info.get("segment", "")),
    )  # fmt: skip


def _matrix(voigt: np.ndarray) -> np.ndarray:
    """A tensor (6,) in Voigt's order xx, yy, zz, yz, xz, xy as a matrix (3, 3)."""
    matrix: np.ndarray = voigt[np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])]
    return matrix


def _scalar(value: Any, name: str, where: str) -> float:
    number = as_number(value)
    if number is None:
        raise VitrifyError(f"{where}: {name} is {value!s:.40}, but must be a number")
    return number
