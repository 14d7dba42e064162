"""HDF5 files of MD trajectories, many in one file, with the H5MD layout (https://www.nongnu.org/h5md/).

`/particles/traj_0000` holds positions (unwrapped), velocities, species and the cell of the first trajectory, and
`/observables/traj_0000` its energies and the time integral of its virial, which older files lack. The root attribute
`vitrify` is a JSON text with the metadata.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError, shown
from vitrify.core.files import atomic_path, writing
from vitrify.data.hdf5_guard import checked_dataset, open_hdf5, reading
from vitrify.data.hdf5_writer import new_hdf5

Frames = slice | list[int] | np.ndarray
_OBSERVABLES = ("potential_energy", "kinetic_energy", "temperature")
_VIRIAL = "virial_integral"


@dataclass(frozen=True)
class TrajectoryMeta:
    """The metadata of all trajectories of a file.

    system: name of the system. units: LAMMPS's unit system of all numbers. species: labels in the order of the types.
    masses: one for each species. base_timestep: the step (unit of time) in which frames and strides are counted.
    md_timestep: the step of the integration (unit of time). frame_interval: base steps between frames. recipe: all
    other settings, with the LAMMPS commands. seed: of the first trajectory. versions: of vitrify and LAMMPS.
    """

    system: str
    units: str
    species: tuple[str, ...]
    masses: tuple[float, ...]
    base_timestep: float
    md_timestep: float
    frame_interval: int
    recipe: dict[str, Any]
    seed: int
    versions: dict[str, str]

    def to_json(self) -> str:
        """The text of the attribute `vitrify`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrajectoryMeta:
        """The metadata in the text of the attribute `vitrify`."""
        values = json.loads(text)
        values["species"], values["masses"] = tuple(values["species"]), tuple(values["masses"])
        _check_settings(values)
        return cls(**values)

    def differences(self, other: TrajectoryMeta) -> list[str]:
        """The names of settings, with those in the recipe, that differ; versions of software are not compared."""
        mine, theirs = json.loads(self.to_json()), json.loads(other.to_json())
        names = [f.name for f in fields(self) if f.name not in ("recipe", "versions")]
        found = [name for name in names if mine[name] != theirs[name]]
        a, b = mine["recipe"], theirs["recipe"]
        return found + [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]


@dataclass(frozen=True)
class Trajectory:
    """One trajectory of T frames, in the units of its file.

    positions: (T, N, 3), unwrapped. velocities: (T, N, 3). cell: (3, 3) rows. types: (N,) from 0. times: (T,).
    potential_energy, kinetic_energy: (T,), of the whole cell. temperature: (T,). virial_integral: (T, 6), the integral
    over time of the virial of the cell, from the first frame to each one (energy x time), or None in older files.

    The virial is LAMMPS's: W = sum of r f over all atoms, without kinetic energy, in the order xx, yy, zz, xy, xz, yz.
    It is positive under compression, and W / volume is the potential part of the pressure. The integral is the sum of
    the trapezoidal rule over every MD step, so that differences of it give the mean over any number of frames.
    """

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    times: np.ndarray
    potential_energy: np.ndarray
    kinetic_energy: np.ndarray
    temperature: np.ndarray
    virial_integral: np.ndarray | None = None

    @property
    def total_energy(self) -> np.ndarray:
        """Potential plus kinetic energy (T,)."""
        total: np.ndarray = self.potential_energy + self.kinetic_energy
        return total

    def mean_virial(self, first: int, last: int) -> np.ndarray:
        """The virial (6,) of the cell, averaged over time from frame `first` to frame `last`; unit of energy.

        Raises VitrifyError for a trajectory that lacks the virial.
        """
        if self.virial_integral is None:
            raise VitrifyError(
                "these trajectories lack the virial, as those of older versions do: make their file anew, to another "
                "name, with `vitrify data trajectories` and the same settings"
            )
        change: np.ndarray = self.virial_integral[last] - self.virial_integral[first]
        mean: np.ndarray = change / (self.times[last] - self.times[first])
        return mean


_NUMBERS = {"base_timestep": (int, float), "md_timestep": (int, float), "frame_interval": (int,), "seed": (int,)}


def _check_settings(values: dict[str, Any]) -> None:
    """ValueError for settings of a wrong kind."""
    for name, kinds in _NUMBERS.items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, kinds) or (name != "seed" and not 0 < value < 1e300):
            raise ValueError(f"{name} is {shown(value)}, but must be a positive number")
    if not all(isinstance(name, str) for name in (values["system"], values["units"], *values["species"])):
        raise ValueError(f"the species {shown(values['species'])} are no names")
    if not all(isinstance(mass, int | float) and 0 < mass < 1e300 for mass in values["masses"]):
        raise ValueError(f"the masses {shown(values['masses'])} are no positive numbers")
    if not 0 < len(values["species"]) == len(values["masses"]):
        raise ValueError(f"{len(values['masses'])} masses are given for {len(values['species'])} species")
    if not isinstance(values["recipe"], dict) or not isinstance(values["versions"], dict):
        raise ValueError("the recipe or the versions have no names")


def _check_trajectory(found: Trajectory, n_species: int, where: str) -> None:
    """VitrifyError for arrays that do not belong together."""
    steps, n = len(found.times), len(found.types)
    wanted = {"positions": (steps, n, 3), "velocities": (steps, n, 3), "cell": (3, 3)}
    wanted |= dict.fromkeys(("times", *_OBSERVABLES), (steps,))
    if found.virial_integral is not None:
        wanted[_VIRIAL] = (steps, 6)
    for name, shape in wanted.items():
        values = getattr(found, name)
        if values.shape != shape or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            told = f"the shape {values.shape}, not {shape}" if values.shape != shape else "values that are no numbers"
            raise VitrifyError(f"{where}: {name} has {told}: make the file anew")
    if n and not (found.types.min() >= 0 and found.types.max() < n_species):
        raise VitrifyError(f"{where} has types beyond its {n_species} species: make the file anew")


def _present(observables: h5py.Group) -> tuple[str, ...]:
    """The observables of a trajectory in a file."""
    return (*_OBSERVABLES, _VIRIAL) if _VIRIAL in observables else _OBSERVABLES


class TrajectoryFile:
    """A trajectory file, read only; only `load` reads frames, and only those that it returns.

    Raises VitrifyError for a file that is missing, no HDF5, or no trajectory file of this version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open_hdf5(self.path, "trajectory file", "`vitrify data trajectories` makes one")
        try:
            with reading(self.path):
                self.meta = self._meta()
        except BaseException:
            self._file.close()
            raise

    def _meta(self) -> TrajectoryMeta:
        text = self._file.attrs.get("vitrify")
        if "particles" not in self._file or text is None:
            raise VitrifyError(
                f"{self.path} is HDF5, but not a trajectory file of vitrify (no /particles or no attribute"
                " 'vitrify'): `vitrify data trajectories` makes one"
            )
        try:
            return TrajectoryMeta.from_json(str(text))
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            raise VitrifyError(
                f"{self.path} has settings that this version of vitrify does not know ({error}): make it anew"
            ) from None

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._file["particles"])

    def __len__(self) -> int:
        return len(self._names)

    def frames(self, index: int) -> int:
        """The number of frames of trajectory `index`."""
        with reading(self.path):
            return int(checked_dataset(self.path, self._group(index), "position/value").shape[0])

    def load(self, index: int, frames: Frames = slice(None)) -> Trajectory:
        """Trajectory `index`, or the `frames` of it that a slice or an increasing list selects.

        Raises VitrifyError for an index that the file does not have.
        """
        with reading(self.path):
            particles, observables = self._group(index), self._file["observables"][self._names[index]]

            def values(group: h5py.Group, name: str) -> Any:
                return checked_dataset(self.path, group, name)[frames]

            found = Trajectory(
                positions=values(particles, "position/value"),
                velocities=np.asarray(values(particles, "velocity/value"), np.float64),
                cell=checked_dataset(self.path, particles, "box/edges")[()],
                types=checked_dataset(self.path, particles, "species")[()].astype(np.int64) - 1,
                times=values(particles, "position/time"),
                **{name: values(observables, f"{name}/value") for name in _present(observables)},
            )
            _check_trajectory(found, len(self.meta.species), f"{self.path}, trajectory {self._names[index]}")
        return found

    def _group(self, index: int) -> h5py.Group:
        if not -len(self) <= index < len(self):
            raise VitrifyError(f"{self.path} has {len(self)} trajectories, counted from 0: there is no {index}")
        return self._file["particles"][self._names[index]]

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Trajectory]:
        return (self.load(index) for index in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TrajectoryWriter:
    """Collects finished trajectories in one file.

    Each trajectory is first written to a small file in the folder `<path>.parts`, so that several processes can write
    at once, and a killed run loses only unfinished trajectories. Leaving the context without an exception joins the
    files into `path`. Existing trajectories of an equal recipe are kept; another recipe raises VitrifyError.
    """

    def __init__(self, path: str | Path, meta: TrajectoryMeta) -> None:
        self.path, self.meta = Path(path), meta
        self.parts = self.path.with_name(self.path.name + ".parts")
        for found in [self.path, *sorted(self.parts.glob("traj_*.h5"))]:
            if found.exists():
                self._require_same_recipe(found)

    def _require_same_recipe(self, found: Path) -> None:
        with TrajectoryFile(found) as file:
            different = file.meta.differences(self.meta)
        if different:
            raise VitrifyError(
                f"{found} was made with other settings ({', '.join(different)}):"
                " give the same settings to continue, write to another file, or remove"
                f" {self.path.name} and {self.parts.name}"
            )

    @property
    def finished(self) -> set[int]:
        """Indices of the trajectories on disk."""
        done = {int(part.stem.removeprefix("traj_")) for part in self.parts.glob("traj_*.h5")}
        if self.path.exists():
            with TrajectoryFile(self.path) as file:
                done |= set(range(len(file)))
        return done

    def append(self, trajectory: Trajectory, index: int | None = None) -> None:
        """Stores one finished trajectory, by default as the next one."""
        number = max(self.finished, default=-1) + 1 if index is None else index
        part = self.parts / f"traj_{number:04d}.h5"
        with atomic_path(part) as work, new_hdf5(work) as file:
            _describe(file, self.meta)
            _write(file, part.stem, trajectory, self.meta)

    def close(self) -> None:
        """Joins the finished trajectories into one file, and removes the parts."""
        parts = sorted(self.parts.glob("traj_*.h5"))
        if not parts:
            return
        sources = [self.path] * self.path.exists() + parts
        with atomic_path(self.path) as work, new_hdf5(work) as file:
            _describe(file, self.meta)
            for source in sources:
                with h5py.File(source, "r") as old:
                    for name in old["particles"]:
                        for group in ("particles", "observables"):
                            old.copy(f"{group}/{name}", file.require_group(group), name)
        with writing(self.parts):
            shutil.rmtree(self.parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()


def _describe(file: h5py.File, meta: TrajectoryMeta) -> None:
    """Adds the groups that H5MD 1.1 requires."""
    file.attrs["vitrify"] = meta.to_json()
    h5md = file.create_group("h5md")
    h5md.attrs["version"] = np.array([1, 1])
    h5md.create_group("author").attrs["name"] = "vitrify"
    creator = h5md.create_group("creator")
    creator.attrs["name"], creator.attrs["version"] = "vitrify", vitrify.__version__


def _write(file: h5py.File, name: str, trajectory: Trajectory, meta: TrajectoryMeta) -> None:
    particles = file.create_group(f"particles/{name}")
    observables = file.create_group(f"observables/{name}")
    particles["species"] = trajectory.types.astype(np.int32) + 1
    box = particles.create_group("box")
    box.attrs["dimension"], box.attrs["boundary"] = 3, ["periodic"] * 3
    box["edges"] = np.asarray(trajectory.cell, np.float64)

    steps = np.rint(np.asarray(trajectory.times) / meta.base_timestep).astype(np.int64)
    element = _time_dependent(particles.create_group("position"), steps, trajectory.times)
    element(particles["position"], trajectory.positions)
    element(particles.create_group("velocity"), trajectory.velocities)
    for observable in _OBSERVABLES if trajectory.virial_integral is None else (*_OBSERVABLES, _VIRIAL):
        element(observables.create_group(observable), getattr(trajectory, observable))


def _time_dependent(
    first: h5py.Group, steps: np.ndarray, times: np.ndarray
) -> Callable[[h5py.Group, np.ndarray], None]:
    """A function that writes the values of an element, with links to the steps and times in `first`.

    H5MD recommends hard links for steps and times that elements share.
    """
    first["step"], first["time"] = steps, np.asarray(times, np.float64)

    def element(group: h5py.Group, values: np.ndarray) -> None:
        if group != first:
            group["step"], group["time"] = first["step"], first["time"]
        group["value"] = np.asarray(values, np.float64)

    return element
