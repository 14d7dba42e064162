"""Ensembles of independent samples with properties: a campaign of simulations, from a recipe to a structure file.

The journal `FILE.part` is JSON lines: the settings, then a line for each finished sample, which is on disk before the
next one is recorded. It holds the sample's frames as they will stand in the file, in extended XYZ.
"""

from __future__ import annotations

import gzip
import io
import json
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, Self

import ase.io
import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError, VitrifyWarning, did_you_mean
from vitrify.core.files import append, atomic_path, own_content, require_file, writing
from vitrify.core.locks import claim_file
from vitrify.core.seeds import check_seed
from vitrify.datagen.structures import recipes
from vitrify.datagen.structures.recipes import Recipe
from vitrify.datagen.structures.stepwise_quench import QUENCHES
from vitrify.lammps_library.session import lammps_version
from vitrify.tasks.run import run_tasks

RECIPES: dict[str, type[Recipe]] = {**recipes.RECIPES, **QUENCHES}
_SUFFIXES = (".extxyz", ".extxyz.gz")
_SAME = ("system", "settings", "seed", "commands")  # what must not differ where a campaign goes on


@dataclass(frozen=True)
class Sample:
    """A finished sample: its frames as text (extended XYZ), or why there are none.

    cpu_seconds: process time of the simulation; property_seconds: of the properties.
    """

    index: int
    text: str
    cpu_seconds: float
    property_seconds: float
    failure: str | None = None


def make_ensemble(
    system: str,
    out: str | Path,
    *,
    count: int,
    seed: int = 1,
    workers: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Path:
    """Simulates `count` independent samples of a system and writes their frames to `out`, the recipe to OUT.json.

    system: a name in `RECIPES`; settings: fields of that recipe, by name.
    out: extended XYZ, .extxyz or .extxyz.gz. Frames of one simulation share `info["sample"]`.

    A sample follows from the settings, the seed and its index alone: the file is the same for any number of workers.
    An interrupted campaign goes on where it stopped, and a finished one with a larger count goes on, too. Samples whose
    simulation fails are left out and listed in OUT.json. Returns `out`. Raises VitrifyError.
    """
    path = Path(out)
    recipe = make_recipe(system, settings)
    if count < 1:
        raise VitrifyError(f"count is {count}, but must be at least 1")
    seed = check_seed(seed)
    if not path.name.endswith(_SUFFIXES):
        raise VitrifyError(f"the structures cannot be written to {path}: give a name that ends with .extxyz.gz")
    header = _header(recipe, seed)
    with _Journal(path, header) as journal:
        waiting = [index for index in range(count) if index not in journal.samples]
        run_tasks(
            SampleSimulator, (recipe, seed), waiting, record=lambda index, sample: journal.append(sample), lost=_lost,
            workers=workers, progress=f"{system}: {count} samples" if progress else None,
        )  # fmt: skip
        journal.publish(recipe, header, count)
    return path


def make_recipe(system: str, settings: dict[str, Any]) -> Recipe:
    """The recipe of a system with changed settings, checked."""
    if system not in RECIPES:
        raise VitrifyError(f"system {system!r} is unknown{did_you_mean(system, RECIPES)}: use {', '.join(RECIPES)}")
    kind: Any = RECIPES[system]
    known: dict[str, type] = {field.name: type(field.default) for field in fields(kind)}
    if "atoms" in settings and "atoms" not in known:  # the recipe draws their number
        settings = {**settings, "smallest": settings["atoms"], "largest": settings["atoms"]}
        del settings["atoms"]
    for name, value in settings.items():
        if name not in known:
            raise VitrifyError(
                f"{system} has no setting {name!r}{did_you_mean(name, known)}: it has {', '.join(known)}"
            )
        if not (isinstance(value, int | float) and (known[name] is float or float(value).is_integer())):
            wanted = "whole number" if known[name] is int else "number"
            raise VitrifyError(f"{name} is {value!r}, but must be a {wanted}")
    recipe: Recipe = kind(**{name: known[name](value) for name, value in settings.items()})
    recipe.check()
    return recipe


class SampleSimulator:
    """Simulates samples in one process."""

    def __init__(self, setup: tuple[Recipe, int]) -> None:
        self.recipe, self.seed = setup

    def __call__(self, index: int) -> Sample:
        """The sample `index`, which depends on nothing that this object has done before."""
        began = made = time.process_time()
        text, failure = "", None
        try:
            simulation, frames = self.recipe.simulate(np.random.default_rng([self.seed, index]))
            made = time.process_time()
            with simulation:
                properties = self.recipe.properties(simulation, frames)
            for atoms in frames:
                atoms.info.update(sample=index, **properties)
            text = _as_text(frames)
        except VitrifyError as error:  # LAMMPS has lost an atom, or a relaxation has failed
            failure = str(error)
        return Sample(index, text, made - began, time.process_time() - made, failure)


def _as_text(frames: Sequence[ase.Atoms]) -> str:
    buffer = io.StringIO()
    for atoms in frames:
        columns = ["symbols", "positions"] if atoms.calc is None else None  # None: and what was calculated of each atom
        ase.io.write(buffer, atoms, format="extxyz", columns=columns)
    return buffer.getvalue()


def _lost(index: int, reason: str) -> Sample:
    """The record of a sample that killed its process again and again."""
    return Sample(index, "", 0.0, 0.0, f"lost ({reason})")


def _header(recipe: Recipe, seed: int) -> dict[str, Any]:
    header = {
        "system": recipe.name,
        "title": recipe.title,
        "settings": asdict(recipe),  # type: ignore[call-overload]
        "seed": seed,
        "commands": list(recipe.commands),
        "property_units": recipe.property_units,
        "versions": {"vitrify": vitrify.__version__, "lammps": lammps_version()},
    }
    return dict(json.loads(json.dumps(header)))


class _Journal:
    """The finished samples of a campaign, those of an earlier one in `path` among them, on disk."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.record = path.with_name(path.name + ".json")
        self.journal = path.with_name(path.name + ".part")
        self.samples: dict[int, Sample] = {}
        with ExitStack() as stack:
            stack.enter_context(claim_file(path, "vitrify data"))
            if path.exists():
                self._take_over(header)
            require_file(self.record)
            with writing(self.journal):
                self._file: BinaryIO = stack.enter_context(open(self.journal, "a+b"))
            self._read(header)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def append(self, sample: Sample) -> None:
        """Stores a sample, which is on disk when this returns."""
        self._write(asdict(sample))
        self.samples[sample.index] = sample

    def publish(self, recipe: Recipe, header: dict[str, Any], count: int) -> None:
        """Writes the file and its recipe, and removes the journal."""
        count = max(count, 1 + max(self.samples))
        samples = [self.samples[index] for index in sorted(self.samples)]
        good = [sample for sample in samples if sample.failure is None]
        if not good:
            raise VitrifyError(f"no sample of {recipe.name} has come to its end; the first: {samples[0].failure}")
        text = "".join(sample.text for sample in good).encode()
        content = {
            **header,
            "count": count,
            "frames": sum(len(_split(sample.text)) for sample in good),
            "cpu_seconds_per_sample": float(np.mean([sample.cpu_seconds for sample in good])),
            "property_seconds_per_sample": float(np.mean([sample.property_seconds for sample in good])),
            "samples": [{k: v for k, v in asdict(sample).items() if k != "text"} for sample in samples],
        }
        with atomic_path(self.record) as work:
            work.write_text(json.dumps(content, indent=1) + "\n")
        with atomic_path(self.path) as work:
            # No name and no time in the file: the same samples give the same bytes.
            work.write_bytes(gzip.compress(text, mtime=0) if self.path.suffix == ".gz" else text)
        with writing(self.journal):
            self.journal.unlink()
        if len(good) < len(samples):
            first = next(sample for sample in samples if sample.failure is not None)
            warnings.warn(
                f"{len(samples) - len(good)} of {len(samples)} samples failed and are missing in {self.path.name} "
                f"({self.record.name} lists them); the first, {first.index}: {first.failure}",
                VitrifyWarning,
                stacklevel=3,
            )

    def _take_over(self, header: dict[str, Any]) -> None:
        """The samples of the file that is there, if it is one of the same settings."""
        if not self.record.exists():
            raise VitrifyError(f"{self.path} is there, but its recipe {self.record.name} is not: give another --out")
        with own_content(self.record, "the recipe of vitrify data"):
            found = json.loads(self.record.read_text())
            _check_same(found, header, self.path)
        with own_content(self.path, f"the structures that {self.record.name} describes"):
            self._take_samples(found["samples"])

    def _take_samples(self, found: Sequence[dict[str, Any]]) -> None:
        """The samples of the file that is there, of which the recipe holds the rest."""
        data = self.path.read_bytes()
        texts: dict[int, str] = {}
        for frame in _split((gzip.decompress(data) if self.path.suffix == ".gz" else data).decode()):
            index = _index(frame)
            texts[index] = texts.get(index, "") + frame
        for content in found:
            self.samples[content["index"]] = Sample(text=texts.get(content["index"], ""), **content)

    def _read(self, header: dict[str, Any]) -> None:
        """The samples of the journal, without the line that a kill may have cut; a new journal gets the header."""
        self._file.seek(0)
        whole = self._file.read().rpartition(b"\n")[0]
        self._file.truncate(len(whole) + 1 if whole else 0)
        lines = whole.splitlines()
        if not lines:
            self._write(header)
            return
        with own_content(self.journal, "the journal of vitrify data"):
            _check_same(json.loads(lines[0]), header, self.journal)
            for line in lines[1:]:
                sample = Sample(**json.loads(line))
                self.samples[sample.index] = sample

    def _write(self, content: dict[str, Any]) -> None:
        append(self._file.fileno(), json.dumps(content).encode() + b"\n", self.journal)


def _check_same(found: dict[str, Any], wanted: dict[str, Any], where: Path) -> None:
    flat = [{**{name: given.get(name) for name in _SAME}, **given.get("settings", {})} for given in (found, wanted)]
    names = sorted(name for name in flat[0].keys() | flat[1].keys() if flat[0].get(name) != flat[1].get(name))
    if names:
        texts = [f"{name} {flat[0].get(name)}, not {flat[1].get(name)}" for name in names if name != "settings"]
        raise VitrifyError(
            f"{where} was made with other settings ({'; '.join(texts)}): give another --out, or remove it"
        )


def _split(text: str) -> list[str]:
    """The frames of a text in extended XYZ."""
    lines = text.splitlines(keepends=True)
    found, place = [], 0
    while place < len(lines):
        end = place + int(lines[place]) + 2
        found.append("".join(lines[place:end]))
        place = end
    return found


def _index(frame: str) -> int:
    """The sample of a frame, from its comment line."""
    comment = frame.split("\n", 2)[1]
    return int(next(word for word in comment.split() if word.startswith("sample=")).removeprefix("sample="))
