"""The report of an explanation: the important bonds, and whether the paper's findings survive their nulls."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitrify.core.units import get_units
from vitrify.report import plots
from vitrify.report.html import Report, number
from vitrify.symgnn.explain import dumps, figures
from vitrify.symgnn.explain.null_tests import GROUPS, LEVEL, NULLS, NullTest, verdict
from vitrify.symgnn.explain.results import ExplainedModel, ExplainResults
from vitrify.symgnn.explain.settings import BIN
from vitrify.symgnn.explain.topology import INSTALL

_KINDS = {"mask": "GNNExplainer for regression", "effect": "effects of single bonds"}
_SHOWN = 4  # atoms whose pictures are in the report; the others' are in the folder


def make_report(results: ExplainResults, folder: Path) -> Report:
    """The report; its pictures and the files for OVITO go to `folder`, too."""
    _write_dumps(results, folder)
    first = results.models[0]
    meta = first.model.metadata
    length = get_units(meta.units).length
    report = Report(
        f"Explanation of {first.model.path.name}",
        f"{meta.property.name} of {len(first.explanations)} atoms of {results.source} "
        f"({len(results.structure)} atoms): {_KINDS[results.settings.importance]}, with length-matched nulls",
    )
    _summary(report, results)
    for each in results.models:
        _atoms(report, each, results, folder, length)
    _distances(report, results, folder, length)
    _cycles(report, results, folder, length)
    _method(report, results, length)
    _provenance(report, results)
    return report


def _write_dumps(results: ExplainResults, folder: Path) -> None:
    species = results.models[0].model.metadata.species
    for prefix, each in zip(("", "baseline_"), results.models, strict=False):
        dumps.write_extxyz(folder / f"{prefix}importance.extxyz", results.structure, species, each.explanations)
        dumps.write_dump(folder / f"{prefix}importance.dump", results.structure, species, each.explanations)
        dumps.write_local(folder / f"{prefix}edges.dump", results.structure, each.explanations, results.cycles)


def _summary(report: Report, results: ExplainResults) -> None:
    report.section("Findings")
    for each in results.models:
        low, high = each.distances.span
        report.text(
            f"{each.name}. Medium range (share of the ends of important bonds from {low:g} to {high:g}, Fig. 5a): "
            f"{verdict(each.distances.medium)}"
        )
        if each.cycles:
            report.text(
                f"{each.name}. Cycles (optimal 1-cycles that contain an important bond, Tables 6 and 9): "
                f"{verdict(each.cycles.groups['high'])}"
            )
    report.text(
        f"A finding survives a null if it is above it with p < {LEVEL:g} and, over three explained atoms or more, by "
        "more than two standard errors of their mean: bonds of one atom are near each other, so they are not "
        "independent, and p alone is too small."
    )
    if results.cycles is None:
        report.text(f"There is no persistent homology here: {results.without_cycles}.")


def _atoms(report: Report, each: ExplainedModel, results: ExplainResults, folder: Path, length: str) -> None:
    report.section(f"Explained atoms: {each.name}")
    species, types = results.models[0].model.metadata.species, results.structure.types
    top = results.settings.top
    _atom_table(report, each, [species[types[found.centre]] for found in each.explanations], top)
    prefix = "" if each is results.models[0] else "baseline_"
    for index, found in enumerate(each.explanations):
        figure = figures.structure_figure(found, types, species, top=top, length=length)
        path = plots.save(figure, folder / "pictures" / f"{prefix}atom_{found.centre + 1}.png")
        if index < _SHOWN:
            report.figure(
                path,
                f"Atom {found.centre + 1}. Left: all that the model sees, with the top {top} bonds. Right: the closest "
                "10 atoms with all bonds between them. Dark bonds are important; pale atoms have none of these bonds.",
            )
    if len(each.explanations) > _SHOWN:
        report.text(f"Pictures of all {len(each.explanations)} atoms are in the folder pictures.")


def _atom_table(report: Report, each: ExplainedModel, species: Sequence[str], top: int) -> None:
    """species: of each explained atom."""
    unit = each.model.metadata.property.unit
    rows = []
    for found, name in zip(each.explanations, species, strict=True):
        change, matched = abs(found.removed - found.prediction), np.abs(found.matched - found.prediction)
        rows.append(
            [
                f"{found.centre + 1} ({name})", str(len(found.atoms)), str(len(found.scores)),
                f"{number(found.prediction)} ± {number(found.deviation, 2)}", number(found.masked), number(found.kept),
                number(change, 2), f"{number(float(matched.mean()), 2)} ± {number(float(matched.std()), 2)}",
            ]
        )  # fmt: skip
    report.table(
        [
            "atom", "atoms seen", "bonds", f"prediction ({unit})" if unit else "prediction", "masked",
            f"top {top} alone", f"change without top {top}", "without others of their lengths",
        ],
        rows,
        note="Masked: with every bond weighed by its mask, which should be the prediction. The last two: how "
        f"far the prediction moves when the top {top} bonds are left out, and when as many random bonds of the same "
        "lengths and species are (mean ± standard deviation of ten draws). Atoms count from 1.",
    )  # fmt: skip


def _distances(report: Report, results: ExplainResults, folder: Path, length: str) -> None:
    report.section("Where important atoms are (Fig. 5a)")
    rows = []
    for each in results.models:
        found, (low, high) = each.distances, each.distances.span
        middle = (found.edges[1:] + found.edges[:-1]) / 2
        everything = float(found.everything[(middle >= low) & (middle < high)].sum())
        rows.append([each.name, *_cells(found.medium), number(everything)])
    report.table(
        ["share in the medium range", *_HEADER, "all atoms seen"], rows,
        note="Ends of important bonds, without the explained atom. The number of atoms grows as the square of the "
        "distance, so most of what any network sees is in the medium range: only the difference from the null counts.",
    )  # fmt: skip
    path = plots.save(
        figures.distance_figure({each.name: each.distances for each in results.models}, length=length),
        folder / "distances.png",
    )
    report.figure(
        path,
        "Left: distance of important atoms, of all atoms seen and of the ends of random bonds of the same lengths as "
        "the important ones. Right: important atoms over that null; 1 is what lengths alone give.",
    )


def _cycles(report: Report, results: ExplainResults, folder: Path, length: str) -> None:
    report.section("Importance and persistent homology (Fig. 5b, Tables 6 and 9)")
    tables = {each.name: each.cycles for each in results.models if each.cycles}
    if results.cycles is None or not tables:
        report.text(f"Skipped: {results.without_cycles}.")
        return
    cycles, top = results.cycles, results.settings.top
    species = results.models[0].model.metadata.species
    for name, table in tables.items():
        rows = [[group, *_cells(table.groups[group])] for group in GROUPS]
        report.table([f"mean optimal cycles, {name}", *_HEADER], rows, model="high")
    radii = ", ".join(f"{name} {radius:.3f} {length}" for name, radius in zip(species, cycles.radii, strict=True))
    report.text(
        f"High, medium and low: the first, middle and last {top} bonds of each explained atom by importance; random: "
        f"{top} of its bonds. {len(cycles.births)} optimal 1-cycles of the weighted alpha complex of the periodic "
        f"structure (radii {radii}, from the first peaks of its g(r)); longer bonds than its edges are in none."
    )
    path = plots.save(figures.cycle_figure(tables), folder / "cycles.png")
    report.figure(
        path,
        "Left: how many optimal cycles contain a bond. Right: means of the groups (bars) and what bonds of the same "
        "lengths have (blue, two standard deviations).",
    )


_HEADER = [
    "observed",
    *(text for null in NULLS for text in (f"null: {null}", "z", "p", "excess over atoms", "survives")),
]


def _cells(found: NullTest) -> list[str]:
    cells = [number(found.observed)]
    for null in NULLS:
        each, excess = found.nulls[null], found.excess[null]
        cells += [f"{number(each.mean)} ± {number(each.std, 2)}", number(each.z, 2), number(each.p, 2)]
        cells += [f"{number(excess.mean, 2)} ± {number(excess.error, 1)}", "yes" if found.survives(null) else "no"]
    return cells


def _method(report: Report, results: ExplainResults, length: str) -> None:
    settings = results.settings
    width = f"{BIN[results.models[0].model.metadata.units]:g} {length}".strip()
    report.section("Method")
    weighed = (
        "A weight multiplies the terms of every sum over the edges of an atom: 1 is the model as it is, 0 the same as "
        "leaving the bond out, which is checked on the reference case of each model file."
    )
    if settings.importance == "effect":
        report.text(
            "The importance of a bond is the size of the slope of the prediction with its weight, in the unit of the "
            f"prediction: how far that moves, to first order, when the bond is left out. {weighed}"
        )
    else:
        report.text(
            "One mask m for each bond that the prediction depends on minimises ((f(m) - f(1)) / spread)² + "
            f"{settings.size:g} mean(m) + {settings.entropy:g} mean entropy(m) (Adam, {settings.epochs} steps of "
            f"{settings.rate:g}); the spread is that of the predictions over the structure. {weighed}"
        )
        report.text(
            "Many masks keep one number: with another start of the optimiser, other bonds come first. The columns "
            f"'change without' say how much the top {settings.top} bonds matter to the model."
        )
    report.text(
        f"Nulls: the importance of the bonds of one atom is shuffled {settings.permutations} times among bonds of "
        f"equal length (bins of {width}), and among those of equal length and species. z is the difference in "
        "standard deviations of the null, p is two-sided."
    )


def _provenance(report: Report, results: ExplainResults) -> None:
    settings = results.settings
    report.section("Provenance")
    structure = results.metrics["structure"]
    rows = [["structure", structure["name"]], ["positions, cell and types, SHA-256", structure["sha256"]]]
    for each in results.models:
        rows += [["model file", each.name], ["model SHA-256", each.digest]]
    report.table(["what", "value"], rows)
    report.text("To reproduce:")
    first, *others = results.models
    atoms = [found.centre + 1 for found in first.explanations]
    names = [each.model.path.name for each in (first, *others)]
    if settings.start:  # which is no option of the command line
        chosen = dataclasses.replace(settings, atoms=tuple(atoms), baseline=names[1] if others else None)
        report.code(f"EXPLANATION.run({names[0]!r}, {results.source!r}, settings={chosen!r})")
    else:
        baseline = f" --baseline {names[1]}" if others else ""
        how = settings.importance + (f" --epochs {settings.epochs}" if settings.importance == "mask" else "")
        report.code(
            f"vitrify explain {names[0]} {results.source} --atoms {','.join(map(str, atoms))}{baseline} "
            f"--seed {settings.seed} --permutations {settings.permutations} --importance {how} "
            f"--top {settings.top}{'' if settings.topology else ' --no-topology'}"
        )
    if results.cycles is not None:
        report.text("Persistent homology: homcloud (I. Obayashi et al.), an optional extra.")
    elif INSTALL in results.without_cycles:
        report.code(INSTALL)
    if first.model.metadata.citation:
        report.text(first.model.metadata.citation)
