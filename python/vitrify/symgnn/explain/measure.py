"""The measurements of an explanation: importance of bonds, its nulls and the cycles of the structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import make_folder, sha256
from vitrify.core.progress import Meter
from vitrify.data.structures import LabelledStructure, load_last_structure
from vitrify.report.evaluation import EvaluationData
from vitrify.symgnn.explain import store
from vitrify.symgnn.explain.explainer import Explanation, explain_atom, reach_of
from vitrify.symgnn.explain.mask import MaskedModel, one_thread, open_masked
from vitrify.symgnn.explain.null_tests import NULLS, Population, run_null_tests
from vitrify.symgnn.explain.results import ExplainedModel, ExplainResults
from vitrify.symgnn.explain.settings import BIN, MEDIUM_RANGE, Settings
from vitrify.symgnn.explain.subgraph import all_edges
from vitrify.symgnn.explain.topology import Cycles, find_cycles, radii_of, why_not

_CELLS = 26  # cells of the alpha complex for each atom, about: vertices, edges, triangles, tetrahedra


def open_model(model: str | Path, settings: Settings | None = None) -> MaskedModel:
    """The model with weights of its edges."""
    with one_thread():
        return open_masked(str(model))


def measure(
    model: MaskedModel, data: EvaluationData, settings: Settings, folder: Path, progress: bool
) -> ExplainResults:
    """Explains the predictions of a model for some atoms of the last structure of a file.

    Explanations and cycles go to `folder`, too, where an interrupted run finds them when it is started again. Raises
    VitrifyError for a baseline of another system, a structure that does not fit, and atoms that there are not.
    """
    models = [model, *([open_model(settings.baseline)] if settings.baseline is not None else [])]
    _check_pair(models)
    if len(data.files) > 1:
        raise VitrifyError(f"one structure is explained, but {len(data.files)} files were given: give one of them")
    path, species = data.files[0], model.metadata.species
    glass = load_last_structure(path, species, units=model.metadata.units, atom_style=settings.atom_style)
    chosen = settings.choose(len(glass))
    make_folder(folder)
    glasses = [_in_order(glass, species, each) for each in models]
    with one_thread():
        explanations = [
            _explanations(each, mine, chosen, settings, folder, progress)
            for each, mine in zip(models, glasses, strict=True)
        ]
    cutoff = max(each.metadata.cutoff for each in models)
    reason = why_not(glass, cutoff) if settings.topology else "it was not asked for"
    cycles = None if reason else _cycles(glass, species, folder, progress)
    explained = [
        _explained(each, found, mine.types, cycles, settings, progress)
        for each, found, mine in zip(models, explanations, glasses, strict=True)
    ]
    metrics = {
        "structure": {"name": path.name, "sha256": store.structure_hash(glass), "atoms": len(glass)},
        "settings": {name: value for name, value in asdict(settings).items() if name != "baseline"},
        "versions": {"vitrify": vitrify.__version__, "numpy": np.__version__},
        "cycles": {"number": len(cycles.births), "radii": cycles.radii.tolist()} if cycles else reason,
        "models": [_model_metrics(each) for each in explained],
    }
    return ExplainResults(explained, glass, path.name, settings, cycles, reason or "", metrics)


def _check_pair(models: Sequence[MaskedModel]) -> None:
    """Refuses a baseline that reads other species or other units than the model."""
    first, *others = [each.opened for each in models]
    for other in others:
        for name in ("species", "units"):
            mine, its = getattr(first.metadata, name), getattr(other.metadata, name)
            if (set(mine) != set(its)) if name == "species" else (mine != its):
                raise VitrifyError(
                    f"the baseline {other.path} has the {name} {its}, {first.path} {mine}: compare models of one system"
                )


def _in_order(structure: LabelledStructure, species: Sequence[str], model: MaskedModel) -> LabelledStructure:
    """The structure with types in the order of a model's species."""
    order = np.array([model.metadata.species.index(name) for name in species])
    return LabelledStructure(
        structure.name, structure.positions, structure.cell, order[structure.types], structure.labels
    )


def _explanations(
    model: MaskedModel, glass: LabelledStructure, chosen: list[int], settings: Settings, folder: Path, progress: bool
) -> list[Explanation]:
    """Explanations of the chosen atoms, those on disk as they are."""
    opened = model.opened
    key = store.key_of(
        model=sha256(opened.path), structure=store.structure_hash(glass), settings=settings.of_an_atom(), bin=BIN
    )
    paths = {atom: folder / "explanations" / key / f"atom_{atom + 1}.npz" for atom in chosen}
    done = {atom: found for atom, path in paths.items() if (found := store.load_explanation(path)) is not None}
    if len(done) < len(chosen):
        edges = all_edges(glass.positions, glass.cell, opened.metadata.cutoff)
        values = opened.predict(glass.positions, glass.cell, glass.types)[0]
        spread = float(values.std())
        if not spread > 0:
            raise VitrifyError(
                f"{opened.path} predicts the same for all {len(glass)} atoms of {glass.name}, "
                "so there is nothing to explain: give a trained model, or a structure whose atoms differ"
            )
        more = (spread, BIN[opened.metadata.units], settings)
        label = f"masks of {opened.path.name}"
        whole, finished = len(chosen), len(done)
        with Meter(whole, label, "atom", progress, done=finished) as bar:
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
    with Meter(total, "optimal cycles", "cell", progress, many=True) as bar:
        cycles = find_cycles(glass, radii, bar.update)
    store.save_arrays(path, dict(vars(cycles)))
    return cycles


def _explained(
    model: MaskedModel, explanations: list[Explanation], types: np.ndarray, cycles: Cycles | None,
    settings: Settings, progress: bool,
) -> ExplainedModel:  # fmt: skip
    """The null tests of the explanations of one model."""
    meta = model.metadata
    isolated = [each.centre + 1 for each in explanations if len(each.scores) < 3]
    if isolated:
        raise VitrifyError(
            f"the prediction of {model.path.name} for atom {isolated[0]} depends on fewer than three bonds, "
            "which cannot be ranked: choose other atoms, or a model that reads more of the structure"
        )
    population = Population(explanations, types, BIN[meta.units], settings)
    total = len(NULLS) * settings.permutations
    with Meter(total, "length-matched nulls", "permutation", progress) as bar:
        distances, table = run_null_tests(
            population, explanations, cycles, MEDIUM_RANGE[meta.units], settings, lambda: bar.update(1)
        )
    return ExplainedModel(model, sha256(model.path), explanations, distances, table)


def _model_metrics(each: ExplainedModel) -> dict[str, Any]:
    meta, found = each.model.metadata, each.distances
    return {
        "name": each.model.path.name, "sha256": each.digest, "variant": meta.variant,
        "property": meta.property.model_dump(),
        "atoms": [_atom_metrics(explanation) for explanation in each.explanations],
        "medium_range": {"span": list(found.span), **found.medium.as_dict()},
        "distances": {
            name: getattr(found, name).tolist() for name in ("edges", "important", "everything", "null", "band")
        },
        "optimal_cycles": {group: test.as_dict() for group, test in each.cycles.groups.items()}
        if each.cycles else None,
    }  # fmt: skip


def _atom_metrics(each: Explanation) -> dict[str, Any]:
    return {
        "atom": each.centre + 1, "prediction": each.prediction, "deviation": each.deviation, "masked": each.masked,
        "top_bonds_alone": each.kept, "without_top_bonds": each.removed,
        "without_bonds_of_the_same_lengths": each.matched.tolist(), "bonds": len(each.scores),
    }  # fmt: skip
