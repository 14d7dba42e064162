"""Whole structures with properties of each, for the training and evaluation of generators."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.data.readers.checked import check_frame
from vitrify.data.readers.energies import number as number_of
from vitrify.data.readers.formats import files_of
from vitrify.data.readers.frame import RawFrame, Wanted
from vitrify.data.readers.notes import Notes
from vitrify.data.readers.read import read_frames


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


def load_samples(
    paths: str | Path | Sequence[str | Path],
    species: Sequence[str],
    properties: Sequence[str] = (),
    *,
    units: str | None = None,
    atom_style: str | None = None,
) -> list[Sample]:
    """All structures of some files, every frame of each, in any format that `vitrify.data.load_structures` reads.

    Extended XYZ has properties in the second line, and there the number `sample`, equal for frames of one simulation;
    without it, each frame is a simulation of its own. Frames of other formats are of one simulation, and what ASE
    reads and H5MD may have properties, too. paths, units, atom_style: as in `load_structures`.

    Raises:
        VitrifyError: as `load_structures`; an unknown element; a property that no structure of a file has, or that is
            no number.
    """
    found: list[Sample] = []
    files, notes = files_of(paths), Notes()
    for path, name in zip(files, group_names(files), strict=True):
        frames = list(frames_of(path, Wanted(tuple(species), (), atom_style)))
        _check_properties(path, [frame.info for frame in frames], properties)
        for number, frame in enumerate(frames):
            notes.add(path, frame, tuple(properties))
            found.append(as_sample(frame, f"{path}, frame {number + 1}", (name, number), species, properties, units))
    if not found:
        raise VitrifyError("no files with structures were given: give at least one")
    notes.say()
    return found


def frames_of(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """The frames of a file; VitrifyError if it has none."""
    empty = True
    for frame in read_frames(path, wanted):
        empty = False
        yield frame
    if empty:
        raise VitrifyError(f"{path} holds no structure: give a file with at least one frame")


def group_names(files: Sequence[Path]) -> list[str]:
    """Names of files that tell their simulations apart: whole paths where a name repeats."""
    names = [path.name for path in files]
    return [str(path) if names.count(path.name) > 1 else path.name for path in files]


def as_sample(
    frame: RawFrame,
    where: str,
    place: tuple[str, int],
    species: Sequence[str],
    properties: Sequence[str] = (),
    units: str | None = None,
) -> Sample:
    """A frame of a file as a sample. where: for messages. place: the name of the file, and the frame from 0.

    Raises VitrifyError for an unknown species, a property that is no number, and a wrong cell or wrong positions.
    """
    positions, cell, types = check_frame(frame, where, species, units)
    values = np.array([number_of(frame.info.get(name, math.nan), name, where) for name in properties])
    simulation = number_of(frame.info.get("sample", place[1] if frame.independent else 0), "sample", where)
    if not abs(simulation) < 2**53:
        raise VitrifyError(f"{where}: sample is {simulation}, but must be the number of a simulation")
    return Sample(cell, positions, types, values, (place[0], round(simulation)))


def load_atoms(path: Path, species: Sequence[str] = ()) -> list[Any]:
    """All frames of a file as ASE atoms, with what the file says of each structure in `info`.

    species: names of the types of files that have type ids. Raises VitrifyError as `load_samples`, and for species
    that are no elements.
    """
    from ase import Atoms
    from ase.data import atomic_numbers

    found = []
    for number, frame in enumerate(frames_of(path, Wanted(tuple(species))), 1):
        where = f"{path}, frame {number}"
        names = tuple(species)
        if frame.kinds.dtype.kind in "US":
            names = tuple(dict.fromkeys(frame.kinds.astype(str).tolist()))
        positions, cell, types = check_frame(frame, where, names)
        strange = [name for name in names if name not in atomic_numbers]
        if strange:
            raise VitrifyError(f"{where} has atoms of {strange[0]}, which is no element: ASE needs elements")
        symbols = np.array(names)[types]
        info = {"sample": 0, **frame.info} if not frame.independent else dict(frame.info)
        found.append(Atoms(list(symbols), positions=positions, cell=cell, pbc=True, info=info))
    return found


def _check_properties(path: Path, infos: Sequence[Mapping[str, Any]], properties: Sequence[str]) -> None:
    known = sorted({name for info in infos for name in info if name != "sample"})
    for name in properties:
        if not any(infos):
            raise VitrifyError(f"{path} cannot say {name} of its structures: files of its format have no such values")
        if name not in known:
            raise VitrifyError(
                f"no structure of {path} has the property {name!r}{did_you_mean(name, known)}: "
                f"it has {', '.join(known) if known else 'none'}"
            )


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The JSON object beside a file of samples (FILE.json), with its recipe and `property_units`; or else {}."""
    path = Path(path)
    for name in (path.with_name(path.name + ".json"), path.with_name(path.name.split(".")[0] + ".json")):
        try:
            record = json.loads(name.read_text())
        except (OSError, ValueError, RecursionError):
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
