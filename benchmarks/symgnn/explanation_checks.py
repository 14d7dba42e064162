"""How far explanations can be trusted: masks from other starts, bonds left out one by one, and a control."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitrify.analysis.scores import spearman
from vitrify.data.structures import LabelledStructure
from vitrify.report.evaluation import EvaluationData
from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.mask import MaskedModel
from vitrify.symgnn.explain.measure import measure, open_model
from vitrify.symgnn.explain.null_tests import CycleTable, Distances, Population, run_null_tests
from vitrify.symgnn.explain.results import ExplainResults
from vitrify.symgnn.explain.settings import BIN, MEDIUM_RANGE, Settings
from vitrify.symgnn.explain.subgraph import all_edges, k_hop_subgraph

# Standard deviations of the logits that masks start from: GNNExplainer's own for these graphs, and one that matters.
STARTS = (0.04, 1.0)
CONTROL = "control"


@dataclass(frozen=True)
class Judged:
    """The findings for one model and one kind of importance."""

    model: str
    importance: str
    distances: Distances
    cycles: CycleTable | None


def explain(file: Path, glass: Path, folder: Path, settings: Settings, progress: bool = True) -> ExplainResults:
    """Explanations of a model and their null tests, kept in `folder`."""
    return measure(open_model(file, settings), EvaluationData([glass]), settings, folder, progress)


def overlap(one: Explanation, other: Explanation, top: int) -> tuple[float, float]:
    """Of two explanations of one atom: the Jaccard index of the top bonds and the rank correlation of all scores."""
    first, second = set(one.top(top).tolist()), set(other.top(top).tolist())
    return len(first & second) / len(first | second), spearman(one.scores, other.scores)


def reproduced(file: Path, glass: Path, folder: Path, atoms: tuple[int, ...], top: int) -> dict[str, Any]:
    """How alike masks are that started apart, for each of STARTS; mean over the atoms."""
    found: dict[str, Any] = {"atoms": list(atoms)}
    for start in STARTS:
        runs = [
            explain(
                file, glass, folder,
                Settings(
                    atoms=atoms, importance="mask", start=start, seed=seed, top=top, permutations=1, topology=False
                ),
                progress=False,
            ).models[0].explanations
            for seed in (1, 2)
        ]  # fmt: skip
        pairs = [overlap(one, other, top) for one, other in zip(*runs, strict=True)]
        jaccard, ranks = (float(np.mean(each)) for each in zip(*pairs, strict=True))
        found[str(start)] = {"jaccard": jaccard, "rank_correlation": ranks, "each": pairs}
    return found


def left_out(model: MaskedModel, glass: LabelledStructure, found: Explanation, top: int) -> float:
    """Rank correlation of effects with what leaving out single bonds changes: the top ones, and as many others of the
    first thousand."""
    edges = all_edges(glass.positions, glass.cell, model.opened.metadata.cutoff)
    part = k_hop_subgraph(edges, found.centre, int(found.hops.max()))
    if not np.array_equal(part.atoms, found.atoms):
        raise SystemExit(f"atom {found.centre + 1} was explained with another graph: remove its explanations")
    started = model.start(
        torch.as_tensor(glass.types[part.atoms]), torch.as_tensor(part.pairs),
        torch.as_tensor(part.vectors).to(model.opened.dtype), torch.as_tensor(part.hops),
    )  # fmt: skip
    ranked = found.top(min(1000, len(found.scores)))
    rng = np.random.default_rng(found.centre)
    chosen = np.concatenate([ranked[:top], rng.choice(ranked[top:], min(top, len(ranked) - top), replace=False)])
    changes = []
    for bond in chosen:
        # Both directions of a bond, which are edges of their own; of one image, in a cell as wide as this one.
        ends = np.sort(part.pairs, axis=0) == np.sort(found.bonds[bond])[:, None]
        weights = torch.as_tensor(np.where(ends.all(0), 0.0, 1.0)).to(model.opened.dtype)
        with torch.no_grad():
            changes.append(abs(float(model(started, weights)[0][0]) - found.prediction))
    return spearman(found.scores[chosen], changes)


def moved(explanations: Sequence[Explanation]) -> dict[str, float]:
    """How far predictions move without the important bonds, and without others of their lengths: means over atoms."""
    return {
        "important": float(np.mean([abs(each.removed - each.prediction) for each in explanations])),
        "same_lengths": float(np.mean([np.abs(each.matched - each.prediction).mean() for each in explanations])),
    }


def control(results: ExplainResults, settings: Settings) -> Judged:
    """The findings where importance falls with length, with some noise, and knows nothing else."""
    explained = results.models[0]
    rng = np.random.default_rng(settings.seed)
    made = [
        dataclasses.replace(each, scores=-each.lengths + rng.normal(scale=0.3, size=len(each.scores)))
        for each in explained.explanations
    ]
    units = explained.model.opened.metadata.units
    population = Population(made, results.structure.types, BIN[units], settings)
    return Judged(
        CONTROL, "falls with length", *run_null_tests(population, made, results.cycles, MEDIUM_RANGE[units], settings)
    )
