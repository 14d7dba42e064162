"""`vitrify explain`: masks, nulls, cycles and pictures of some atoms of a structure; a folder with one report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path, sha256
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.modelfile.archive import find_model
from vitrify.symgnn.explain import dumps, store
from vitrify.symgnn.explain.crop import all_edges
from vitrify.symgnn.explain.explainer import Explanation, explain_atom, reach_of
from vitrify.symgnn.explain.findings import NULLS, CycleTable, Distances, Population, judge_findings
from vitrify.symgnn.explain.mask import MaskedModel, one_thread, open_masked
from vitrify.symgnn.explain.settings import BIN, MEDIUM_RANGE, Settings
from vitrify.symgnn.explain.topology import Cycles, find_cycles, radii_of, why_not

_CELLS = 26  # cells of the alpha complex for each atom, about: vertices, edges, triangles, tetrahedra


@dataclass(frozen=True)
class Explained:
    """Everything about one model: explanations of the chosen atoms, and the findings beside their nulls."""

    model: MaskedModel
    digest: str
    explanations: list[Explanation]
    distances: Distances
    cycles: CycleTable | None

    @property
    def name(self) -> str:
        """File name and variant, for tables and figures."""
        return f"{self.model.loaded.path.name} ({self.model.loaded.metadata.variant})"


@dataclass(frozen=True)
class Results:
    """What a report says: models (the baseline last), the structure, its cycles or why there are none."""

    models: list[Explained]
    structure: LabelledStructure
    source: str
    settings: Settings
    cycles: Cycles | None
    without_cycles: str


def explain(
    model: str | Path,
    structure: str | Path,
    out: str | Path | None = None,
    settings: Settings | None = None,
    baseline: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Explains the predictions of a model for some atoms of a structure; returns the path of the report in `out`.

    Started again, an interrupted run goes on with the atom at which it stopped. Raises VitrifyError for a model of
    another kind, a structure that does not fit it, and atoms that there are not.
    """
    folder = Path(out) if out else Path("out") / f"{find_model(str(model)).name.removesuffix('.pt')}.explain"
    return write(find(model, structure, folder, settings, baseline, progress), folder)


def find(
    model: str | Path,
    structure: str | Path,
    folder: Path,
    settings: Settings | None = None,
    baseline: str | Path | None = None,
    progress: bool = True,
) -> Results:
    """What `explain` finds; what takes long goes to `folder`, where it is found again."""
    settings = settings or Settings()
    with one_thread():
        models = [open_masked(str(name)) for name in (model, baseline) if name is not None]
    _check_pair(models)
    first = models[0].loaded
    glass = _read(structure, first.metadata.species)
    chosen = settings.choose(len(glass))
    folder.mkdir(parents=True, exist_ok=True)

    with one_thread():
        found = [
            _explanations(each, _in_order(glass, first.metadata.species, each), chosen, settings, folder, progress)
            for each in models
        ]
    cutoff = max(each.loaded.metadata.cutoff for each in models)
    reason = why_not(glass, cutoff) if settings.topology else "it was not asked for"
    cycles = None if reason else _cycles(glass, first.metadata.species, folder, progress)
    judged = [
        _judge(each, explanations, _in_order(glass, first.metadata.species, each).types, cycles, settings, progress)
        for each, explanations in zip(models, found, strict=True)
    ]
    return Results(judged, glass, Path(structure).name, settings, cycles, reason or "")


def write(results: Results, folder: Path) -> Path:
    """Writes all files of an explanation into `folder`; returns the path of the report."""
    from vitrify.symgnn.explain.report import write_page  # matplotlib takes a while to load

    _write_files(results, folder)
    return write_page(results, folder)


def _check_pair(models: Sequence[MaskedModel]) -> None:
    """Refuses a baseline that reads other species or other units than the model."""
    first, *others = [each.loaded for each in models]
    for other in others:
        for name in ("species", "units"):
            mine, its = getattr(first.metadata, name), getattr(other.metadata, name)
            if (set(mine) != set(its)) if name == "species" else (mine != its):
                raise VitrifyError(
                    f"the baseline {other.path} has the {name} {its}, {first.path} {mine}: compare models of one system"
                )


def _read(path: str | Path, species: Sequence[str]) -> LabelledStructure:
    """The last structure of a file, without labels."""
    return load_structures(path, species)[-1]


def _in_order(structure: LabelledStructure, species: Sequence[str], model: MaskedModel) -> LabelledStructure:
    """The structure with types in the order of a model's species."""
    order = np.array([model.loaded.metadata.species.index(name) for name in species])
    return LabelledStructure(
        structure.name, structure.positions, structure.cell, order[structure.types], structure.labels
    )


def _explanations(
    model: MaskedModel, glass: LabelledStructure, chosen: list[int], settings: Settings, folder: Path, progress: bool
) -> list[Explanation]:
    """Explanations of the chosen atoms, those on disk as they are."""
    loaded = model.loaded
    key = store.key_of(
        model=sha256(loaded.path), structure=store.structure_hash(glass), settings=settings.of_an_atom(), bin=BIN
    )
    paths = {atom: folder / "explanations" / key / f"atom_{atom + 1}.npz" for atom in chosen}
    done = {atom: found for atom, path in paths.items() if (found := store.load_explanation(path)) is not None}
    if len(done) < len(chosen):
        edges = all_edges(glass.positions, glass.cell, loaded.metadata.cutoff)
        values = loaded.predict(glass.positions, glass.cell, glass.types)[0]
        spread = float(values.std())
        if not spread > 0:
            raise VitrifyError(
                f"{loaded.path} predicts the same for all {len(glass)} atoms of {glass.name}, "
                "so there is nothing to explain: give a trained model, or a structure whose atoms differ"
            )
        more = (spread, BIN[loaded.metadata.units], settings)
        label = f"masks of {loaded.path.name}"
        whole, finished = len(chosen), len(done)
        with tqdm(total=whole, initial=finished, desc=label, unit="atom", disable=not progress) as bar:
            reach = max(reach_of(model, edges, glass.types, atom) for atom in chosen[:2])
            for atom in chosen:
                if atom not in done:
                    found = explain_atom(model, edges, glass.types, atom, *more, reach)
                    if abs(found.prediction - values[atom]) > 1e-3 * spread:  # it sees more than the first ones
                        found = explain_atom(model, edges, glass.types, atom, *more)
                    store.save_explanation(found, paths[atom])
                    done[atom] = found
                    bar.update(1)
    return [done[atom] for atom in chosen]


def _cycles(glass: LabelledStructure, species: Sequence[str], folder: Path, progress: bool) -> Cycles:
    """The optimal cycles of the structure, from disk if they are there."""
    path = folder / "cycles" / f"{store.key_of(structure=store.structure_hash(glass))}.npz"
    found = store.load_arrays(path)
    if found is not None and set(found) == set(Cycles.__dataclass_fields__):
        return Cycles(**found)
    radii = radii_of(glass, species)
    total = _CELLS * len(glass)
    with tqdm(total=total, desc="optimal cycles", unit="cell", unit_scale=True, disable=not progress) as bar:
        cycles = find_cycles(glass, radii, bar.update)
    store.save_arrays(path, dict(vars(cycles)))
    return cycles


def _judge(
    model: MaskedModel, explanations: list[Explanation], types: np.ndarray, cycles: Cycles | None,
    settings: Settings, progress: bool,
) -> Explained:  # fmt: skip
    """The findings of one model beside their nulls."""
    meta = model.loaded.metadata
    isolated = [each.centre + 1 for each in explanations if len(each.scores) < 3]
    if isolated:
        raise VitrifyError(
            f"the prediction of {model.loaded.path.name} for atom {isolated[0]} depends on fewer than three bonds, "
            "which cannot be ranked: choose other atoms, or a model that reads more of the structure"
        )
    population = Population(explanations, types, BIN[meta.units], settings)
    total = len(NULLS) * settings.permutations
    with tqdm(total=total, desc="length-matched nulls", unit="permutation", disable=not progress) as bar:
        distances, table = judge_findings(
            population, explanations, cycles, MEDIUM_RANGE[meta.units], settings, lambda: bar.update(1)
        )
    return Explained(model, sha256(model.loaded.path), explanations, distances, table)


def _write_files(results: Results, folder: Path) -> None:
    """metrics.json, and for each model the files that OVITO opens."""
    species = results.models[0].model.loaded.metadata.species
    for prefix, each in zip(("", "baseline_"), results.models, strict=False):
        dumps.write_extxyz(folder / f"{prefix}importance.extxyz", results.structure, species, each.explanations)
        dumps.write_dump(folder / f"{prefix}importance.dump", results.structure, species, each.explanations)
        dumps.write_local(folder / f"{prefix}edges.dump", results.structure, each.explanations, results.cycles)
    with atomic_path(folder / "metrics.json") as work:
        work.write_text(json.dumps(_without_nan(_metrics(results)), indent=1) + "\n")


def _metrics(results: Results) -> dict[str, Any]:
    cycles = results.cycles
    return {
        "structure": {
            "name": results.source, "sha256": store.structure_hash(results.structure), "atoms": len(results.structure),
        },
        "settings": asdict(results.settings),
        "versions": {"vitrify": vitrify.__version__, "numpy": np.__version__},
        "cycles": {"number": len(cycles.births), "radii": cycles.radii.tolist()} if cycles else results.without_cycles,
        "models": [_model_metrics(each) for each in results.models],
    }  # fmt: skip


def _model_metrics(each: Explained) -> dict[str, Any]:
    meta, found = each.model.loaded.metadata, each.distances
    return {
        "name": each.model.loaded.path.name, "sha256": each.digest, "variant": meta.variant,
        "property": meta.property.model_dump(),
        "atoms": [_atom_metrics(explanation) for explanation in each.explanations],
        "medium_range": {"span": list(found.span), **found.medium.as_dict()},
        "distances": {
            name: getattr(found, name).tolist() for name in ("edges", "important", "everything", "null", "band")
        },
        "optimal_cycles": {group: finding.as_dict() for group, finding in each.cycles.groups.items()}
        if each.cycles else None,
    }  # fmt: skip


def _atom_metrics(each: Explanation) -> dict[str, Any]:
    return {
        "atom": each.centre + 1, "prediction": each.prediction, "deviation": each.deviation, "masked": each.masked,
        "top_bonds_alone": each.kept, "without_top_bonds": each.removed,
        "without_bonds_of_the_same_lengths": each.matched.tolist(), "bonds": len(each.scores),
    }  # fmt: skip


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what there is no number for is null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
