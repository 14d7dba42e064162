"""HDF5 files: label files and trajectories of vitrify, and H5MD files of other programs (https://www.nongnu.org/h5md/)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.hdf5_guard import checked_dataset, reading
from vitrify.data.readers.frame import RawFrame, Wanted

_ENERGIES = ("potential_energy", "kinetic_energy", "temperature")


def read_hdf5(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """The structure of a label file, or every frame of every group of particles of an H5MD file."""
    with reading(path), h5py.File(path, "r") as file:
        if "labels" in file and "structure" in file:
            yield _labelled(path, wanted)
        elif isinstance(file.get("particles"), h5py.Group):
            for number, name in enumerate(sorted(file["particles"])):
                yield from _particles(path, file, name, number)
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
    names = wanted.chosen(known)
    return RawFrame(
        positions=structure.positions,
        cell=structure.cell,
        kinds=np.array(structure.species)[structure.types],
        columns={name: values[name] for name in names},
        known=known,
        partial=True,
    )


def _particles(path: Path, file: Any, name: str, number: int) -> Iterator[RawFrame]:
    """Every frame of a group of particles, which is the simulation `number` of the file."""
    group = file["particles"][name]
    if "position" not in group or "box" not in group:
        raise VitrifyError(f"{path}: /particles/{name} has no position or no box: give an H5MD file with both")
    positions = checked_dataset(path, group["position"], "value")
    if positions.ndim != 3 or positions.shape[2] != 3:
        raise VitrifyError(f"{path}: {positions.name} has the shape {positions.shape}: wanted frames, atoms, 3")
    box = group["box"]
    edges = _element(path, box, "edges")
    kinds = _element(path, group, "species")
    names = _names_of(file, group)
    observables = _observables(path, file, name, len(positions))
    for frame in range(len(positions)):
        cell = np.asarray(edges(frame), np.float64)
        yield RawFrame(
            positions=np.asarray(positions[frame], np.float64),
            cell=np.diag(cell) if cell.shape == (3,) else cell,
            kinds=_species(path, kinds(frame), names),
            info={"sample": number, **{key: values[frame] for key, values in observables.items()}},
            pbc=_boundary(box),
            unused=("velocities",) if "velocity" in group else (),
        )


def _element(path: Path, group: Any, name: str) -> Any:
    """A function of the frame that gives a fixed or a time-dependent element."""
    if isinstance(group.get(name), h5py.Dataset):
        fixed = checked_dataset(path, group, name)[()]
        return lambda frame: fixed
    if name not in group:
        raise VitrifyError(f"{path} has no {group.name}/{name}: give an H5MD file with species and box")
    values = checked_dataset(path, group[name], "value")
    return lambda frame: values[frame]


def _names_of(file: Any, group: Any) -> dict[int, str]:
    """Names of the numbers of species: of an enumeration, or in the metadata of vitrify's own files; else none."""
    from vitrify.data.trajectories import TrajectoryMeta

    held = group["species"] if isinstance(group["species"], h5py.Dataset) else group["species"]["value"]
    named = h5py.check_enum_dtype(held.dtype)
    if named:
        return {int(number): str(name) for name, number in named.items()}
    text = file.attrs.get("vitrify")
    return dict(enumerate(TrajectoryMeta.from_json(str(text)).species, 1)) if text is not None else {}


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


def _observables(path: Path, file: Any, name: str, frames: int) -> dict[str, Any]:
    group = file.get(f"observables/{name}") or {}
    found = {key: checked_dataset(path, group[key], "value")[()] for key in _ENERGIES if key in group}
    return {key: values for key, values in found.items() if len(values) == frames}


def _boundary(box: Any) -> tuple[bool, bool, bool]:
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in np.atleast_1d(box.attrs["boundary"])]
    found = [word == "periodic" for word in words]
    found = found * 3 if len(found) == 1 else found
    if len(found) != 3:
        raise VitrifyError(f"the box has the boundaries {', '.join(words)}: wanted three of them")
    return found[0], found[1], found[2]
