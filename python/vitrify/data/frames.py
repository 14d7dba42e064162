"""Structures with energy, forces and stress, for the training of models of energies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.readers.energies import EnergyNames, number
from vitrify.data.readers.formats import files_of
from vitrify.data.readers.frame import RawFrame, Wanted
from vitrify.data.readers.notes import Notes
from vitrify.data.samples import Sample, as_sample, frames_of, group_names

AT_REST, STRAINED = "minimised", ("compressed", "expanded")
_OWN = ("inherent_energy", "temperature", "segment")


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


def load_frames(
    paths: str | Path | Sequence[str | Path],
    species: Sequence[str],
    forces: bool = True,
    *,
    names: Mapping[str, str] | None = None,
    stress_unit: str | None = None,
    units: str | None = None,
) -> list[Frame]:
    """All frames of files with energies: extended XYZ (.gz too), what ASE reads of electronic structure codes, H5MD.

    Energies and stress (or virial) are values of a frame, forces are columns. Beside ASE's names, REF_energy (MACE),
    dft_energy (GAP) and the like are found; `names` says others. The signs are those of ASE and of QUIP: stress is
    positive under tension, virial = -volume * stress; both are nine numbers, or six in the order xx yy zz yz xz xy.
    A frame may also have inherent_energy (for each atom), temperature and sample (equal for frames of one simulation),
    and the text segment. Only the energy is required, and the forces if `forces` is set.

    Args:
        paths: files, patterns, or folders.
        names: of "energy", "forces", "stress" and "virial" in the files, as in {"energy": "my_energy"}.
        stress_unit: of the stress: "eV/A^3", "GPa", "kbar" or "bar"; default: the energy and length of the file.
        units: "metal" or "lj", that files must have if they say their units.

    Raises:
        VitrifyError: as `vitrify.data.samples.load_samples`; a frame without an energy, or without required forces;
            numbers that are not finite; two values for one quantity that differ.
    """
    found, lookup = [], EnergyNames(names or {}, stress_unit)
    files, notes = files_of(paths), Notes()
    for path, group in zip(files, group_names(files), strict=True):
        lacking: dict[str, list[int]] = {}
        for place, raw in enumerate(frames_of(path, Wanted(tuple(species), None)), 1):
            where = f"{path}, frame {place}"
            notes.add(path, raw, (*lookup.used(raw), *_OWN), columns=True)
            lacks = [name for name in ("energy", *["forces"] * forces) if lookup.find(name, raw, where) is None]
            for name in lacks:
                lacking.setdefault(name, []).append(place)
            if not lacking:
                sample = as_sample(raw, where, (group, place - 1), species, (), units)
                found.append(_frame(sample, raw, where, lookup))
        _refuse_lacking(path, lacking, lookup)
    if not found:
        raise VitrifyError("no files with structures were given: give at least one")
    notes.say()
    return found


def _refuse_lacking(path: Path, lacking: Mapping[str, Sequence[int]], lookup: EnergyNames) -> None:
    """VitrifyError that names the frames without an energy, or without forces."""
    for name, frames in lacking.items():
        which = f"frame {frames[0]} has" if len(frames) == 1 else f"frames {_numbers(frames)} have"
        wanted = lookup.names.get(name, name)
        how = f"{wanted}=... in the second line, as ASE does (eV)"
        if name == "forces":
            how = f"columns {wanted}:R:3, as ASE does (eV/A)"
        raise VitrifyError(
            f"{path}, {which} no {wanted}: write it as {how}, say its name in the file (names: {{{name}: NAME}}), or "
            f"leave {'the frame' if len(frames) == 1 else 'these frames'} out"
        )


def _numbers(frames: Sequence[int], most: int = 5) -> str:
    others = len(frames) - most
    return ", ".join(map(str, frames[:most])) + (f" and {others} others" if others > 0 else "")


def _frame(sample: Sample, raw: RawFrame, where: str, lookup: EnergyNames) -> Frame:
    energy = lookup.find("energy", raw, where)
    forces = lookup.find("forces", raw, where)
    stress = lookup.stress(raw, sample.volume, where)
    assert energy is not None
    vectors = np.full((len(sample), 3), math.nan) if forces is None else np.asarray(forces[1], np.float64)
    if vectors.shape != (len(sample), 3):
        raise VitrifyError(f"{where}: the forces have the shape {vectors.shape}: write three numbers for each atom")
    for name, values in (("energy", energy[1]), ("forces", forces and vectors), ("stress", stress)):
        if values is not None and not np.isfinite(number(values, name, where) if name == "energy" else values).all():
            raise VitrifyError(f"{where}: the {name} are not finite: leave the frame out")
    return Frame(
        sample.cell, sample.positions, sample.types, sample.properties, sample.group,
        energy=number(energy[1], energy[0], where),
        forces=vectors,
        stress=np.full((3, 3), math.nan) if stress is None else stress,
        inherent_energy=number(raw.info.get("inherent_energy", math.nan), "inherent_energy", where),
        temperature=number(raw.info.get("temperature", math.nan), "temperature", where),
        segment=str(raw.info.get("segment", "")),
    )  # fmt: skip
