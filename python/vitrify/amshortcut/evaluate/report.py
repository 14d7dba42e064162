"""The report of an evaluation of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrify.amshortcut.evaluate.baselines import CITATION, PUBLISHED, PUBLISHED_SYSTEM
from vitrify.amshortcut.evaluate.figures import design_figure, distribution_figure, quality_figure
from vitrify.amshortcut.evaluate.results import AMShortcutResults
from vitrify.analysis.ensembles import TOTAL
from vitrify.report import plots
from vitrify.report.html import Report, number, percent
from vitrify.report.provenance import add_provenance

REFERENCE = "reference"
Published = Mapping[str, Mapping[int, tuple[float, float, float]]]


def label(row: Mapping[str, Any]) -> str:
    """The name of a run in tables and figures: sampling steps, corrector and MD."""
    steps = f"{row['steps']} step{'s' if row['steps'] != 1 else ''}"
    corrector = " + corrector" if row["method"].endswith("corrected") else ""
    return f"MD in the time of {steps}{corrector}" if row["method"].startswith("md-") else f"model, {steps}{corrector}"


def make_report(results: AMShortcutResults, folder: Path) -> Report:
    """The report; its figures go to `folder`, too."""
    metrics = results.metrics
    report = Report(
        f"Evaluation of {results.name}",
        f"{metrics['runs'][0]['samples']} structures of each kind against {len(results.reference.samples)} of "
        f"{results.recipe.get('title', metrics['data'][0]['name'])}; vitrify {metrics['versions']['vitrify']}",
    )
    _distributions(report, results, folder)
    _structure(report, results)
    for found in metrics["design"]:
        _design(report, results, found, folder)
    _provenance(report, results)
    return report


def _distributions(report: Report, results: AMShortcutResults, folder: Path) -> None:
    metrics = results.metrics
    report.section("Radial and angular distributions")
    if metrics["trained_on_data"]:
        report.text("The reference is a file that the model was trained on, as a whole or in part.")
    published = PUBLISHED if results.recipe.get("system") == PUBLISHED_SYSTEM else {}
    _distribution_table(report, metrics, published)
    refused = ", ".join(f"{label(row)}: {row['refused']}" for row in metrics["runs"] if row["refused"])
    if refused:
        report.text(f"Structures that failed the checks of the generator or the corrector, and are missing: {refused}.")
    generated = [run for run, row in enumerate(metrics["runs"]) if not row["method"].startswith("md-")]
    names = {run: label(metrics["runs"][run]) for run in generated}
    seconds = metrics["reference_cpu_seconds"]
    if seconds:
        shares = (f"{names[run]} {number(metrics['runs'][run]['cpu_seconds'] / seconds, 2)}" for run in generated)
        report.text(
            f"A simulation of the reference took {number(seconds)} CPU-s; a structure of the model, this part of it: "
            f"{', '.join(shares)}."
        )
    for what, unit, title in (("rdf", "r (A)", "g(r)"), ("adf", "angle (degrees)", "density (1/degree)")):
        curves = {REFERENCE: getattr(results.reference, what)}
        curves |= {name: getattr(results.measured[run], what) for run, name in names.items()}
        path = plots.save(distribution_figure(curves, REFERENCE, unit, title), folder / f"{what}.png")
        report.figure(path, f"{what.upper()}: means over samples, generated and corrected, over the reference.")
    table = {"published AMShortcut": published["AMShortcut"]} if published else {}
    path = plots.save(quality_figure(metrics["runs"], metrics["floor"], table), folder / "quality.png")
    report.figure(
        path, "RMSD of RDF and ADF against sampling steps and against CPU time; MD from a random start at its own time."
    )


def _distribution_table(report: Report, metrics: Mapping[str, Any], published: Published) -> None:
    floor, partial = metrics["floor"], len(metrics["runs"][0]["rdf"]) > 2
    blank = ["–"] * partial
    rows = [_distribution_row(row, partial) for row in metrics["runs"]]
    rows.append(["floor", number(floor["rdf"]), number(floor["adf"]), *blank, "–", "–", "–"])
    for name, at in published.items():
        for steps in sorted({row["steps"] for row in metrics["runs"]} & at.keys()):
            rdf, adf, minutes = at[steps]
            rows.append(
                [
                    f"published {name}, {steps}", number(rdf), number(adf), *blank,
                    f"{number(60 * minutes / 10_000)} (GPU)", number(10_000 / 60 / minutes), "–",
                ]
            )  # fmt: skip
    by_pair = ["by pair"] * partial
    report.table(
        ["", "RDF RMSD", "ADF RMSD", *by_pair, "CPU-s a sample", "samples a CPU-s", "MD steps"], rows,
        note="Distributions are averaged over samples before their difference is taken: RDF to 5 A in 100 bins, ADF of "
        "neighbours within 3 A in bins of a degree, as a density. CPU seconds: of one process, on this machine. MD: "
        "from a random start in the same cell, pushed apart, minimised for 20 iterations and run at the temperature "
        f"for as long as the generator takes. Floor: {floor['samples']} reference samples against {floor['against']} "
        "others, of other simulations." + (f" Published: {CITATION}." if published else ""),
        model="model",
    )  # fmt: skip


def _distribution_row(row: Mapping[str, Any], partial: bool) -> list[str]:
    """partial: whether the differences of the g(r) of each pair of species have a column."""
    pairs = ", ".join(f"{pair} {number(value)}" for pair, value in row["rdf"].items() if pair != TOTAL)
    return [
        label(row), number(row["rdf"][TOTAL]), number(row["adf"][TOTAL]), *([pairs] if partial else []),
        number(row["cpu_seconds"]), number(row["samples_per_second"]),
        "–" if row["md_steps"] is None else f"{row['md_steps']}",
    ]  # fmt: skip


def _structure(report: Report, results: AMShortcutResults) -> None:
    metrics, ensemble = results.metrics, results.reference
    report.section("Structure")
    pairs = [name for name in metrics["reference"]["coordination"] if ensemble.shares[name].argmax() > 0]
    rows = []
    for name, row in [(REFERENCE, metrics["reference"]), *((label(row), row) for row in metrics["runs"])]:
        energy = row["energy"] or {}
        rows.append(
            [
                name,
                *(f"{number(row['coordination'][p]['mean'])} ({percent(row['coordination'][p]['defects'])})"
                  for p in pairs),
                number((row["rings"] or {}).get("mean")),
                number(row["density"]["mean"], 4), number(row["low_q"]), number(row["short_pairs"]["per_atom"], 2),
                _energy(energy), number((row["novelty"] or {}).get("mean")),
            ]
        )  # fmt: skip
    cutoffs = ", ".join(f"{name} {value:.3g}" for name, value in ensemble.cutoffs.items())
    report.table(
        ["", *(f"{pair} neighbours (defects)" for pair in pairs), "ring size", "g/cm³", "S(q), low q",
         "short pairs an atom", "energy at rest (eV/atom)", "novelty (A)"],
        rows, model="model",
        note=f"Neighbours within the first minima of the reference ({cutoffs} A); defects: atoms with another number "
        f"than most have in the reference. Rings: shortest paths. S(q): mean below {ensemble.limit:.3g} / A; voids "
        "raise it. Short pairs: closer than any of their kind in the reference. Energy after minimisation at fixed "
        "cell, ± its standard error. Novelty: distance to the nearest training structure, between the distances to "
        "the nearest neighbours of atoms; 0 for a copy. The reference row is of as many of its samples.",
    )  # fmt: skip


def _energy(energy: Mapping[str, Any]) -> str:
    if energy.get("mean") is None:
        return "–"
    error = f" ± {number(energy['stderr'], 1)}" if energy.get("stderr") is not None else ""
    return f"{energy['mean']:.4f}{error}" + (f", {energy['failed']} failed" if energy["failed"] else "")


def _design(report: Report, results: AMShortcutResults, found: Mapping[str, Any], folder: Path) -> None:
    name, steps = found["property"], found["steps"]
    unit = next((target.unit for target in results.metadata.properties if target.name == name), "")
    report.section(f"Inverse design: {name}, {steps} step{'s' if steps != 1 else ''}")
    rows = [
        [what, *(number(found[key][each]) for each in ("mae", "rmse", "mape")), f"{found[key]['failed']}"]
        for what, key in (("asked for", "errors"), ("asked for nothing", "unconditional_errors"))
    ]
    report.table(
        ["", f"MAE ({unit})" if unit else "MAE", "RMSE", "MAPE (%)", "not calculated"], rows, model="asked for",
        note=f"{len(found['targets'])} targets from {found['targets'][0]:g} to {found['targets'][-1]:g}, one structure "
        "each, none rejected; the property is calculated from the structure, without the model. The second row "
        "compares structures that were asked for nothing with the same targets.",
    )  # fmt: skip
    what = f"{name} ({unit})" if unit else name
    path = plots.save(design_figure(found, what), folder / f"{name}-{steps}.png")
    report.figure(path, f"Calculated against asked {name}; dashed: agreement.")


def _provenance(report: Report, results: AMShortcutResults) -> None:
    model, settings = results.metadata, results.settings
    add_provenance(report, model, results.metrics, identity={"process": model.process})
    if settings.potential:
        report.text("LAMMPS commands of the potential:")
        report.code("\n".join(settings.potential))
    if model.citation:
        report.text(model.citation)
