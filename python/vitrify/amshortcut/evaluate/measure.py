"""The measurements of an evaluation of generators: structures against a reference ensemble, MD and inverse design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

import vitrify
from vitrify.amshortcut.evaluate.design import calculator, design
from vitrify.amshortcut.evaluate.metrics import Measured, ReferenceEnsemble
from vitrify.amshortcut.evaluate.results import AMShortcutResults
from vitrify.amshortcut.evaluate.runs import Generate, Run, Runs, Store, open_generator, pick
from vitrify.amshortcut.evaluate.settings import Settings
from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.analysis.ensembles import species_in
from vitrify.core.errors import VitrifyError
from vitrify.data.readers.formats import files_of
from vitrify.data.samples import load_atoms, read_recipe
from vitrify.generation.relaxation import charges_of
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.report.evaluation import EvaluationData
from vitrify.report.metrics_file import model_card
from vitrify.report.outside import Given, given, tell_outside


@dataclass(frozen=True)
class GeneratorFile:
    """The model file of a generator. generate: makes structures in place of the model, which is then not loaded."""

    path: Path
    metadata: AMShortcutMetadata
    generate: Generate | None = None


def open_model(model: str | Path, settings: Settings) -> GeneratorFile:
    """The model file; its network is loaded when the data have been checked. VitrifyError for another kind."""
    path = find_model(model)
    metadata = read_metadata(path)
    if not isinstance(metadata, AMShortcutMetadata):
        raise wrong_kind(path, metadata.kind, "amshortcut")
    return GeneratorFile(path, metadata)


def measure(
    model: GeneratorFile, data: EvaluationData, settings: Settings, folder: Path, progress: bool
) -> AMShortcutResults:
    """Compares generated structures with samples of the ensemble that they should belong to.

    Generates structures in the cells of reference samples, raw and corrected by the potential, and sets them beside
    the reference, two parts of the reference, and MD from a random start at equal CPU time. Keeps the structures in
    `folder`; started again, it goes on.

    data: extended XYZ files of the reference; frames of one simulation share the number `sample`. Raises VitrifyError
    for data without structures or with other elements, a target that the model does not know or that cannot be
    calculated, and errors of LAMMPS.
    """
    reference, groups = read_ensemble(data.files, model.metadata.species)
    species = _species(reference, model.metadata)
    if settings.target:
        _check_target(settings, model.metadata, species)
    recipe = read_recipe(data.files[0])
    settings = replace(settings, potential=_with_charges(settings.potential, recipe, species))
    ensemble = ReferenceEnsemble(
        reference, species, commands=settings.potential, training=read_ensemble(settings.training, species)[0],
        amounts=settings.measured, groups=groups,
    )  # fmt: skip
    card = model_card(model, exclude={"reference"})
    identity = {"model": card["sha256"], "data": data.sources, "settings": settings.as_dict()}
    generate = model.generate or open_generator(model.path, model.metadata, settings.engine, settings.churn)
    like = pick(reference, settings.samples, settings.seed)
    runs = Runs(generate, like, species, settings, Store(folder / "samples", identity), progress).all()
    measured = [ensemble.measure(run.samples, progress) for run in runs]
    metrics = {
        "model": card,
        "data": data.sources,
        "trained_on_data": bool(data.seen_by(model)),
        "range": tell_outside(model, (_given(model.metadata, atoms, n) for n, atoms in enumerate(reference, 1))),
        "settings": settings.as_dict() | {"training": [file.name for file in settings.training]},
        "versions": {"vitrify": vitrify.__version__},
        "runs": [_row(run, each) for run, each in zip(runs, measured, strict=True)],
        "reference": ensemble.measure(pick(reference, settings.samples, settings.seed + 1), progress).metrics,
        "floor": ensemble.floor(settings.samples),
        "reference_cpu_seconds": recipe.get("cpu_seconds_per_sample"),
        "design": [
            design(generate, like, species, settings, steps, progress)
            for steps in (settings.sampling_steps if settings.target else ())
        ],
    }
    return AMShortcutResults(model.path.name, model.metadata, settings, ensemble, runs, measured, recipe, metrics)


def _given(metadata: AMShortcutMetadata, atoms: Atoms, number: int) -> Given:
    types = np.array([metadata.species.index(symbol) for symbol in atoms.symbols])
    return given(f"structure {number}", metadata, atoms.positions, atoms.cell.array, types)


def read_ensemble(files: Sequence[Path], species: Sequence[str] = ()) -> tuple[list[Atoms], list[int]]:
    """All structures of some files, and the number of the simulation that each is of.

    species: names of the types of files that have type ids.
    """
    samples: list[Atoms] = []
    groups: list[int] = []
    for file in files_of(files):
        own: dict[int, int] = {}
        first = max(groups, default=-1) + 1
        for number, atoms in enumerate(load_atoms(file, species)):
            groups.append(first + own.setdefault(int(atoms.info.get("sample", number)), len(own)))
            samples.append(atoms)
    return samples, groups


def _species(reference: Sequence[Atoms], model: AMShortcutMetadata) -> tuple[str, ...]:
    """The model's species; VitrifyError if the reference has none or others."""
    unknown = sorted(set(species_in(reference)) - set(model.species))
    if unknown:
        raise VitrifyError(
            f"the data have {unknown[0]}, the model makes {', '.join(model.species)}: give structures of its species"
        )
    if len(reference) < 4:
        raise VitrifyError(f"the data hold {len(reference)} structures: give at least 4 to compare with")
    return model.species


def _with_charges(commands: Sequence[str], recipe: Mapping[str, Any], species: Sequence[str]) -> tuple[str, ...]:
    """The commands with the charges of the data's recipe, where they name none."""
    charges = recipe.get("charges")
    if not commands or not charges or charges_of(commands, len(species)):
        return tuple(commands)
    return (*commands, *(f"set type {number} charge {charge!r}" for number, charge in enumerate(charges, 1)))


def _check_target(settings: Settings, model: AMShortcutMetadata, species: Sequence[str]) -> None:
    known = [target.name for target in model.properties]
    if settings.target not in known:
        raise VitrifyError(
            f"the model knows no property {settings.target!r}: it was trained on {', '.join(known) or 'none'}"
        )
    calculator(settings.target, settings.potential, species)


def _row(run: Run, measured: Measured) -> dict[str, Any]:
    return {
        "method": run.method,
        "steps": run.steps,
        "md_steps": run.md_steps,
        "refused": run.refused,
        "cpu_seconds": run.cpu_seconds,
        "samples_per_second": 1 / run.cpu_seconds if run.cpu_seconds > 0 else float(np.nan),
        **measured.metrics,
    }
