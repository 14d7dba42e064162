"""The structures that an evaluation of a generator compares: made, or read from an interrupted evaluation."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write

from vitrify.amshortcut.evaluate.baselines import Made, md_from_random, steps_for
from vitrify.amshortcut.evaluate.settings import Settings
from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.files import atomic_path, writing
from vitrify.core.progress import counted
from vitrify.core.seeds import later_seed
from vitrify.generation.relaxation import correct

Generate = Callable[..., Atoms]
"""generate(like, steps=, seed=, target=, free=) -> one structure of as many atoms as `like`: in its cell and of its
composition, unless `free`: then of a density and a composition that go with the target."""


@dataclass(frozen=True)
class Run:
    """Structures that a method made.

    steps: sampling steps of the generator, or of the one that the method is compared with. cpu_seconds: for each
    structure. md_steps: of MD from a random start, or of the corrector. refused: the number of structures that are
    missing because they failed the checks of the generator or the corrector.
    """

    method: str
    steps: int
    samples: list[Atoms]
    cpu_seconds: float
    md_steps: int | None = None
    refused: int = 0


def open_generator(path: Path, metadata: AMShortcutMetadata, engine: str, churn: float) -> Generate:
    """The generator of a model file, loaded once."""
    from vitrify.amshortcut.generate import make_sampler

    opened = make_sampler(path, metadata, engine, "cpu")
    fixed = metadata.process == "flow"  # others choose their elements

    def generate(
        like: Atoms, *, steps: int, seed: int, target: Mapping[str, float] | None, free: bool = False
    ) -> Atoms:
        cell = None if free else like.cell[:]
        composition = counts_of(like) if fixed and not free else None
        plan = opened.plan(len(like), None, cell, composition, target or {}, steps, churn)
        positions, types = opened.make(plan, seed)
        return Atoms([metadata.species[t] for t in types], positions=positions, cell=plan.cell, pbc=True)

    return generate


def counts_of(atoms: Atoms) -> dict[str, int]:
    """Atoms of each element, in the order in which they first occur."""
    found: dict[str, int] = {}
    for symbol in atoms.symbols:
        found[symbol] = found.get(symbol, 0) + 1
    return found


_RECORDED = ("method", "steps", "cpu_seconds", "md_steps", "refused")
_PROBE = 100  # MD steps whose time is taken


class Store:
    """Keeps runs in a folder, as extended XYZ that other programs open, so that an interrupted evaluation goes on.

    identity: everything that the runs depend on beside their names; runs of another identity are made anew.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()

    def get(self, name: str, make: Callable[[], Run]) -> Run:
        """The run called `name`, from its file or made by `make`."""
        path, record = self.folder / f"{name}.extxyz", self.folder / f"{name}.json"
        try:
            known = json.loads(record.read_text())
        except (OSError, ValueError):
            known = {}
        if known.get("identity") == self.identity and path.is_file():
            samples = list(read(path, index=":", format="extxyz"))
            return Run(samples=samples, **{key: known[key] for key in _RECORDED})
        run = make()
        with writing(record):
            record.unlink(missing_ok=True)
        with atomic_path(path) as work:
            write(work, run.samples, format="extxyz")
        with atomic_path(record) as work:
            values = {key: getattr(run, key) for key in _RECORDED}
            work.write_text(json.dumps({**values, "identity": self.identity}) + "\n")
        return run


class Runs:
    """All runs of an evaluation. like: the reference samples whose cells and counts are taken, one for each sample."""

    def __init__(
        self, generate: Generate, like: Sequence[Atoms], species: Sequence[str], settings: Settings,
        store: Store, progress: bool,
    ) -> None:  # fmt: skip
        self.generate, self.like, self.species, self.settings = generate, list(like), tuple(species), settings
        self.store, self.progress = store, progress
        self._speed: tuple[float, float] | None = None

    def all(self) -> list[Run]:
        """For each number of steps: generated, corrected, and MD at the CPU time of either."""
        found: dict[str, Run] = {}
        for steps in self.settings.sampling_steps:
            rows = [self.store.get(f"generated-{steps}", lambda n=steps: self.generated(n))]  # type: ignore[misc]
            if self.settings.potential:
                made = rows[0]
                rows.append(self.store.get(f"corrected-{steps}", lambda r=made: self.corrected(r)))  # type: ignore[misc]
            for run in rows:
                found[f"{run.method}-{steps}"] = run
            if self.settings.potential and self.settings.temperature:
                for run in rows:
                    name = f"md-{run.method}-{steps}"
                    found[name] = self.store.get(name, lambda r=run: self.plain_md(r))  # type: ignore[misc]
        return list(found.values())

    def generated(self, steps: int) -> Run:
        """Structures as the generator makes them."""
        seed = self.settings.seed
        samples, cpu = self._each(
            self.like,
            f"{steps} steps",
            lambda number, like: self.generate(
                like, steps=steps, seed=later_seed(seed, number), target=dict(self.settings.condition)
            ),
        )
        return Run("generated", steps, samples, cpu, refused=len(self.like) - len(samples))

    def corrected(self, run: Run) -> Run:
        """The structures of a run after relaxation by the corrector; cpu_seconds: of both."""
        s = self.settings
        steps = s.corrector_steps if s.temperature else 0

        def relaxed(number: int, atoms: Atoms) -> Atoms:
            return correct(
                atoms, s.potential, species=self.species, temperature=s.temperature,
                final_temperature=s.final_temperature, steps=steps, timestep=s.timestep,
                iterations=s.corrector_iterations, seed=later_seed(s.seed, number),
            )  # fmt: skip

        samples, cpu = self._each(run.samples, f"{run.steps} steps, corrector", relaxed)
        refused = run.refused + len(run.samples) - len(samples)
        return Run("corrected", run.steps, samples, run.cpu_seconds + cpu, steps, refused)

    def _each(self, items: Sequence[Atoms], what: str, one: Callable[[int, Atoms], Atoms]) -> tuple[list[Atoms], float]:
        """The results of `one` for each item, without those that it refuses, and the CPU seconds of an item."""
        samples, why = [], ""
        with suppress(VitrifyError):
            one(0, items[0])  # loads networks and libraries before the clock runs
        start = time.process_time()
        for number, atoms in enumerate(counted(items, what, "sample", self.progress)):
            try:
                samples.append(one(number, atoms))
            except VitrifyError as error:
                why = str(error)
        cpu = (time.process_time() - start) / len(items)
        if len(samples) < 2:
            raise VitrifyError(f"{what}: of {len(items)} structures {len(samples)} came out; the last reason: {why}")
        if len(samples) < len(items):
            warnings.warn(
                f"{what}: {len(items) - len(samples)} of {len(items)} structures were refused and are missing; the "
                f"last: {why}",
                VitrifyWarning,
                stacklevel=3,
            )
        return samples, cpu

    def plain_md(self, run: Run) -> Run:
        """MD from a random start with as many steps as fit the CPU time of `run`."""
        at_rest, at = self._md_speed()
        steps = steps_for(run.cpu_seconds, at_rest, at, _PROBE)
        made = self._md(self.like, steps, self.progress)
        return Run(f"md-{run.method}", run.steps, made.samples, made.cpu_seconds, steps)

    def _md(self, like: Sequence[Atoms], steps: int, progress: bool) -> Made:
        s = self.settings
        if not s.temperature:
            raise VitrifyError("MD from a random start needs a temperature: give --temperature")
        cells, counts = [atoms.cell[:] for atoms in like], [counts_of(atoms) for atoms in like]
        return md_from_random(
            cells, counts, self.species, s.potential, s.temperature, steps, s.timestep, s.seed,
            final_temperature=s.final_temperature, progress=progress,
        )  # fmt: skip

    def _md_speed(self) -> tuple[float, float]:
        """CPU seconds of a sample without MD steps and with _PROBE of them."""
        if self._speed is None:
            few = self.like[: min(5, len(self.like))]
            self._md(few[:1], 1, False)
            self._speed = self._md(few, 0, False).cpu_seconds, self._md(few, _PROBE, False).cpu_seconds
        return self._speed


def pick(reference: Sequence[Atoms], count: int, seed: int) -> list[Atoms]:
    """`count` reference samples in a random order, again from the start where there are fewer."""
    order = np.random.default_rng(seed).permutation(len(reference))
    return [reference[int(order[number % len(order)])] for number in range(count)]
