"""The page and the pictures of `benchmarks/symgnn/explanations.py`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.symgnn.explanation_checks import CONTROL, STARTS, Judged
from vitrify.core.files import atomic_path
from vitrify.report import plots
from vitrify.symgnn.explain import figures
from vitrify.symgnn.explain.null_tests import GROUPS, LEVEL, NULLS, Distances, NullTest, verdict
from vitrify.symgnn.explain.results import ExplainResults
from vitrify.symgnn.explain.settings import BIN, IMPORTANCE, Settings

NULL_TITLES = [f"null: {null}, mean [95%] | p" for null in NULLS]


def lines(
    records: Sequence[dict[str, Any]], judged: Sequence[Judged], results: ExplainResults, glass: str
) -> list[str]:
    """explanations.md."""
    text = [
        *summary_lines(judged, results, glass), *model_lines(records), *distance_lines(judged),
        *cycle_lines(judged, results), "## Verdicts", "",
    ]  # fmt: skip
    for one in judged:
        text.append(f"- {one.model}, {one.importance}, medium range: {verdict(one.distances.medium)}")
        if one.cycles is not None:
            text.append(f"- {one.model}, {one.importance}, cycles: {verdict(one.cycles.groups['high'])}")
    return text + check_lines(records, results.settings)


def summary_lines(judged: Sequence[Judged], results: ExplainResults, glass: str) -> list[str]:
    """How explanations were made and judged, and each finding in a sentence."""
    settings, (low, high) = results.settings, judged[0].distances.span
    models = [each for each in judged if each.model != CONTROL]
    return [
        "# What models of barriers look at", "",
        "Made by `python -m benchmarks.symgnn.explanations`; its --help says how.", "",
        f"{settings.number} atoms of {glass} ({len(results.structure):,} atoms), drawn with seed {settings.seed}, the"
        " same ones for each model. Both findings of the SymGNN paper stand beside nulls, in which the importance of"
        f" the bonds of one atom is shuffled {settings.permutations} times among bonds of equal length (bins of"
        f" {BIN['metal']:g} A), or of equal length and species. A finding survives a null if it is above it with"
        f" p < {LEVEL:g} and, over the atoms, by more than two standard errors.", "",
        f"- Important atoms are in the medium range ({low:g} to {high:g} A): "
        f"{names_of(judged, lambda each: each.distances.medium)}. Over its null, the near range (below {low:g} A) is"
        f" stronger than the medium range for {sum(near(each.distances) for each in models)} of {len(models)}: there,"
        " importance falls with distance, and the medium range is no peak.",
        "- Important bonds are in many cycles: "
        f"{names_of(judged, lambda each: each.cycles.groups['high'] if each.cycles else None)}.", "",
        "Importance is one of two. Mask: GNNExplainer's, as in the paper. Effect: how far the prediction moves, to"
        f" first order, when a bond is left out. The {settings.top} bonds of an atom that score highest are important.",
    ]  # fmt: skip


def model_lines(records: Sequence[dict[str, Any]]) -> list[str]:
    """The table of the models."""
    text = [
        "", "## Models", "",
        "| model | variant | trained on this glass | Pearson on it | spread of predictions (eV) | atoms seen | bonds |"
        " mask: core-s an atom | effect: core-s an atom |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for each in records:
        costs = [each[kind]["cost"] for kind in IMPORTANCE]
        seconds = " | ".join(f"{cost['core_seconds'] / cost['atoms']:.1f}" if cost else "–" for cost in costs)
        seen = "no" if not each["seen"] else "four of five members" if each["model"] == "shipped" else "yes"
        text.append(
            f"| {each['model']} | {each['variant']} | {seen} | {each['pearson']:.3f} | {each['spread']:.3f} |"
            f" {each['atoms_seen']:,.0f} | {each['bonds']:,.0f} | {seconds} |"
        )
    return [
        *text,
        "", "Correlations are with labels of which two independent sets correlate by 0.775. A model that hardly knows"
        " barriers says little about what they depend on.", "",
    ]  # fmt: skip


def distance_lines(judged: Sequence[Judged]) -> list[str]:
    """The table of distances of important atoms, and its picture."""
    low, high = judged[0].distances.span
    return [
        "## Where important atoms are", "",
        f"Share of the ends of important bonds that are {low:g} to {high:g} A from the explained atom; and the share of"
        f" those below {low:g} A, from {low:g} to {high:g} A and beyond, over that of bonds of the same lengths.", "",
        f"| model | importance | observed | {' | '.join(NULL_TITLES)} | excess over atoms |"
        " survives: length / and species | near / medium / far over null |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"{row(each, each.distances.medium)} {' / '.join(f'{ratio:.2f}' for ratio in over_null(each.distances))} |"
            for each in judged
        ), "",
        "![distances](explanations-distances.png)", "",
        "Orange: important atoms. Blue: ends of random bonds of the same lengths, with 95% of the permutations. Grey:"
        " all atoms that the model sees; their number grows as the square of the distance.", "",
    ]  # fmt: skip


def cycle_lines(judged: Sequence[Judged], results: ExplainResults) -> list[str]:
    """The table of cycles through important bonds, and its picture."""
    settings = results.settings
    text = [
        "## In how many cycles important bonds are", "",
        f"Mean number of optimal 1-cycles that contain a bond. High, medium, low: the first, middle and last"
        f" {settings.top} bonds of each atom by importance; random: {settings.top} of its bonds.", "",
        f"| model | importance | bonds | observed | {' | '.join(NULL_TITLES)} | excess over atoms |"
        " survives: length / and species |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for one in judged:
        if one.cycles is not None:
            text += [row(one, one.cycles.groups[group], f" {group} |") for group in GROUPS]
        else:
            text += [f"| {one.model} | {one.importance} | none: {results.without_cycles} |" + " |" * 7]
    return [
        *text,
        "", "![cycles](explanations-cycles.png)", "",
        "Bars: observed. Blue: bonds of the same lengths, with two standard deviations of the permutations.", "",
    ]  # fmt: skip


def check_lines(records: Sequence[dict[str, Any]], settings: Settings) -> list[str]:
    """How far the explanations themselves can be trusted."""
    starts = " | ".join(f"start ± {start:g}: Jaccard | rank correlation" for start in STARTS)
    text = [
        "", "## Can the importance be trusted?", "",
        f"Masks from two random starts, for {len(records[0]['mask']['reproduced']['atoms'])} atoms: the Jaccard index"
        f" of their top {settings.top} bonds and the rank correlation of all scores. Logits start with a standard"
        f" deviation of {STARTS[0]:g}, which is GNNExplainer's own, or of {STARTS[1]:g}; the masks above start from"
        " zero. Many masks keep one number, so which one is found depends on where the search starts. Effects do not"
        " depend on a start; the last column is their rank correlation with what leaving out single bonds does change,"
        f" for the top {settings.top} and as many others of the first thousand.", "",
        f"| model | {starts} | effects: rank correlation with leaving out |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for each in records:
        alike = [each["mask"]["reproduced"][str(start)] for start in STARTS]
        cells = " | ".join(f"{one['jaccard']:.2f} | {one['rank_correlation']:.2f}" for one in alike)
        text.append(f"| {each['model']} | {cells} | {np.mean(each['effect']['left_out']):.2f} |")
    text += [
        "", f"How far predictions move without the {settings.top} important bonds, and without as many random bonds of"
        " the same lengths and species: means over the atoms.", "",
        "| model | mask: important (eV) | same lengths (eV) | effect: important (eV) | same lengths (eV) |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for each in records:
        both = [each[kind]["moved"] for kind in IMPORTANCE]
        cells = " | ".join(f"{one['important']:.4f} | {one['same_lengths']:.4f}" for one in both)
        text.append(f"| {each['model']} | {cells} |")
    return [
        *text, "", "## One atom", "", "![atom](explanations-atom.png)", "",
        f"The atom of {records[0]['model']} whose prediction moves most without its important bonds (effect). Left: all"
        f" that the model sees, with the top {settings.top} bonds. Right: the closest 10 atoms with all bonds between"
        " them. Dark bonds are important; the scale is their effect in eV.",
    ]  # fmt: skip


def over_null(found: Distances) -> list[float]:
    """Important atoms over their length-matched null: nearer than the medium range, in it, and beyond."""
    middle, (low, high) = (found.edges[1:] + found.edges[:-1]) / 2, found.span
    parts = (middle < low, (middle >= low) & (middle < high), middle >= high)
    return [float(found.important[part].sum() / max(found.null[part].sum(), 1e-9)) for part in parts]


def near(found: Distances) -> bool:
    """Whether the near range is stronger over its null than the medium range."""
    ratios = over_null(found)
    return ratios[0] > ratios[1]


def row(each: Judged, found: NullTest, more: str = "") -> str:
    excess = found.excess[NULLS[0]]
    verdict = " / ".join("yes" if found.survives(null) else "no" for null in NULLS)
    nulls = " | ".join(interval(found, null) for null in NULLS)
    return (
        f"| {each.model} | {each.importance} |{more} {found.observed:.3f} | {nulls} |"
        f" {excess.mean:+.3f} ± {excess.error:.3f} | {verdict} |"
    )


def names_of(judged: Sequence[Judged], chosen: Callable[[Judged], NullTest | None]) -> str:
    """The models and kinds of importance for which a finding survives the length-matched null."""
    found = [(each, chosen(each)) for each in judged if each.model != CONTROL]
    kept = [f"{each.model} ({each.importance})" for each, finding in found if finding and finding.survives(NULLS[0])]
    return f"survives for {', '.join(kept)}" if kept else "survives for none"


def interval(found: NullTest, null: str) -> str:
    judged = found.nulls[null]
    low, high = judged.mean - 1.96 * judged.std, judged.mean + 1.96 * judged.std
    return f"{judged.mean:.3f} [{low:.3f}, {high:.3f}] | {judged.p:.3f}"


def draw(judged: Sequence[Judged], results: ExplainResults, folder: Path) -> None:
    """Distances and cycles of all models in one picture each, and an atom of the first model."""
    names = list(dict.fromkeys(each.model for each in judged if each.model != CONTROL))
    panels = {(each.importance, each.model): each for each in judged}
    explained = results.models[0]
    meta = explained.model.opened.metadata

    def distances(axes: Any, each: Judged) -> None:
        figures.draw_densities(axes, each.distances, "A")

    def cycles(axes: Any, each: Judged) -> None:
        if each.cycles is not None:
            figures.draw_means(axes, each.cycles)

    draws: dict[str, Callable[[Any, Judged], None]] = {"distances": distances, "cycles": cycles}
    for what, on in draws.items():
        with plots.style():
            figure = plots.new_figure(0.6 + 2.7 * len(names), 0.6 + 2.4 * len(IMPORTANCE))
            grid = figure.subplots(len(IMPORTANCE), len(names), squeeze=False)
            places = itertools.product(IMPORTANCE, names)
            for axes, (importance, name) in zip(grid.reshape(-1), places, strict=True):
                on(axes, panels[importance, name])
                axes.set_title(f"{name}: {importance}")
            plots.legend_below(figure)
        plots.save(figure, folder / f"explanations-{what}.png")
    most = max(explained.explanations, key=lambda each: abs(each.removed - each.prediction))
    figure = figures.structure_figure(most, results.structure.types, meta.species, top=results.settings.top, length="A")
    with plots.style(), atomic_path(folder / "explanations-atom.png") as work:
        figure.savefig(work, dpi=120, metadata={"Software": "vitrify"})  # thousands of atoms make large files
