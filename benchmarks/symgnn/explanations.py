"""What `vitrify explain` says of one glass, for several models: results/symgnn/explanations.md, .json and pictures.

    python -m benchmarks.symgnn.explanations --data runs/cu64zr36 --fits runs/symgnn_table/barriers
    python -m benchmarks.symgnn.explanations --data DIR --fits DIR --models schnet --number 5 --results /tmp/results

Models: `shipped` is the model file that vitrify brings; any other name is a variant that `table.py barriers` has
fitted, whose fit of --seed without the explained glass is exported. The glass is sample2.npz, which no fit of that fold
has seen. Atoms are drawn with --seed, the same ones for all models.

Each model is explained twice: with GNNExplainer's masks, as the paper did, and with the effects of single bonds. Both
findings of the paper, that important atoms are in the medium range and that important bonds are in many cycles, stand
beside the nulls of `vitrify explain`, and so does a control: importance that falls with length and knows nothing else,
which must not survive. What was explained before is not explained again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import paths
from benchmarks.common.output import write_text
from vitrify.analysis.scores import pearson, spearman
from vitrify.core.files import atomic_path, sha256
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.export.from_run import export_run
from vitrify.modelfile.archive import find_model
from vitrify.report import plots
from vitrify.symgnn.explain import pictures
from vitrify.symgnn.explain.crop import all_edges, crop
from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.findings import (
    GROUPS,
    LEVEL,
    NULLS,
    CycleTable,
    Distances,
    Finding,
    Population,
    judge_findings,
    survival,
)
from vitrify.symgnn.explain.mask import MaskedModel, one_thread
from vitrify.symgnn.explain.run import Explained, Results, find, write
from vitrify.symgnn.explain.settings import BIN, IMPORTANCE, MEDIUM_RANGE, Settings

SHIPPED = "Cu64Zr36.symgnn.pt"
GLASS, FOLD, LABEL = "sample2.npz", "fold2", "barrier"
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


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def model_file(name: str, fits: Path, seed: int, work: Path) -> Path:
    """The model file called `name`, exported from its fit where it is not there or the fit is newer."""
    if name == "shipped":
        return find_model(SHIPPED).resolve()
    fit = fits / name / f"{FOLD}-seed{seed}" / "run"
    best, path = fit / "best.ckpt", work / f"{name}.symgnn.pt"
    if not best.is_file():
        raise SystemExit(f"{fit} holds no fit: make it with `python -m benchmarks.symgnn.table barriers`")
    if not path.is_file() or path.stat().st_mtime < best.stat().st_mtime:
        path.parent.mkdir(parents=True, exist_ok=True)
        export_run(fit, path)
    return path


def timed(path: Path, folder: Path, action: Callable[[], object]) -> dict[str, float]:
    """What explaining has cost so far, which `path` keeps: atoms, core-seconds, seconds."""

    def explained() -> int:
        return len(list(folder.glob("explanations/*/atom_*.npz")))

    before, wall, core = explained(), time.perf_counter(), time.process_time()
    action()
    cost: dict[str, float] = json.loads(path.read_text()) if path.is_file() and before else {}
    if explained() > before:
        cost["atoms"] = cost.get("atoms", 0) + explained() - before
        cost["core_seconds"] = cost.get("core_seconds", 0.0) + time.process_time() - core
        cost["seconds"] = cost.get("seconds", 0.0) + time.perf_counter() - wall
        path.write_text(json.dumps(cost))
    return cost


# Checks


def overlap(one: Explanation, other: Explanation, top: int) -> tuple[float, float]:
    """Of two explanations of one atom: the Jaccard index of the top bonds and the rank correlation of all scores."""
    first, second = set(one.top(top).tolist()), set(other.top(top).tolist())
    return len(first & second) / len(first | second), spearman(one.scores, other.scores)


def reproduced(file: Path, glass: Path, folder: Path, atoms: tuple[int, ...], top: int) -> dict[str, Any]:
    """How alike masks are that started apart, for each of STARTS; mean over the atoms."""
    found: dict[str, Any] = {"atoms": list(atoms)}
    for start in STARTS:
        runs = [
            find(
                file, glass, folder,
                Settings(atoms=atoms, start=start, seed=seed, top=top, permutations=1, topology=False), progress=False,
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
    edges = all_edges(glass.positions, glass.cell, model.loaded.metadata.cutoff)
    part = crop(edges, found.centre, int(found.hops.max()))
    if not np.array_equal(part.atoms, found.atoms):
        raise SystemExit(f"atom {found.centre + 1} was explained with another graph: remove its explanations")
    started = model.start(
        torch.as_tensor(glass.types[part.atoms]), torch.as_tensor(part.pairs),
        torch.as_tensor(part.vectors).to(model.loaded.dtype), torch.as_tensor(part.hops),
    )  # fmt: skip
    ranked = found.top(min(1000, len(found.scores)))
    rng = np.random.default_rng(found.centre)
    chosen = np.concatenate([ranked[:top], rng.choice(ranked[top:], min(top, len(ranked) - top), replace=False)])
    changes = []
    for bond in chosen:
        # Both directions of a bond, which are edges of their own; of one image, in a cell as wide as this one.
        ends = np.sort(part.pairs, axis=0) == np.sort(found.bonds[bond])[:, None]
        weights = torch.as_tensor(np.where(ends.all(0), 0.0, 1.0)).to(model.loaded.dtype)
        with torch.no_grad():
            changes.append(abs(float(model(started, weights)[0][0]) - found.prediction))
    return spearman(found.scores[chosen], changes)


def moved(explanations: Sequence[Explanation]) -> dict[str, float]:
    """How far predictions move without the important bonds, and without others of their lengths: means over atoms."""
    return {
        "important": float(np.mean([abs(each.removed - each.prediction) for each in explanations])),
        "same_lengths": float(np.mean([np.abs(each.matched - each.prediction).mean() for each in explanations])),
    }


def control(results: Results, settings: Settings) -> Judged:
    """The findings where importance falls with length, with some noise, and knows nothing else."""
    explained = results.models[0]
    rng = np.random.default_rng(settings.seed)
    made = [
        dataclasses.replace(each, scores=-each.lengths + rng.normal(scale=0.3, size=len(each.scores)))
        for each in explained.explanations
    ]
    units = explained.model.loaded.metadata.units
    population = Population(made, results.structure.types, BIN[units], settings)
    return Judged(
        CONTROL, "falls with length", *judge_findings(population, made, results.cycles, MEDIUM_RANGE[units], settings)
    )


# Results


def judge(name: str, arguments: argparse.Namespace, glass: LabelledStructure) -> tuple[dict[str, Any], list[Results]]:
    """The record of one model, and its results for each kind of importance."""
    file = model_file(name, arguments.fits, arguments.seed, arguments.work)
    path, folder = arguments.data / GLASS, arguments.work / "found"
    record: dict[str, Any] = {"model": name}
    found = []
    for importance in IMPORTANCE:
        settings = Settings(number=arguments.number, seed=arguments.seed, importance=importance)
        quick = dataclasses.replace(settings, permutations=1, topology=False)
        say(f"{name}: {importance}")
        costs = folder / f"cost-{sha256(file)[:12]}-{importance}-{settings.number}-{settings.seed}.json"
        cost = timed(costs, folder, functools.partial(find, file, path, folder, quick))
        results = find(file, path, folder, settings)
        write(results, arguments.work / f"{name}-{importance}")
        found.append(results)
        explained = results.models[0]
        record |= describe(explained, glass, path)
        record[importance] = {
            "cost": cost, "moved": moved(explained.explanations), **as_record(explained.distances, explained.cycles),
        }  # fmt: skip
    say(f"{name}: checks")
    atoms = tuple(each.centre + 1 for each in found[0].models[0].explanations[: arguments.checked])
    with one_thread():
        record["mask"]["reproduced"] = reproduced(file, path, folder, atoms, settings.top)
        effects = found[IMPORTANCE.index("effect")].models[0]
        record["effect"]["left_out"] = [
            left_out(effects.model, glass, each, settings.top) for each in effects.explanations[: arguments.checked]
        ]
    return record, found


def describe(explained: Explained, glass: LabelledStructure, path: Path) -> dict[str, Any]:
    """What a model is, and how good it is on the glass."""
    loaded = explained.model.loaded
    values = loaded.predict(glass.positions, glass.cell, glass.types)[0]
    known = np.isfinite(glass.labels)
    return {
        "file": loaded.path.name, "sha256": explained.digest, "variant": loaded.metadata.variant,
        "seen": sha256(path) in {each.get("sha256") for each in loaded.metadata.provenance.data},
        "pearson": pearson(values[known], glass.labels[known]), "spread": float(values.std()),
        "atoms": [each.centre + 1 for each in explained.explanations],
        "atoms_seen": float(np.mean([len(each.atoms) for each in explained.explanations])),
        "bonds": float(np.mean([len(each.scores) for each in explained.explanations])),
    }  # fmt: skip


def as_record(distances: Distances, cycles: CycleTable | None) -> dict[str, Any]:
    """Both findings, for explanations.json."""
    found: dict[str, Any] = {"medium_range": {"span": distances.span, **distances.medium.as_dict()}}
    found["medium_range"]["verdict"] = survival(distances.medium)
    found["medium_range"]["near_medium_far_over_null"] = over_null(distances)
    if cycles is not None:
        found["cycles"] = {group: finding.as_dict() for group, finding in cycles.groups.items()}
        found["cycles"]["high"]["verdict"] = survival(cycles.groups["high"])
    return found


def draw(judged: Sequence[Judged], results: Results, folder: Path) -> None:
    """Distances and cycles of all models in one picture each, and an atom of the first model."""
    names = list(dict.fromkeys(each.model for each in judged if each.model != CONTROL))
    panels = {(each.importance, each.model): each for each in judged}
    explained = results.models[0]
    meta = explained.model.loaded.metadata

    def distances(axes: Any, each: Judged) -> None:
        pictures.draw_densities(axes, each.distances, "A")

    def cycles(axes: Any, each: Judged) -> None:
        if each.cycles is not None:
            pictures.draw_means(axes, each.cycles)

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
    figure = pictures.structure_figure(
        most, results.structure.types, meta.species, top=results.settings.top, length="A"
    )
    with plots.style(), atomic_path(folder / "explanations-atom.png") as work:
        figure.savefig(work, dpi=120, metadata={"Software": "vitrify"})  # thousands of atoms make large files


def interval(found: Finding, null: str) -> str:
    judged = found.nulls[null]
    low, high = judged.mean - 1.96 * judged.std, judged.mean + 1.96 * judged.std
    return f"{judged.mean:.3f} [{low:.3f}, {high:.3f}] | {judged.p:.3f}"


def over_null(found: Distances) -> list[float]:
    """Important atoms over their length-matched null: nearer than the medium range, in it, and beyond."""
    middle, (low, high) = (found.edges[1:] + found.edges[:-1]) / 2, found.span
    parts = (middle < low, (middle >= low) & (middle < high), middle >= high)
    return [float(found.important[part].sum() / max(found.null[part].sum(), 1e-9)) for part in parts]


def near(found: Distances) -> bool:
    """Whether the near range is stronger over its null than the medium range."""
    ratios = over_null(found)
    return ratios[0] > ratios[1]


def row(each: Judged, found: Finding, more: str = "") -> str:
    excess = found.excess[NULLS[0]]
    verdict = " / ".join("yes" if found.survives(null) else "no" for null in NULLS)
    nulls = " | ".join(interval(found, null) for null in NULLS)
    return (
        f"| {each.model} | {each.importance} |{more} {found.observed:.3f} | {nulls} |"
        f" {excess.mean:+.3f} ± {excess.error:.3f} | {verdict} |"
    )


def names_of(judged: Sequence[Judged], chosen: Callable[[Judged], Finding | None]) -> str:
    """The models and kinds of importance for which a finding survives the length-matched null."""
    found = [(each, chosen(each)) for each in judged if each.model != CONTROL]
    kept = [f"{each.model} ({each.importance})" for each, finding in found if finding and finding.survives(NULLS[0])]
    return f"survives for {', '.join(kept)}" if kept else "survives for none"


def lines(records: Sequence[dict[str, Any]], judged: Sequence[Judged], results: Results, glass: str) -> list[str]:
    """explanations.md."""
    settings, (low, high) = results.settings, judged[0].distances.span
    models = [each for each in judged if each.model != CONTROL]
    head = [f"null: {null}, mean [95%] | p" for null in NULLS]
    text = [
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
    text += [
        "", "Correlations are with labels of which two independent sets correlate by 0.775. A model that hardly knows"
        " barriers says little about what they depend on.", "",
        "## Where important atoms are", "",
        f"Share of the ends of important bonds that are {low:g} to {high:g} A from the explained atom; and the share of"
        f" those below {low:g} A, from {low:g} to {high:g} A and beyond, over that of bonds of the same lengths.", "",
        f"| model | importance | observed | {' | '.join(head)} | excess over atoms | survives: length / and species |"
        " near / medium / far over null |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"{row(each, each.distances.medium)} {' / '.join(f'{ratio:.2f}' for ratio in over_null(each.distances))} |"
            for each in judged
        ), "",
        "![distances](explanations-distances.png)", "",
        "Orange: important atoms. Blue: ends of random bonds of the same lengths, with 95% of the permutations. Grey:"
        " all atoms that the model sees; their number grows as the square of the distance.", "",
        "## In how many cycles important bonds are", "",
        f"Mean number of optimal 1-cycles that contain a bond. High, medium, low: the first, middle and last"
        f" {settings.top} bonds of each atom by importance; random: {settings.top} of its bonds.", "",
        f"| model | importance | bonds | observed | {' | '.join(head)} | excess over atoms |"
        " survives: length / and species |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for one in judged:
        if one.cycles is not None:
            text += [row(one, one.cycles.groups[group], f" {group} |") for group in GROUPS]
        else:
            text += [f"| {one.model} | {one.importance} | none: {results.without_cycles} |" + " |" * 7]
    text += [
        "", "![cycles](explanations-cycles.png)", "",
        "Bars: observed. Blue: bonds of the same lengths, with two standard deviations of the permutations.", "",
        "## Verdicts", "",
    ]  # fmt: skip
    for one in judged:
        text.append(f"- {one.model}, {one.importance}, medium range: {survival(one.distances.medium)}")
        if one.cycles is not None:
            text.append(f"- {one.model}, {one.importance}, cycles: {survival(one.cycles.groups['high'])}")
    return text + check_lines(records, settings)


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {GLASS}")
    parser.add_argument("--fits", type=Path, required=True, help="folder of the fits of table.py barriers")
    parser.add_argument("--models", nargs="+", default=["shipped", "schnet", "paper"])
    parser.add_argument("--number", type=int, default=20, help="atoms to explain, two or more")
    parser.add_argument("--checked", type=int, default=3, help="so many of them for the checks")
    parser.add_argument("--seed", type=int, default=1, help="of the atoms, and of the fits")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "symgnn_explanations")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "symgnn")
    chosen = parser.parse_args(arguments)
    if chosen.number < 2 or not 1 <= chosen.checked <= chosen.number:
        parser.error("explain two atoms or more, and check one to all of them")
    torch.set_num_threads(1)
    records: list[dict[str, Any]] = []
    judged: list[Judged] = []
    shown = None
    for name in chosen.models:
        species = ("Cu", "Zr")
        glass = load_structures(chosen.data / GLASS, species, LABEL)[-1]
        record, found = judge(name, chosen, glass)
        records.append(record)
        for importance, results in zip(IMPORTANCE, found, strict=True):
            explained = results.models[0]
            judged.append(Judged(name, importance, explained.distances, explained.cycles))
            if importance == "effect" and shown is None:
                shown = results
    assert shown is not None
    say("control")
    judged.append(control(shown, shown.settings))
    chosen.results.mkdir(parents=True, exist_ok=True)
    draw(judged, shown, chosen.results)
    whole = {
        "glass": GLASS, "settings": dataclasses.asdict(shown.settings), "models": records,
        CONTROL: as_record(judged[-1].distances, judged[-1].cycles),
    }  # fmt: skip
    for suffix, text in (
        ("json", json.dumps(whole, indent=1, allow_nan=False)),
        ("md", "\n".join(lines(records, judged, shown, GLASS))),
    ):
        write_text(chosen.results / f"explanations.{suffix}", text + "\n")
    say(f"{chosen.results / 'explanations.md'} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
