"""`vitrify evaluate` for generators: structures against a reference ensemble, MD at equal time, and inverse design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read

import vitrify
from vitrify.amshortcut.evaluate.design import calculator, design
from vitrify.amshortcut.evaluate.metrics import Amounts, Measured, Yardstick
from vitrify.amshortcut.evaluate.runs import Run, Runs, Store, StructureSampler, open_sampler, pick
from vitrify.amshortcut.evaluate.settings import GeneratorSettings
from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.analysis.ensembles import species_in
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.data.samples import read_recipe
from vitrify.generation.relaxation import charges_of
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.report.metrics_file import write_metrics


@dataclass(frozen=True)
class GeneratorEvaluation:
    """Everything that an evaluation found. measured: for each of `runs`; recipe: of the reference data."""

    name: str
    metadata: AMShortcutMetadata
    settings: GeneratorSettings
    yardstick: Yardstick
    runs: list[Run]
    measured: list[Measured]
    recipe: dict[str, Any]
    metrics: dict[str, Any]


def evaluate_generator(
    model: str | Path,
    data: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    settings: GeneratorSettings | None = None,
    *,
    make: StructureSampler | None = None,
    progress: bool = True,
) -> Path:
    """Evaluates a generator on structures of the ensemble that it should make.

    Generates structures in the cells of reference samples, raw and corrected by the potential, and sets them beside
    the reference, two parts of the reference, and MD from a random start at equal CPU time. Writes metrics.json,
    figures, report.html and the structures into `out`; started again, it goes on. Returns the path of the report.

    Args:
        model: file, or name of a shipped model.
        data: extended XYZ files of the reference; frames of one simulation share the number `sample`.
        out: folder; default: out/MODEL.evaluate.
        make: what generates, in place of the model.

    Raises:
        VitrifyError: a model of another kind, data without structures or with other elements, a target that the model
            does not know or that cannot be calculated, and what the potential refuses.
    """
    from vitrify.amshortcut.evaluate.report import write_page  # matplotlib takes a while to load

    path, settings = find_model(model), settings or GeneratorSettings()
    metadata = read_metadata(path)
    if not isinstance(metadata, AMShortcutMetadata):
        raise wrong_kind(path, metadata.kind, "amshortcut")
    files = [Path(p) for p in ([data] if isinstance(data, str | Path) else data)]
    reference, groups = read_ensemble(files)
    species = _species(reference, metadata)
    if settings.target:
        _check_target(settings, metadata, species)
    folder = Path(out) if out else Path("out") / f"{path.name.removesuffix('.pt')}.evaluate"
    folder.mkdir(parents=True, exist_ok=True)

    recipe = read_recipe(files[0])
    settings = replace(settings, potential=_with_charges(settings.potential, recipe, species))
    yardstick = Yardstick(
        reference, species, commands=settings.potential, training=read_ensemble(settings.training)[0],
        amounts=Amounts(settings.energies, settings.rings, settings.novelty), groups=groups,
    )  # fmt: skip
    sources = [{"name": file.name, "sha256": sha256(file)} for file in files]
    identity = {"model": sha256(path), "data": sources, "settings": asdict(settings)}
    generate = make or open_sampler(path, metadata, settings.engine, settings.churn)
    like = pick(reference, settings.samples, settings.seed)
    runs = Runs(generate, like, species, settings, Store(folder / "samples", identity), progress).all()
    measured = [yardstick.measure(run.samples, progress) for run in runs]
    designs = [
        design(generate, like, species, settings, steps, progress)
        for steps in (settings.sampling_steps if settings.target else ())
    ]
    metrics = {
        "model": {
            "name": path.name,
            "sha256": identity["model"],
            **metadata.model_dump(by_alias=True, exclude={"reference"}, mode="json"),
        },
        "data": sources,
        "trained_on_data": _trained_on(sources, metadata),
        "settings": asdict(settings) | {"training": [file.name for file in settings.training]},
        "versions": {"vitrify": vitrify.__version__},
        "runs": [_row(run, each) for run, each in zip(runs, measured, strict=True)],
        "reference": yardstick.measure(pick(reference, settings.samples, settings.seed + 1), progress).metrics,
        "floor": yardstick.floor(settings.samples),
        "reference_cpu_seconds": recipe.get("cpu_seconds_per_sample"),
        "design": designs,
    }
    write_metrics(folder, metrics)
    found = GeneratorEvaluation(path.name, metadata, settings, yardstick, runs, measured, recipe, metrics)
    return write_page(found, folder)


def read_ensemble(files: Sequence[Path]) -> tuple[list[Atoms], list[int]]:
    """All structures of some files, and the number of the simulation that each is of."""
    samples: list[Atoms] = []
    groups: list[int] = []
    for file in files:
        if not file.is_file():
            raise VitrifyError(f"there is no file {file}: give extended XYZ, as `vitrify data structures` writes it")
        try:
            frames = read(file, index=":", format="extxyz")
        # ASE raises many kinds on damaged text
        except Exception as error:
            raise VitrifyError(f"{file} is no extended XYZ file, or a damaged one ({error}): write it again") from None
        own: dict[int, int] = {}
        first = max(groups, default=-1) + 1
        for number, atoms in enumerate(frames):
            groups.append(first + own.setdefault(int(atoms.info.get("sample", number)), len(own)))
        samples += frames
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


def _check_target(settings: GeneratorSettings, model: AMShortcutMetadata, species: Sequence[str]) -> None:
    known = [target.name for target in model.properties]
    if settings.target not in known:
        raise VitrifyError(
            f"the model knows no property {settings.target!r}: it was trained on {', '.join(known) or 'none'}"
        )
    calculator(settings.target, settings.potential, species)


def _trained_on(sources: Sequence[dict[str, str]], model: AMShortcutMetadata) -> bool:
    seen = {entry.get("sha256") for entry in model.provenance.data}
    return any(source["sha256"] in seen for source in sources)


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
