"""Figures in one style: sized for a printed page, legible in grey, with colours for colour-blind readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from vitrify.core.files import atomic_path

# Okabe and Ito's palette; the reference is always black, a second run of it grey.
REFERENCE, SECOND = "#000000", "#b3b3b3"
PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1)))

Curve = tuple[np.ndarray, np.ndarray]
"""x and y of one line."""

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "figure.dpi": 100,
    "savefig.dpi": 180,
}


def style() -> AbstractContextManager[None]:
    """The style of every figure, as a context."""
    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that knows no display and leaves no trace in pyplot."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Writes the figure whole or not at all; the suffix chooses the format."""
    with style(), atomic_path(path) as work:
        # Without a date in it, the same numbers give the same file.
        figure.savefig(work, metadata={"Software": "vitrify"} if Path(path).suffix == ".png" else None)
    return Path(path)


def draw_curves(
    axes: Any,
    curves: Mapping[str, Curve],
    *,
    reference: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
) -> None:
    """Lines with their names.

    `reference` is black and below the others; runs whose names are the same as its name up to a comma are grey.
    """
    looks = cycle(zip(PALETTE, _DASHES, strict=True))
    for name, (x, y) in curves.items():
        colour: str = REFERENCE
        dash: Any = "-"
        wide = 2.4
        if reference is None or _group(name) != _group(reference):
            (colour, dash), wide = next(looks), 1.6
        elif name != reference:
            colour, wide = SECOND, 1.6
        below = 1.5 if name == reference else 2.0
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=wide, zorder=below, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title, loc="left")


def _group(name: str) -> str:
    return name.partition(",")[0]


def widen(axes: Any, least: float) -> None:
    """Lets the y axis span at least `least`, so that small noise looks small."""
    low, high = axes.get_ylim()
    margin = max(0.0, least - (high - low)) / 2
    axes.set_ylim(low - margin, high + margin)


def rmse_figure(
    x: Mapping[str, Curve],
    v: Mapping[str, Curve],
    *,
    length: str,
    velocity: str,
    time: str,
    mark: float | None = None,
) -> Figure:
    """Position and velocity error by time, on logarithmic axes; `mark` is a time to point out."""
    with style():
        figure = new_figure(7.2, 3.6)
        for axes, curves, label in zip(
            figure.subplots(1, 2),
            (x, v),
            (f"position RMSE ({length})", f"velocity RMSE ({velocity})"),
            strict=True,
        ):
            draw_curves(
                axes,
                {name: _positive(c) for name, c in curves.items()},
                xlabel=f"time ({time})",
                ylabel=label,
            )
            axes.set_yscale("log")
            if mark is not None:
                axes.axvline(mark, color="#999999", linewidth=0.8, zorder=1)
        legend_below(figure)
    return figure


def _positive(curve: Curve) -> Curve:
    """The points of a curve that a logarithmic axis can show."""
    t, y = curve
    keep = np.isfinite(y) & (y > 0)
    return t[keep], y[keep]


def scatter_figure(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], units: Mapping[str, str]) -> Figure:
    """Density of predicted against true values, one panel for each quantity; the line is perfect agreement."""
    with style():
        figure = new_figure(3.6 * len(pairs), 3.2)
        panels = figure.subplots(1, len(pairs), squeeze=False)[0]
        for axes, (name, (true, predicted)) in zip(panels, pairs.items(), strict=True):
            low, high = np.percentile(np.concatenate([true, predicted]), [0.05, 99.95])
            cells = axes.hist2d(
                true,
                predicted,
                bins=120,
                range=[[low, high]] * 2,
                cmap="viridis",
                norm=LogNorm(),
                rasterized=True,
            )[3]
            axes.plot([low, high], [low, high], color=PALETTE[0], linewidth=0.9, linestyle="--")
            axes.set(
                xlabel=f"true {name} ({units[name]})",
                ylabel=f"predicted {name} ({units[name]})",
                aspect="equal",
            )
            axes.grid(False)
            figure.colorbar(cells, ax=axes, label="components", shrink=0.85)
    return figure


def rdf_figure(curves: Mapping[str, Mapping[str, Curve]], *, reference: str, length: str) -> Figure:
    """Partial g(r): `curves[pair][run]`, one panel for each pair of species."""
    with style():
        figure = new_figure(2.9 * max(2, len(curves)), 2.9)
        panels = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, (pair, runs) in zip(panels, curves.items(), strict=True):
            draw_curves(axes, runs, reference=reference, xlabel=f"r ({length})", ylabel="g(r)", title=pair)
            axes.set_ylim(bottom=0)
        legend_below(figure)
    return figure


def msd_figure(curves: Mapping[str, Mapping[str, Curve]], *, reference: str, length: str, time: str) -> Figure:
    """Mean squared displacement by lag, `curves[species][run]`, on logarithmic axes."""
    shown = {species: {name: _positive(curve) for name, curve in runs.items()} for species, runs in curves.items()}
    scales = {"xscale": "log", "yscale": "log"}
    return _species_figure(shown, reference, f"lag ({time})", f"MSD ({length}²)", scales)


def scattering_figure(curves: Mapping[str, Mapping[str, Curve]], *, reference: str, time: str) -> Figure:
    """F_s by lag, `curves[species][run]`, on a logarithmic axis of time."""
    return _species_figure(curves, reference, f"lag ({time})", "F_s(k*, t)", {"xscale": "log", "ylim": (-0.05, 1.02)})


def spectrum_figure(curves: Mapping[str, Mapping[str, Curve]], *, reference: str, time: str) -> Figure:
    """Normalised vibrational spectra by frequency, `curves[species][run]`."""
    return _species_figure(curves, reference, f"frequency (1/{time})", f"VDOS ({time})", {})


def _species_figure(
    curves: Mapping[str, Mapping[str, Curve]], reference: str, xlabel: str, ylabel: str, settings: dict[str, Any]
) -> Figure:
    """One panel for each species, with one line for each run."""
    with style():
        figure = new_figure(3.6 * max(2, len(curves)), 3.0)
        panels = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, (species, runs) in zip(panels, curves.items(), strict=True):
            draw_curves(axes, runs, reference=reference, xlabel=xlabel, ylabel=ylabel, title=species)
            axes.set(**settings)
        legend_below(figure)
    return figure


def reversal_figure(x: Mapping[str, Curve], v: Mapping[str, Curve], *, length: str) -> Figure:
    """Distance from the start, of positions and of velocities over v_std, by predictions there and back."""
    with style():
        figure = new_figure(7.2, 3.4)
        for axes, curves, label in zip(
            figure.subplots(1, 2), (x, v), (f"position ({length})", "velocity / v_std"), strict=True
        ):
            shown = {name: _positive(curve) for name, curve in curves.items()}
            draw_curves(axes, shown, xlabel="predictions forward, and back", ylabel=f"distance from start: {label}")
            _by_number(axes)
        legend_below(figure)
    return figure


def _by_number(axes: Any) -> None:
    """Logarithmic axes, with a mark at each point and the abscissae that occur as plain numbers below."""
    found = sorted({float(x) for line in axes.get_lines() for x in line.get_xdata()})
    for line in axes.get_lines():
        line.set_marker("o")
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(found, [f"{x:g}" for x in found])
    axes.minorticks_off()


def stride_figure(panels: Mapping[str, Mapping[str, Curve]], labels: Mapping[str, str]) -> Figure:
    """One-step error against the stride in base steps, `panels[quantity][method]`, on logarithmic axes."""
    with style():
        figure = new_figure(3.6 * len(panels), 3.4)
        axes_list = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (quantity, curves) in zip(axes_list, panels.items(), strict=True):
            shown = {name: _positive(curve) for name, curve in curves.items()}
            draw_curves(axes, shown, xlabel="stride k (MD steps)", ylabel=labels[quantity])
            _by_number(axes)
        legend_below(figure)
    return figure


def series_figure(
    panels: Sequence[tuple[str, Mapping[str, Curve]]], *, reference: str, time: str, log: Sequence[str] = ()
) -> Figure:
    """Quantities by time, stacked: (label, curves) for each panel; the labels in `log` get a logarithmic axis."""
    with style():
        figure = new_figure(7.2, 0.6 + 1.75 * len(panels))
        axes_list = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (label, curves) in zip(axes_list, panels, strict=True):
            shown = {name: _positive(curve) if label in log else curve for name, curve in curves.items()}
            draw_curves(axes, shown, reference=reference, ylabel=label)
            for line in axes.get_lines():
                line.set_linewidth(1.1)
            if label in log:
                axes.set_yscale("log")
        axes_list[-1].set_xlabel(f"time ({time})")
        figure.align_ylabels(axes_list)
        legend_below(figure)
    return figure


def legend_below(figure: Figure) -> None:
    """One legend for all panels, in as many columns as fit the width."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        widest = 0.062 * max(map(len, entries)) + 0.6  # inches: letters of 8 points, and the line beside them
        columns = max(1, min(len(entries), int(figure.get_figwidth() / widest)))
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
