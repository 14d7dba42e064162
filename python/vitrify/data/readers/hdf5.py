"""HDF5 files: label files and trajectories of vitrify, and H5MD files of other programs (https://www.nongnu.org/h5md/)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.hdf5_guard import checked_dataset, reading
from vitrify.data.readers.frame import RawFrame, Wanted

_ENERGIES = ("potential_energy", "kinetic_energy", "temperature")
_LENGTHS = {**dict.fromkeys(("A", "Å", "Angstrom", "angstrom", "Ang", "ang"), 1.0), "nm": 10.0, "pm": 0.01}
# The units in which values are taken as they stand; those in others are left out.
_UNITS = {
    "force": ("eV/A", "eV/Å", "eV/Angstrom", "eV/angstrom", "eV A-1", "eV Angstrom-1", "eV angstrom-1"),
    "potential_energy": ("eV",), "kinetic_energy": ("eV",), "temperature": ("K",),
}  # fmt: skip


def read_hdf5(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """The structure of a label file, or every frame of every group of particles of an H5MD file."""
    with reading(path), h5py.File(path, "r") as file:
        if "labels" in file and "structure" in file:
            yield _labelled(path, wanted)
        elif isinstance(file.get("particles"), h5py.Group):
            for number, name in enumerate(sorted(file["particles"])):
                yield from _particles(path, file, name, number, wanted)
        else:
            found = ", ".join(list(file)[:6]) or "nothing"
            raise VitrifyError(
                f"{path} is HDF5 with {found}, and neither a label file (vitrify artn) nor H5MD (/particles): give "
                "another file"
            )


def _labelled(path: Path, wanted: Wanted) -> RawFrame:
    """A label file; atoms without a search have no label."""
    from vitrify.data.label_files import LabelFile

    with LabelFile(path) as file:
        structure, known, values = file.structure, file.label_names, file.labels()
        units = file.header.get("units")
    names = wanted.chosen(known)
    return RawFrame(
        positions=structure.positions,
        cell=structure.cell,
        kinds=np.array(structure.species)[structure.types],
        columns={name: values[name] for name in names},
        known=known,
        partial=True,
        units=units if isinstance(units, str) else None,
    )


def _particles(path: Path, file: Any, name: str, number: int, wanted: Wanted) -> Iterator[RawFrame]:
    """Every frame of a group of particles, which is the simulation `number` of the file; lengths in nm and pm in A."""
    group = file["particles"][name]
    if "position" not in group or "box" not in group:
        raise VitrifyError(f"{path}: /particles/{name} has no position or no box: give an H5MD file with both")
    positions = checked_dataset(path, group["position"], "value")
    if positions.ndim != 3 or positions.shape[2] != 3:
        raise VitrifyError(f"{path}: {positions.name} has the shape {positions.shape}: wanted frames, atoms, 3")
    box, steps = group["box"], _steps(path, group["position"], len(positions))
    edges, kinds = _element(path, box, "edges", steps), _element(path, group, "species", steps)
    length = _length(path, positions)
    box_length = _length(path, edges.values) or length
    own = _own_meta(file)
    values, unused = _results(path, file, name, steps)
    force = values.pop("force", None)
    known = () if force is None else ("force",)
    chosen = wanted.chosen(known)
    names = _names_of(group, own)
    for frame in range(len(positions)):
        cell = np.asarray(edges(frame), np.float64) * (box_length or 1.0)
        yield RawFrame(
            positions=np.asarray(positions[frame], np.float64) * (length or 1.0),
            cell=np.diag(cell) if cell.shape == (3,) else cell,
            kinds=_species(path, kinds(frame), names),
            columns={"force": np.asarray(force(frame))} if force is not None and chosen else {},
            known=known,
            info={"sample": number, **{key: value(frame) for key, value in values.items()}},
            pbc=_boundary(box),
            units=own.units if own else ("metal" if length else None),
            unused=(*unused, *(f"the element {name}" for name in known if name not in chosen)),
        )


@dataclass(frozen=True)
class _Element:
    """A fixed element, or a time-dependent one, whose row `rows[frame]` belongs to a frame."""

    values: Any
    rows: np.ndarray | None = None

    def __call__(self, frame: int) -> Any:
        return self.values[()] if self.rows is None else self.values[int(self.rows[frame])]


def _element(path: Path, group: Any, name: str, steps: np.ndarray) -> _Element:
    """An element at each of the steps of the positions; VitrifyError if it is not there at one of them."""
    held = group.get(name)
    if isinstance(held, h5py.Dataset):
        return _Element(checked_dataset(path, group, name))
    if held is None:
        raise VitrifyError(f"{path} has no {group.name}/{name}: give an H5MD file with species and box")
    values = checked_dataset(path, held, "value")
    count = len(values) if values.ndim else 0
    found = _steps(path, held, count)
    frames = len(steps)
    if np.array_equal(found, steps):
        return _Element(values, np.arange(frames))
    place = {step: row for row, step in enumerate(found.tolist())}
    missing = [step for step in steps.tolist() if step not in place]
    if missing or len(place) < count:
        raise VitrifyError(
            f"{path}: {held.name} has {count} steps, and the positions have {frames}, of which step "
            f"{missing[0] if missing else steps[0]} is not there once: write both at the same steps"
        )
    return _Element(values, np.array([place[step] for step in steps.tolist()]))


def _steps(path: Path, held: Any, count: int) -> np.ndarray:
    """The step (frames,) of each frame of an element; the number of the frame where the file has no steps."""
    step = held.get("step")
    if step is None:
        return np.arange(count)
    found = np.asarray(checked_dataset(path, held, "step")[()])
    if found.ndim == 0:
        offset = int(step.attrs.get("offset", 0))
        return offset + int(found) * np.arange(count)
    if found.shape != (count,):
        raise VitrifyError(f"{path}: {held.name} has {count} values and {found.size} steps: write it again")
    return found


def _unit(values: Any) -> str | None:
    unit = values.attrs.get("unit")
    return unit.decode() if isinstance(unit, bytes) else None if unit is None else str(unit)


def _length(path: Path, values: Any) -> float | None:
    """The length in A of the unit of a dataset; None if it has none. VitrifyError for a unit that is not known."""
    unit = _unit(values)
    if unit is None:
        return None
    if unit not in _LENGTHS:
        raise VitrifyError(f"{path}: {values.name} has the unit {unit!r}: write lengths in A, nm or pm")
    return _LENGTHS[unit]


def _results(path: Path, file: Any, name: str, steps: np.ndarray) -> tuple[dict[str, _Element], tuple[str, ...]]:
    """Forces and observables that are there for each frame and in usual units, and the names of everything else."""
    group, observables = file["particles"][name], file.get(f"observables/{name}") or {}
    found, left = {}, []
    for place, key, word in [
        *((group, key, "element") for key in group if key not in ("position", "box", "species")),
        *((observables, key, "observable") for key in observables),
    ]:
        if key != "force" and not (word == "observable" and key in _ENERGIES):
            left.append("velocities" if key == "velocity" else f"the {word} {key}")
            continue
        element = _element(path, place, key, steps)
        unit = _unit(element.values)
        if element.rows is None or (unit is not None and unit not in _UNITS[key]):
            left.append(f"the {word} {key}" + (f" (in {unit})" if unit else " (not of each frame)"))
        else:
            found[key] = element
    return found, tuple(left)


def _own_meta(file: Any) -> Any:
    """The metadata of vitrify's own files; None for files of other programs."""
    from vitrify.data.trajectories import TrajectoryMeta

    text = file.attrs.get("vitrify")
    return None if text is None else TrajectoryMeta.from_json(str(text))


def _names_of(group: Any, own: Any) -> dict[int, str]:
    """Names of the numbers of species: of an enumeration, or in the metadata of vitrify's own files; else none."""
    held = group["species"] if isinstance(group["species"], h5py.Dataset) else group["species"]["value"]
    named = h5py.check_enum_dtype(held.dtype)
    if named:
        return {int(number): str(name) for name, number in named.items()}
    return dict(enumerate(own.species, 1)) if own else {}


def _species(path: Path, kinds: Any, names: dict[int, str]) -> np.ndarray:
    values = np.asarray(kinds)
    if values.dtype.kind in "SO":
        return np.array([part.decode() if isinstance(part, bytes) else str(part) for part in values.ravel().tolist()])
    if not names:
        return values
    present, place = np.unique(values, return_inverse=True)
    unknown = [int(number) for number in present if int(number) not in names]
    if unknown:
        raise VitrifyError(f"{path} has atoms of the species {unknown[0]}, but names only {names}: make it anew")
    found: np.ndarray = np.array([names[int(number)] for number in present])[place.reshape(values.shape)]
    return found


def _boundary(box: Any) -> tuple[bool, bool, bool]:
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in np.atleast_1d(box.attrs["boundary"])]
    found = [word == "periodic" for word in words]
    found = found * 3 if len(found) == 1 else found
    if len(found) != 3:
        raise VitrifyError(f"the box has the boundaries {', '.join(words)}: wanted three of them")
    return found[0], found[1], found[2]
