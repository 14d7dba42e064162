"""The report of an evaluation of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrify.amshortcut.evaluate.baselines import CITATION, PUBLISHED, PUBLISHED_SYSTEM
from vitrify.amshortcut.evaluate.evaluate import GeneratorEvaluation
from vitrify.amshortcut.evaluate.figures import design_figure, distribution_figure, quality_figure
from vitrify.analysis.ensembles import TOTAL
from vitrify.report import plots
from vitrify.report.html import Report, number, percent

REFERENCE = "reference"


def label(row: Mapping[str, Any]) -> str:
    """What a run is called in tables and figures: sampling steps, corrector and MD."""
    steps = f"{row['steps']} step{'s' if row['steps'] != 1 else ''}"
    corrector = " + corrector" if row["method"].endswith("corrected") else ""
    return f"MD in the time of {steps}{corrector}" if row["method"].startswith("md-") else f"model, {steps}{corrector}"


def write_page(evaluation: GeneratorEvaluation, folder: Path) -> Path:
    """Writes all figures and report.html into `folder`; returns the path of the report."""
    metrics = evaluation.metrics
    report = Report(
        f"Evaluation of {evaluation.name}",
        f"{metrics['runs'][0]['samples']} structures of each kind against {len(evaluation.yardstick.reference)} of "
        f"{evaluation.recipe.get('title', metrics['data'][0]['name'])}; vitrify {metrics['versions']['vitrify']}",
    )
    _distributions(report, evaluation, folder)
    _structure(report, evaluation)
    for found in metrics["design"]:
        _design(report, evaluation, found, folder)
    _provenance(report, evaluation)
    path = folder / "report.html"
    report.write(path)
    return path


def _distributions(report: Report, evaluation: GeneratorEvaluation, folder: Path) -> None:
    metrics, floor = evaluation.metrics, evaluation.metrics["floor"]
    published = evaluation.recipe.get("system") == PUBLISHED_SYSTEM
    report.section("Radial and angular distributions")
    if metrics["trained_on_data"]:
        report.text("The reference is a file that the model was trained on, as a whole or in part.")
    rows = []
    for row in metrics["runs"]:
        partial = ", ".join(f"{kind} {number(v)}" for kind, v in row["rdf"].items() if kind != TOTAL)
        rows.append(
            [
                label(row),
                number(row["rdf"][TOTAL]), number(row["adf"][TOTAL]),
                *([partial] if len(row["rdf"]) > 2 else []),
                number(row["cpu_seconds"]), number(row["samples_per_second"]),
                "–" if row["md_steps"] is None else f"{row['md_steps']}",
            ]
        )  # fmt: skip
    kinds = ["by pair"] if len(metrics["runs"][0]["rdf"]) > 2 else []
    blank = ["–"] * len(kinds)
    rows.append(["floor", number(floor["rdf"]), number(floor["adf"]), *blank, "–", "–", "–"])
    if published:
        for name, at in PUBLISHED.items():
            for steps in sorted({row["steps"] for row in metrics["runs"]} & at.keys()):
                rdf, adf, minutes = at[steps]
                seconds = f"{number(60 * minutes / 10_000)} (GPU)"
                rows.append(
                    [f"published {name}, {steps}", number(rdf), number(adf), *blank, seconds,
                     number(10_000 / 60 / minutes), "–"]
                )  # fmt: skip
    report.table(
        ["", "RDF RMSD", "ADF RMSD", *kinds, "CPU-s a sample", "samples a CPU-s", "MD steps"], rows,
        note="Distributions are averaged over samples before their difference is taken: RDF to 5 A in 100 bins, ADF of "
        "neighbours within 3 A in bins of a degree, as a density. CPU seconds: of one process, on this machine. MD: "
        "from a random start in the same cell, pushed apart, minimised for 20 iterations and run at the temperature "
        f"for as long as the generator takes. Floor: {floor['samples']} reference samples against {floor['against']} "
        "others, of other simulations." + (f" Published: {CITATION}." if published else ""),
        model="model",
    )  # fmt: skip
    refused = ", ".join(f"{label(row)}: {row['refused']}" for row in metrics["runs"] if row["refused"])
    if refused:
        report.text(f"Structures that failed the checks of the generator or the corrector, and are missing: {refused}.")
    if metrics["reference_cpu_seconds"]:
        report.text(
            f"A simulation of the reference took {number(metrics['reference_cpu_seconds'])} CPU-s; a structure of the "
            "model, this part of it: " + ", ".join(
                f"{label(row)} {number(row['cpu_seconds'] / metrics['reference_cpu_seconds'], 2)}"
                for row in metrics["runs"] if not row["method"].startswith("md-")
            ) + "."
        )  # fmt: skip
    names = {run_id: label(row) for run_id, row in enumerate(metrics["runs"]) if not row["method"].startswith("md-")}
    for what, unit, title in (("rdf", "r (A)", "g(r)"), ("adf", "angle (degrees)", "density (1/degree)")):
        curves = {REFERENCE: getattr(evaluation.yardstick, what)}
        curves |= {name: getattr(evaluation.measured[run_id], what) for run_id, name in names.items()}
        path = plots.save(distribution_figure(curves, REFERENCE, unit, title), folder / f"{what}.png")
        report.figure(path, f"{what.upper()}: means over samples, generated and corrected, over the reference.")
    table = {"published AMShortcut": PUBLISHED["AMShortcut"]} if published else {}
    path = plots.save(quality_figure(metrics["runs"], floor, table), folder / "quality.png")
    report.figure(
        path, "RMSD of RDF and ADF against sampling steps and against CPU time; MD from a random start at its own time."
    )


def _structure(report: Report, evaluation: GeneratorEvaluation) -> None:
    metrics, yardstick = evaluation.metrics, evaluation.yardstick
    report.section("Structure")
    pairs = [name for name in metrics["reference"]["coordination"] if yardstick.shares[name].argmax() > 0]
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
    cutoffs = ", ".join(f"{name} {value:.3g}" for name, value in yardstick.cutoffs.items())
    report.table(
        ["", *(f"{pair} neighbours (defects)" for pair in pairs), "ring size", "g/cm³", "S(q), low q",
         "short pairs an atom", "energy at rest (eV/atom)", "novelty (A)"],
        rows, model="model",
        note=f"Neighbours within the first minima of the reference ({cutoffs} A); defects: atoms with another number "
        f"than most have in the reference. Rings: shortest paths. S(q): mean below {yardstick.limit:.3g} / A; voids "
        "raise it. Short pairs: closer than any of their kind in the reference. Energy after minimisation at fixed "
        "cell, ± its standard error. Novelty: distance to the nearest training structure, between the distances to "
        "the nearest neighbours of atoms; 0 for a copy. The reference row is of as many of its samples.",
    )  # fmt: skip


def _energy(energy: Mapping[str, Any]) -> str:
    if energy.get("mean") is None:
        return "–"
    error = f" ± {number(energy['stderr'], 1)}" if energy.get("stderr") is not None else ""
    return f"{energy['mean']:.4f}{error}" + (f", {energy['failed']} failed" if energy["failed"] else "")


def _design(report: Report, evaluation: GeneratorEvaluation, found: Mapping[str, Any], folder: Path) -> None:
    name, steps = found["property"], found["steps"]
    unit = next((target.unit for target in evaluation.metadata.properties if target.name == name), "")
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


def _provenance(report: Report, evaluation: GeneratorEvaluation) -> None:
    model, metrics, settings = evaluation.metadata, evaluation.metrics, evaluation.settings
    report.section("Provenance")
    rows = [
        ["model file", metrics["model"]["name"]],
        ["model SHA-256", metrics["model"]["sha256"]],
        ["kind, variant, process", f"{model.kind}, {model.variant}, {model.process}"],
        ["trained on", ", ".join(str(entry.get("name")) for entry in model.provenance.data) or "not recorded"],
        *([source["name"], source["sha256"]] for source in metrics["data"]),
        ["versions", ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())],
    ]
    report.table(["what", "value"], rows)
    if settings.potential:
        report.text("LAMMPS commands of the potential:")
        report.code("\n".join(settings.potential))
    if model.citation:
        report.text(model.citation)
