"""Barriers of chosen atoms of a glass: searches as independent tasks, from a structure file to a file of labels."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers

import vitrify
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.files import sha256
from vitrify.core.seeds import check_seed
from vitrify.core.units import get_units
from vitrify.data.label_files import Search
from vitrify.data.structures import load_last_structure
from vitrify.datagen.barriers.artn import ARTnSettings, SearchResult, participation_ratio, search
from vitrify.datagen.barriers.journal import LabelWriter
from vitrify.datagen.barriers.local_sampling import SamplingSettings, sample
from vitrify.datagen.barriers.region import Boxes, Glass, Region, minimise_glass
from vitrify.lammps_library.commands import split_commands
from vitrify.lammps_library.session import lammps_version
from vitrify.tasks.run import run_tasks

METHODS: dict[str, Any] = {"artn": ARTnSettings, "local-sampling": SamplingSettings}
RADIUS = {"metal": 12.0, "lj": 4.8}  # A, sigma: of the region that moves
MOVED = {"metal": 0.1, "lj": 0.04}  # A, sigma: shorter displacements are not stored
Task = tuple[int, int]  # an atom from 0, and the number of its search


@dataclass(frozen=True)
class Campaign:
    """What the result of a search depends on, beside the atom and the number of the search.

    radius: of the region that moves, in the length unit of the glass.
    """

    glass: Glass
    settings: ARTnSettings | SamplingSettings
    radius: float
    seed: int


class Searcher:
    """Performs searches in one process; keeps LAMMPS, and the region of the last atom."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.units = get_units(campaign.glass.units)
        self.masses = np.array(campaign.glass.masses)[campaign.glass.types]
        self.boxes: Boxes | None = None
        self.region: Region | None = None
        self.atom = -1
        self._open()

    def _open(self) -> Boxes:
        if self.boxes is None:
            given = self.campaign
            self.boxes = Boxes(given.glass, given.radius, given.settings.minimum_tolerance)
        return self.boxes

    def __call__(self, task: Task) -> Search:
        """The search `task`, which depends on nothing that this object has done before."""
        atom, number = task
        began = time.perf_counter()
        if self.region is None or self.atom != atom:
            self.region, self.atom = Region(self._open(), atom), atom
        region = self.region
        region.restart()
        rng = np.random.default_rng([self.campaign.seed, atom, number])
        try:
            found = self._search(region, rng)
        except FloatingPointError:
            found = SearchResult("not finite")
        except VitrifyError:  # LAMMPS has lost an atom, or itself
            found, self.boxes, self.region = SearchResult("lost atoms"), None, None
        return record(atom, number, found, region, MOVED[self.units.name], time.perf_counter() - began)

    def _search(self, region: Region, rng: np.random.Generator) -> SearchResult:
        settings = self.campaign.settings
        distances = np.linalg.norm(region.offsets, axis=1)
        if isinstance(settings, SamplingSettings):
            return sample(region, distances, self.masses[region.free], self.units, settings, rng)
        push = rng.normal(size=(len(distances), 3)) * (distances < settings.push_radius)[:, None]
        return search(region, push / np.linalg.norm(push, axis=1).max(), settings, rng)


def record(atom: int, number: int, found: SearchResult, region: Region, moved: float, seconds: float) -> Search:
    """The record of a search, with the displacements of the atoms that moved further than `moved`."""
    nothing = np.zeros((len(region.free), 3))
    saddle = nothing if found.saddle is None else found.saddle
    minimum = nothing if found.minimum is None else found.minimum
    far = (np.linalg.norm(saddle, axis=1) > moved) | (np.linalg.norm(minimum, axis=1) > moved)
    known = found.outcome == "accepted"
    return Search(
        atom=atom, number=number, outcome=found.outcome, barrier=found.barrier, energy_change=found.energy_change,
        curvature=found.curvature,
        saddle_distance=float(np.linalg.norm(saddle)) if found.saddle is not None else np.nan,
        minimum_distance=float(np.linalg.norm(minimum)) if known else np.nan,
        participation_ratio=participation_ratio(minimum) if known else np.nan,
        force_calls=region.calls, seconds=seconds, moved=region.free[far], saddle=saddle[far], minimum=minimum[far],
    )  # fmt: skip


def lost(task: Task, reason: str) -> Search:
    """The record of a search that killed its process again and again."""
    nan, none = np.nan, np.zeros((0, 3))
    return Search(
        atom=task[0], number=task[1], outcome=f"lost ({reason})", barrier=nan, energy_change=nan, curvature=nan,
        saddle_distance=nan, minimum_distance=nan, participation_ratio=nan, force_calls=0, seconds=0.0,
        moved=np.zeros(0, int), saddle=none, minimum=none,
    )  # fmt: skip


def find_barriers(
    structure: str | Path,
    out: str | Path,
    *,
    potential: str,
    ids: str | None = None,
    number: int | None = None,
    searches: int = 20,
    method: str = "artn",
    species: Sequence[str] | None = None,
    units: str = "metal",
    radius: float | None = None,
    minimize: bool = False,
    seed: int = 1,
    workers: int | None = None,
    scheduler: str | None = None,
    atom_style: str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Path:
    """Searches for the barriers around atoms of a structure, and writes them to the label file `out`.

    Args:
        structure: file that `vitrify.data.structures.load_structures` reads; its last frame.
        potential: LAMMPS commands (`vitrify.lammps_library.commands.split_commands`).
        ids, number: the atoms, counted from 1, as in "1:200" or "1,5,9:90:3"; or so many, drawn by the seed.
        searches: of each atom.
        method: "artn" or "local-sampling", with `settings` of ARTnSettings or SamplingSettings.
        species: names in the order of the types; by default those that pair_coeff names.
        radius: atoms as near as this to the chosen one move; by default 12 A, or 4.8 sigma; `inf`: all.
        minimize: minimise the structure first.
        atom_style: of a LAMMPS data file whose section Atoms does not name its own.
        workers, scheduler: as in `vitrify.tasks.run.run_tasks`.

    An interrupted campaign goes on where it stopped. Returns `out`. Raises VitrifyError.

    Most of this function describes its arguments, which is why it is long.
    """
    if method not in METHODS:
        raise VitrifyError(f"method {method!r} is unknown{did_you_mean(method, METHODS)}: use {' or '.join(METHODS)}")
    seed = check_seed(seed)
    if searches < 1:
        raise VitrifyError(f"searches is {searches}, but must be at least 1")
    get_units(units)
    commands = tuple(with_folders(command) for command in split_commands(potential))
    names = tuple(species or species_of(commands))
    glass = read_glass(structure, names, units, commands, atom_style)
    atoms = chosen_atoms(ids, number, len(glass), seed)
    chosen = METHODS[method].for_units(units, **settings)
    if minimize:
        glass = minimise_glass(glass, chosen.minimum_tolerance)
    campaign = Campaign(glass, chosen, RADIUS[units] if radius is None else radius, seed)
    header = {
        **describe(campaign, method), "species": list(names), "source": Path(structure).name,
        "ids": [atom + 1 for atom in atoms], "searches": searches,
        "versions": {"vitrify": vitrify.__version__, "lammps": lammps_version()},
    }  # fmt: skip
    inputs = [structure, *(word for command in commands for word in command.split() if os.path.isfile(word))]
    with LabelWriter(out, header, glass.positions, glass.cell, glass.types, names, inputs) as writer:
        tasks = [(atom, k) for atom in atoms for k in range(searches) if (atom, k) not in writer.finished]
        if tasks:
            # One clear error before any process starts.
            Boxes(glass, campaign.radius, chosen.minimum_tolerance).close()
            run_tasks(
                Searcher, campaign, tasks, record=lambda task, found: writer.append(found), lost=lost,
                workers=workers, scheduler=scheduler, progress=f"{method}: {len(atoms)} atoms" if progress else None,
            )  # fmt: skip
    return Path(out)


def describe(campaign: Campaign, method: str) -> dict[str, Any]:
    """The campaign as a label file records it; one with other values does not go on in that file."""
    glass = campaign.glass
    return {
        "method": method, "settings": asdict(campaign.settings), "radius": str(campaign.radius), "units": glass.units,
        "seed": campaign.seed, "potential": [without_folders(command) for command in glass.commands],
        "potential_files": potential_files(glass.commands),
    }  # fmt: skip


def parse_settings(method: str, texts: Sequence[str]) -> dict[str, Any]:
    """Changed settings of a method from texts such as "push=0.3"."""
    known: dict[str, Any] = {f.name: type(f.default) for f in fields(METHODS.get(method, ARTnSettings))}
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            raise VitrifyError(
                f"{method} has no setting {name!r}{did_you_mean(name, known)}: it has {', '.join(known)}"
            )
        try:
            found[name] = known[name](value)
        except ValueError:
            found[name] = -1
        if found[name] <= 0 and name != "threshold":
            raise VitrifyError(f"{name} is {value!r}: give a positive {known[name].__name__}, as in {name}={1:d}")
    return found


def read_glass(
    path: str | Path, species: Sequence[str], units: str, commands: tuple[str, ...], atom_style: str | None = None
) -> Glass:
    """The last structure of a file, turned into LAMMPS's frame (a lower-triangular cell)."""
    found = load_last_structure(path, species, units=units, atom_style=atom_style)
    positions, cell = found.positions, found.cell
    if not np.allclose(cell, np.tril(cell)) or np.diag(cell).min() <= 0.0:
        from ase.cell import Cell

        turned, turn = Cell(cell).standard_form()  # type: ignore[no-untyped-call]
        positions, cell = positions @ turn.T, np.tril(np.asarray(turned[:]))
    masses = [float(atomic_masses[atomic_numbers[s]]) if s in atomic_numbers else 1.0 for s in species]
    masses = [1.0] * len(species) if units == "lj" else masses
    return Glass(positions, cell, found.types, tuple(masses), units, commands)


def species_of(commands: Sequence[str]) -> list[str]:
    """The elements that end a pair_coeff of all types, as in "pair_coeff * * FILE Cu Zr"."""
    for command in commands:
        arguments = command.split()
        if arguments[:3] == ["pair_coeff", "*", "*"]:
            elements: list[str] = []
            for argument in reversed(arguments[3:]):
                if argument not in atomic_numbers:
                    break
                elements.insert(0, argument)
            if elements and len(set(elements)) == len(elements):
                return elements
    raise VitrifyError(
        "the potential names no elements (pair_coeff * * FILE El1 El2 ...): give --species, in the order of the types"
    )


def potential_files(commands: Sequence[str]) -> dict[str, str]:
    """The sha256 of the files that the commands name, by file name."""
    paths = [Path(argument) for command in commands for argument in command.split()]
    return {path.name: sha256(path) for path in paths if path.is_file()}


def with_folders(command: str) -> str:
    """The command with whole paths of the files that it names: workers may run in another folder."""
    return " ".join(str(Path(w).resolve()) if os.path.isfile(w) else w for w in command.split())


def without_folders(command: str) -> str:
    """The command with file names in place of paths: a campaign may go on in another folder."""
    return " ".join(Path(word).name if os.path.isfile(word) else word for word in command.split())


def chosen_atoms(ids: str | None, number: int | None, count: int, seed: int) -> list[int]:
    """Atoms from 0 by their ids from 1 ("1:200", "1,5,9:90:3", "all"), or `number` of them by the seed; in order."""
    if (ids is None) == (number is None):
        raise VitrifyError("say which atoms: either --ids, as in 1:200 or all, or --number")
    if number is not None:
        if not 1 <= number <= count:
            raise VitrifyError(f"number is {number}, but the structure has {count} atoms: draw 1 to {count}")
        drawn = np.random.default_rng(seed).choice(count, number, replace=False)
        return sorted(int(atom) for atom in drawn)
    assert ids is not None
    if ids.strip() == "all":
        return list(range(count))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", ids.strip()):
        if not re.fullmatch(r"\d+(:\d+(:\d+)?)?", part):
            raise VitrifyError(f"ids {ids!r} hold {part!r}: give ids and ranges from 1, as in 1:200, 1,5,9 or 1:99:2")
        numbers = [int(number) for number in part.split(":")]
        first, last, step = numbers[0], numbers[min(1, len(numbers) - 1)], numbers[2] if len(numbers) == 3 else 1
        if first < 1 or last > count or first > last or step < 1:
            raise VitrifyError(f"ids {part} select no atom, or one that is not there: the structure has 1 to {count}")
        found.update(range(first - 1, last, step))
    return sorted(found)
