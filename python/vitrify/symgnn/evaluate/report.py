"""The figures and the report of an evaluation on labelled structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitrify.analysis.scores import TAIL, calibration_curve, error_by_deviation
from vitrify.report import plots
from vitrify.report.html import Report, number, percent
from vitrify.report.provenance import add_provenance
from vitrify.symgnn.evaluate.results import SymGNNResults

_MODEL = "model"
_COLUMNS = ("pearson", "pearson_mean", "spearman", "spearman_mean", "rmse", "auc_top", "auc_bottom")


def make_report(results: SymGNNResults, folder: Path) -> Report:
    """The report; its figures go to `folder`, too."""
    model, metrics = results.opened.metadata, results.metrics
    what = model.property.name
    report = Report(
        f"Evaluation of {results.opened.path.name}",
        f"{what} of {metrics['scores']['atoms']} atoms in {len(results.predicted)} glasses, from the structure at "
        f"rest; vitrify {metrics['versions']['vitrify']}",
    )
    _scores(report, results, folder)
    _glasses(report, results, folder)
    _deviations(report, results, folder)
    _distributions(report, results, folder)
    _range(report, results)
    _provenance(report, results)
    return report


def quantity(results: SymGNNResults) -> str:
    """The property with its unit, for axes and headers: "barrier (eV)"."""
    found = results.opened.metadata.property
    return f"{found.name} ({found.unit})" if found.unit else found.name


def _scores(report: Report, results: SymGNNResults, folder: Path) -> None:
    metrics, unit = results.metrics, results.opened.metadata.property.unit
    found = metrics["scores"]
    report.section("Scores")
    text = (
        f"Pooled Pearson correlation {number(found['pearson'])}, RMSE {number(found['rmse'])} {unit}".rstrip()
        + f"; the mean of each species alone, without the structure: {number(metrics['species_mean']['pearson'])}."
    )
    if results.ceiling is not None:
        text += (
            f" The noise of the labels limits a perfect model to {number(results.ceiling)}: "
            f"this one reaches {percent(found['of_ceiling'], 3)} of that."
        )
    report.text(text)
    header = [
        "", "Pearson, pooled", "per glass", "Spearman, pooled", "per glass", f"RMSE ({unit})" if unit else "RMSE",
        f"AUC, top {TAIL:.0%}", f"AUC, bottom {TAIL:.0%}",
    ]  # fmt: skip
    rows = [
        [_MODEL, *_cells(found)],
        *([f"{_MODEL}, {name} only", *_cells(one)] for name, one in metrics["species"].items()),
        ["mean of each species", *_cells(metrics["species_mean"])],
    ]
    report.table(
        header, rows, model=_MODEL,
        note="Pooled: all atoms together; per glass: the mean over glasses. AUC: the chance that an atom among the "
        f"{TAIL:.0%} with the largest (smallest) labels is predicted above (below) another; 0.5 is chance. The last "
        "row takes its means from these very labels; a dash: not defined.",
    )  # fmt: skip
    values, _, labels, _, _ = results.pooled()
    figure = plots.save(parity_figure(labels, values, quantity(results)), folder / "parity.png")
    report.figure(figure, "Predicted against labelled values, one count for each atom; dashed: agreement.")


def _cells(found: Mapping[str, Any]) -> list[str]:
    return [number(found[name]) for name in _COLUMNS]


def _glasses(report: Report, results: SymGNNResults, folder: Path) -> None:
    found, unit = results.metrics["scores"]["glasses"], results.opened.metadata.property.unit
    report.section("Glasses")
    rows = []
    for glass in results.metrics["glasses"]:
        one = found[glass["name"]]
        numbers = [number(one[name]) for name in ("pearson", "spearman", "rmse", "bias", "auc_top", "auc_bottom")]
        rows.append([glass["name"], f"{one['atoms']}", *numbers, "outside" if glass["outside"] else "inside"])
    report.table(
        [
            "glass", "labelled atoms", "Pearson", "Spearman", f"RMSE ({unit})" if unit else "RMSE", "mean error",
            "AUC, top", "AUC, bottom", "range of the model",
        ],
        rows, note="Mean error: prediction - label. Where it differs between glasses, the pooled correlation suffers.",
    )  # fmt: skip
    together = [sorted([glass["name"], *glass["same_as"]]) for glass in results.metrics["glasses"]]
    copies = "; ".join(dict.fromkeys(" = ".join(group) for group in together if len(group) > 1))
    if copies:
        report.text(
            f"Near copies of one glass, which are not independent samples: {copies}. None of them may have a copy "
            "among the training data either."
        )
    names = [glass["name"] for glass in results.metrics["glasses"]]
    figure = glasses_figure(
        names, [found[name]["pearson"] for name in names], [found[name]["rmse"] for name in names],
        pooled=results.metrics["scores"]["pearson"], ceiling=results.ceiling, unit=unit,
    )  # fmt: skip
    path = plots.save(figure, folder / "glasses.png")
    report.figure(path, "Each glass by itself; dashed: all atoms pooled; dotted: the ceiling set by the noise.")


def _deviations(report: Report, results: SymGNNResults, folder: Path) -> None:
    found = results.metrics["deviation"]
    report.section("Standard deviations")
    if found is None:
        report.text("This model gives some atoms a standard deviation of zero, so that there is nothing to calibrate.")
        return
    report.text(
        f"(label - prediction) / deviation has the mean {number(found['residual_mean'], 2)} and the rms "
        f"{number(found['residual_rms'])} (0 and 1 if calibrated); the calibration curve is "
        f"{number(found['calibration_error'], 2)} from the diagonal on average. |error| and deviation: Spearman "
        f"{number(found['spearman_error'])}. Negative log likelihood {number(found['nll'])} per atom; with one "
        f"deviation, the RMSE, for all atoms {number(found['nll_constant'])}."
    )
    rows = [[f"{z:g}", f"{share:.1%}", f"{expected:.1%}"] for z, share, expected in found["covered"]]
    report.table(["deviations", "labels within", "of a normal distribution"], rows)
    values, deviations, labels, _, _ = results.pooled()
    figure = deviation_figure(
        calibration_curve(values, deviations, labels), error_by_deviation(values, deviations, labels),
        results.opened.metadata.property.unit,
    )  # fmt: skip
    path = plots.save(figure, folder / "deviations.png")
    report.figure(
        path,
        "Left: share of labels below each quantile of their predicted normal distribution. Right: rms error against "
        "rms deviation of tenths of the atoms, sorted by deviation. Dashed: exact deviations.",
    )


def _distributions(report: Report, results: SymGNNResults, folder: Path) -> None:
    values, _, labels, types, _ = results.pooled()
    report.section("Distributions")
    figure = distribution_figure(values, labels, types, results.opened.metadata.species, quantity(results))
    path = plots.save(figure, folder / "distributions.png")
    report.figure(
        path, "Labels (black) and predictions. Predictions of noisy labels spread less than the labels themselves."
    )


def _range(report: Report, results: SymGNNResults) -> None:
    validity = results.opened.metadata.validity
    species = results.opened.metadata.species
    report.section("Range of the model")
    low, high = validity.number_density
    ranges = [f"{name} {a:.4g} to {b:.4g}" for name, (a, b) in validity.composition.items()]
    text = f"The training data have {low:.4g} to {high:.4g} atoms per volume and the fractions {', '.join(ranges)}"
    if validity.min_distance:
        pairs = [(a, b) for a in range(len(species)) for b in range(a + 1)]
        least = zip(pairs, validity.min_distance, strict=True)
        text += f"; smallest distances {', '.join(f'{species[b]}-{species[a]} {d:.4g}' for (a, b), d in least)}"
    report.text(f"{text}.")
    beyond = [glass for glass in results.metrics["glasses"] if glass["outside"]]
    if beyond:
        report.table(["outside", "why"], [[glass["name"], "; ".join(glass["outside"])] for glass in beyond])
        report.text("What is predicted of these glasses is an extrapolation.")
    else:
        report.text("All glasses of this evaluation lie inside.")


def _provenance(report: Report, results: SymGNNResults) -> None:
    model, found = results.opened.metadata, results.metrics
    steps = model.provenance.steps
    atoms, seconds = (sum(glass[key] for glass in found["glasses"]) for key in ("atoms", "seconds"))
    training = "not recorded" if steps is None else f"{steps} optimiser steps, seed {model.provenance.seed}"
    add_provenance(
        report,
        model,
        found,
        model=[
            ["computed by", f"{found['runs_on']}, {number(seconds)} s for {atoms} atoms"],
            ["cutoff, layers, width", f"{model.cutoff:g}, {model.layers}, {model.node_width}"],
            ["trained for", training],
        ],
        data=[["label", found["label"]], *([source["name"], source["sha256"]] for source in found["data"])],
    )
    if model.citation:
        report.text(model.citation)


def parity_figure(labels: np.ndarray, values: np.ndarray, what: str) -> Figure:
    """Counts of atoms by label and prediction, on a logarithmic scale."""
    with plots.style():
        figure = plots.new_figure(4.4, 3.8)
        axes = figure.subplots()
        low, high = float(min(labels.min(), values.min())), float(max(labels.max(), values.max()))
        low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
        cells = axes.hexbin(
            labels, values, gridsize=60, extent=(low, high, low, high), bins="log", mincnt=1, cmap="viridis",
            linewidths=0.0,
        )  # fmt: skip
        axes.plot([low, high], [low, high], color=plots.PALETTE[0], linewidth=0.9, linestyle="--")
        axes.set(xlabel=f"labelled {what}", ylabel=f"predicted {what}", aspect="equal")
        axes.grid(False)
        figure.colorbar(cells, ax=axes, label="atoms", shrink=0.85)
    return figure


def glasses_figure(
    names: Sequence[str], pearson: Sequence[float], rmse: Sequence[float], *, pooled: float,
    ceiling: float | None, unit: str,
) -> Figure:  # fmt: skip
    """Pearson correlation and RMSE of each glass as bars, the first glass on top."""
    with plots.style():
        figure = plots.new_figure(7.2, 1.2 + 0.24 * len(names))
        panels = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(names))
        labels = ("Pearson correlation", f"RMSE ({unit})" if unit else "RMSE")
        for axes, heights, label in zip(panels, (pearson, rmse), labels, strict=True):
            axes.barh(places, heights, height=0.6, color=plots.PALETTE[1], zorder=2)
            axes.set_xlabel(label)
            axes.grid(False, axis="y")
        panels[0].axvline(pooled, color=plots.REFERENCE, linewidth=0.9, linestyle="--")
        if ceiling is not None:
            panels[0].axvline(ceiling, color=plots.REFERENCE, linewidth=0.9, linestyle=":")
        panels[0].set_yticks(places, [name if len(name) < 30 else f"…{name[-28:]}" for name in names])
        panels[0].invert_yaxis()
    return figure


def deviation_figure(curve: plots.Curve, errors: plots.Curve, unit: str) -> Figure:
    """The calibration curve, and rms errors against rms deviations."""
    with plots.style():
        figure = plots.new_figure(7.2, 3.4)
        left, right = figure.subplots(1, 2)
        low, high = float(min(map(np.min, errors))), float(max(map(np.max, errors)))
        for axes, (x, y), ends in ((left, curve, (0.0, 1.0)), (right, errors, (0.95 * low, 1.05 * high))):
            axes.plot(ends, ends, color=plots.REFERENCE, linewidth=0.9, linestyle="--")
            axes.plot(x, y, color=plots.PALETTE[0], marker="o", markersize=3.5)
            axes.set_aspect("equal")
        left.set(xlabel="predicted quantile", ylabel="share of labels below")
        suffix = f" ({unit})" if unit else ""
        right.set(xlabel=f"rms deviation{suffix}", ylabel=f"rms error{suffix}")
    return figure


def distribution_figure(
    values: np.ndarray, labels: np.ndarray, types: np.ndarray, species: Sequence[str], what: str
) -> Figure:
    """Histograms of labels and predictions, one panel for each species that has labels."""
    present = [t for t in range(len(species)) if (types == t).any()]
    low, high = np.percentile(np.concatenate([labels, values]), [0.05, 99.95])
    edges = np.linspace(low, high if high > low else low + 1.0, 61)
    middle = 0.5 * (edges[1:] + edges[:-1])
    with plots.style():
        figure = plots.new_figure(3.6 * max(2, len(present)), 3.0)
        panels = figure.subplots(1, len(present), squeeze=False)[0]
        for axes, t in zip(panels, present, strict=True):
            mine = {"labels": labels[types == t], "predictions": values[types == t]}
            curves = {
                name: (middle, np.histogram(found, edges)[0] / (len(found) * np.diff(edges)))
                for name, found in mine.items()
            }
            plots.draw_curves(axes, curves, reference="labels", xlabel=what, ylabel="density", title=species[t])
            axes.set_ylim(bottom=0)
        plots.legend_below(figure)
    return figure
