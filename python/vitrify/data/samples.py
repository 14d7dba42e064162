"""Whole structures with properties of each, for the training and evaluation of generators."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.validation import check_cell, check_vectors
from vitrify.data.structures import load_structures


@dataclass(frozen=True)
class Sample:
    """A periodic structure: cell (3, 3) rows and positions (N, 3) in A or sigma, types (N,) from 0.

    properties: (P,) in their units, NaN where the file has none. group: identifies the simulation.
    """

    cell: np.ndarray
    positions: np.ndarray
    types: np.ndarray
    properties: np.ndarray
    group: tuple[str, int]

    def __len__(self) -> int:
        return len(self.types)

    @property
    def volume(self) -> float:
        """The volume of the cell, in the unit of length cubed."""
        return abs(float(np.linalg.det(self.cell)))

    @property
    def number_density(self) -> float:
        """Atoms per volume."""
        return len(self.types) / self.volume


Kind = TypeVar("Kind", bound=Sample)


def load_samples(paths: Sequence[str | Path], species: Sequence[str], properties: Sequence[str] = ()) -> list[Sample]:
    """All structures of some files, every frame of each.

    Extended XYZ (.extxyz, .xyz, also with .gz) has properties in the second line, and there the number `sample`, equal
    for frames of one simulation; without it, each frame is a simulation of its own. LAMMPS data and dump files and npz
    have no properties, and all structures of a file are of one simulation.

    Raises:
        VitrifyError: as `load_structures`; an unknown element; a property that no structure of a file has, or that is
            no number.
    """
    found: list[Sample] = []
    for path in map(Path, paths):
        name = path.name.removesuffix(".gz").lower()
        if name.endswith((".extxyz", ".xyz")):
            found += _from_extxyz(path, species, properties)
            continue
        if properties:
            raise VitrifyError(f"{path} cannot say {properties[0]} of its structures: only extended XYZ files can")
        # The frames of a dump are of one simulation.
        for structure in load_structures(path, species):
            nothing = np.empty(0)
            found.append(Sample(structure.cell, structure.positions, structure.types, nothing, (path.name, 0)))
    if not found:
        raise VitrifyError("no files with structures were given: give at least one")
    return found


def _from_extxyz(path: Path, species: Sequence[str], properties: Sequence[str]) -> list[Sample]:
    frames = read_extxyz(path)
    _check_properties(path, [frame.info for frame in frames], properties)
    return [as_sample(frame, path, number, species, properties) for number, frame in enumerate(frames)]


def read_extxyz(path: Path) -> list[Any]:
    """All frames of an extended XYZ file (also .gz) as ASE atoms; VitrifyError if it is damaged, missing or empty."""
    from ase.io import iread

    if not path.is_file():
        raise VitrifyError(f"there is no file {path}: give a file with structures")
    try:
        # ASE seeks back and forth in a file; a compressed one would be decompressed from its start each time.
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        frames: list[Any] = list(iread(io.StringIO(content.decode()), index=":", format="extxyz"))
    # ASE raises many kinds on damaged text
    except Exception as error:
        raise VitrifyError(f"{path} is no extended XYZ file, or a damaged one ({error}): write it again") from None
    if not frames:
        raise VitrifyError(f"{path} holds no structure: give a file with at least one frame")
    return frames


def as_sample(frame: Any, path: Path, number: int, species: Sequence[str], properties: Sequence[str]) -> Sample:
    """ASE atoms, frame `number` (from 0) of a file, as a sample.

    Raises VitrifyError for an unknown species, a property that is no number, and a wrong cell or wrong positions.
    """
    where = f"{path}, frame {number + 1}"
    index = {name: place for place, name in enumerate(species)}
    unknown = sorted(set(frame.get_chemical_symbols()) - set(species))
    if unknown:
        known = ", ".join(species)
        raise VitrifyError(f"{where} holds {unknown[0]}, which is not among the species {known}: add it")
    values = np.array([_number(frame.info.get(name, math.nan), name, where) for name in properties])
    types = np.array([index[symbol] for symbol in frame.get_chemical_symbols()], dtype=np.int64)
    group = (path.name, round(_number(frame.info.get("sample", number), "sample", where)))
    try:
        cell, positions = check_cell(np.asarray(frame.cell)), check_vectors("positions", frame.positions)
    except VitrifyError as error:
        raise VitrifyError(f"{where}: {error}") from None
    return Sample(cell, positions, types, values, group)


def _check_properties(path: Path, infos: Sequence[dict[str, Any]], properties: Sequence[str]) -> None:
    known = sorted({name for info in infos for name in info if name != "sample"})
    for name in properties:
        if name not in known:
            raise VitrifyError(
                f"no structure of {path} has the property {name!r}{did_you_mean(name, known)}: "
                f"it has {', '.join(known) if known else 'none'}"
            )


def as_number(value: Any) -> float | None:
    """A number, which may be NaN; None for infinity and for a value that is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isinf(number) else number


def _number(value: Any, name: str, where: str) -> float:
    number = as_number(value)
    if number is None:
        raise VitrifyError(f"{where}: {name} is {str(value)!r}, but must be a number")
    return number


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The JSON object beside a file of samples (FILE.json), with its recipe and `property_units`; or else {}."""
    path = Path(path)
    for name in (path.with_name(path.name + ".json"), path.with_name(path.name.split(".")[0] + ".json")):
        try:
            record = json.loads(name.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(record, dict):
            return record
    return {}


def split_groups(samples: Sequence[Kind], share: float, seed: int) -> tuple[list[Kind], list[Kind]]:
    """Training and validation samples. About `share` of the groups are held out; each part has one group at least.

    Raises VitrifyError if there is only one group.
    """
    groups = sorted({sample.group for sample in samples})
    if len(groups) < 2:
        raise VitrifyError("all structures are of one simulation, so that none is left to validate on: add others")
    order = np.random.default_rng([seed, 7]).permutation(len(groups))
    held = {groups[int(i)] for i in order[: min(max(1, round(share * len(groups))), len(groups) - 1)]}
    return [s for s in samples if s.group not in held], [s for s in samples if s.group in held]


def evenly_spaced(total: int, wanted: int) -> list[int]:
    """At most `wanted` indices below `total`, at equal distances from 0 on."""
    return list(range(0, total, max(1, total // wanted)))[:wanted]


def masses_of(species: Sequence[str], given: Mapping[str, float] | None) -> list[float]:
    """The given masses of the species, or the masses of the elements (g/mol).

    Raises VitrifyError if no masses are given and a species is no element.
    """
    from ase.data import atomic_masses, atomic_numbers

    found = []
    for name in species:
        if given is None and name not in atomic_numbers:
            raise VitrifyError(f"{name!r} is no element: give data.masses, one for each species")
        found.append(float(atomic_masses[atomic_numbers[name]]) if given is None else given[name])
    return found
