"""Figures of an evaluation of a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitrify.analysis.ensembles import TOTAL, Curves
from vitrify.report import plots

_MD = "MD from a random start"
_PANELS = 4  # more kinds of pairs or triplets than this are left to the numbers


def distribution_figure(curves: Mapping[str, Curves], reference: str, xlabel: str, ylabel: str) -> Figure:
    """Mean distributions of several ensembles, one panel for all atoms and one for each of the commonest kinds."""
    main = curves[reference]
    kinds = sorted(main.of.keys() - {TOTAL}, key=lambda name: -float(main.mean(name).max()))
    names = [TOTAL, *(kinds[: _PANELS - 1] if len(kinds) > 1 else [])]
    with plots.style():
        figure = plots.new_figure(2.9 * max(2, len(names)), 3.2)
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            shown = {run: (each.x, each.mean(name)) for run, each in curves.items()}
            plots.draw_curves(
                axes, shown, reference=reference, xlabel=xlabel, ylabel=ylabel,
                title="all atoms" if name == TOTAL else name,
            )  # fmt: skip
            axes.set_ylim(bottom=0)
        plots.legend_below(figure)
    return figure


def quality_figure(
    runs: Sequence[Mapping[str, Any]],
    floor: Mapping[str, Any],
    published: Mapping[str, Mapping[int, tuple[float, float, float]]],
) -> Figure:
    """RMSD of RDF (top) and ADF against sampling steps (left) and CPU time; published ones against steps alone."""
    lines = {"generated": "model", "corrected": "model + corrector"}
    colours = dict(zip([*lines.values(), _MD, *published], plots.PALETTE, strict=False))
    with plots.style():
        figure = plots.new_figure(7.2, 6.0)
        for row, what in zip(figure.subplots(2, 2), ("rdf", "adf"), strict=True):
            steps, times = ({name: _line(runs, method, key, what) for method, name in lines.items()}
                            for key in ("steps", "cpu_seconds"))  # fmt: skip
            for name, table in published.items():
                numbers = np.array(sorted(table), float)
                steps[name] = (numbers, np.array([table[int(n)][what == "adf"] for n in numbers]))
            times[_MD] = _line(runs, "md-", "cpu_seconds", what)
            for axes, curves, xlabel in ((row[0], steps, "sampling steps"), (row[1], times, "CPU-s a sample")):
                shown = {name: curve for name, curve in curves.items() if len(curve[0])}
                plots.draw_curves(axes, shown, xlabel=xlabel, ylabel=f"RMSD of {what.upper()}")
                for line in axes.get_lines():
                    line.set(marker="o", markersize=3.5, color=colours[str(line.get_label())])
                if floor[what]:
                    axes.axhline(floor[what], color=plots.REFERENCE, linewidth=0.9, linestyle=":", label="floor")
                axes.set(xscale="log", yscale="log")
        plots.legend_below(figure)
    return figure


def _line(runs: Sequence[Mapping[str, Any]], method: str, key: str, what: str) -> plots.Curve:
    """One number of the runs of a method against another; "md-" stands for all of MD."""
    mine = [row for row in runs if row["method"] == method or (method == "md-" and row["method"].startswith("md-"))]
    points = sorted((float(row[key]), float(row[what][TOTAL])) for row in mine)
    x, y = np.array(points).reshape(-1, 2).T
    return x, y


def design_figure(found: Mapping[str, Any], what: str) -> Figure:
    """Calculated against asked values of structures, and those that were asked for nothing."""
    with plots.style():
        figure = plots.new_figure(4.4, 3.8)
        axes = figure.subplots()
        targets = np.array(found["targets"], float)
        axes.plot(targets[[0, -1]], targets[[0, -1]], color=plots.REFERENCE, linewidth=0.9, linestyle="--")
        for name, key, colour, mark in (
            ("asked for nothing", "unconditional", plots.SECOND, "s"), ("asked for", "values", plots.PALETTE[0], "o")
        ):  # fmt: skip
            axes.plot(targets, np.array(found[key], float), mark, color=colour, markersize=3.5, label=name)
        axes.set(xlabel=f"asked {what}", ylabel=f"calculated {what}")
        plots.legend_below(figure)
    return figure
