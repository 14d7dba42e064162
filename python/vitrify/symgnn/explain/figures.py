"""The pictures of an explanation: bonds in space (Figs. 4, 6, 7), distances (Fig. 5a), cycles (Fig. 5b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from vitrify.report.plots import PALETTE, REFERENCE, SECOND, legend_below, new_figure, style
from vitrify.symgnn.explain.explainer import Explanation
from vitrify.symgnn.explain.null_tests import GROUPS, CycleTable, Distances

_COLOURS = "viridis_r"  # dark is important
_NEAREST = 10  # atoms of the local picture
_SHADES = (PALETTE[0], "#e8a078", "#f3cdb5", SECOND)  # high, medium, low, random


def structure_figure(
    explanation: Explanation, types: np.ndarray, species: Sequence[str], *, top: int, length: str
) -> Figure:
    """Two views: all atoms that the model sees with the `top` bonds, and the closest 10 atoms with their bonds.

    types (N,) of the whole structure.
    """
    with style():
        figure = new_figure(8.4, 4.4)
        kinds = types[explanation.atoms]
        chosen = explanation.top(top)
        _view(
            figure.add_subplot(1, 2, 1, projection="3d"), explanation, kinds, species, np.arange(len(kinds)), chosen,
            length, f"top {len(chosen)} bonds",
        )  # fmt: skip
        near = np.argsort(explanation.distances, kind="stable")[: _NEAREST + 1]
        inside = np.isin(explanation.bonds, near).all(1)
        _view(
            figure.add_subplot(1, 2, 2, projection="3d"), explanation, kinds, species, near, np.flatnonzero(inside),
            length, f"closest {len(near) - 1} atoms",
        )  # fmt: skip
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, highest(explanation)), _COLOURS),
            ax=figure.axes,
            shrink=0.6,
            pad=0.08,
            label="edge importance",
        )
        bar.ax.grid(False)
        legend_below(figure)
    return figure


def highest(explanation: Explanation) -> float:
    """The end of the scale of colours: attention does not change if all masks shrink alike, so theirs may be small."""
    return float(explanation.scores.max(initial=1e-9))


def _view(
    axes: Any, explanation: Explanation, kinds: np.ndarray, species: Sequence[str], atoms: np.ndarray,
    bonds: np.ndarray, length: str, title: str,
) -> None:  # fmt: skip
    """Some atoms and some bonds; atoms without any of these bonds are pale."""
    places = explanation.displacements
    touched = np.zeros(len(places), bool)
    touched[explanation.bonds[bonds]] = True
    pale = atoms[~touched[atoms]]
    axes.scatter(*places[pale].T, s=3, color=SECOND, alpha=0.35, linewidths=0, depthshade=False)
    size = 34.0 if len(atoms) > 3 * _NEAREST else 90.0
    for kind, name in enumerate(species):
        mine = atoms[touched[atoms] & (kinds[atoms] == kind) & (atoms != 0)]
        colour = PALETTE[kind % len(PALETTE)]
        axes.scatter(*places[mine].T, s=size, color=colour, edgecolors="white", linewidths=0.4, label=name)
    axes.scatter(*places[:1].T, s=2.6 * size, color=REFERENCE, marker="*", label="explained atom")
    starts = places[explanation.bonds[bonds, 0]]
    lines = np.stack([starts, starts + explanation.vectors[bonds]], axis=1)
    scores = explanation.scores[bonds]
    # The important ones last, and so on top.
    order = np.argsort(scores)
    norm = Normalize(0, highest(explanation))
    drawn = Line3DCollection(lines[order], cmap=_COLOURS, norm=norm, linewidths=0.5 + 1.8 * norm(scores[order]))
    drawn.set_array(scores[order])
    axes.add_collection3d(drawn)
    reach = float(np.abs(places[atoms]).max(initial=1e-9))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach), title=title)
    axes.set_box_aspect((1, 1, 1))
    axes.set_xlabel(f"x ({length})", labelpad=-4)
    axes.set_ylabel(f"y ({length})", labelpad=-4)
    axes.set_zlabel(f"z ({length})", labelpad=-4)
    axes.tick_params(pad=-2, labelsize=7)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))


def distance_figure(found: Mapping[str, Distances], *, length: str) -> Figure:
    """For each model: densities by distance from the explained atom, and important atoms over their null."""
    with style():
        figure = new_figure(7.6, 0.7 + 2.6 * len(found))
        grid = figure.subplots(len(found), 2, squeeze=False)
        for (left, right), (name, each) in zip(grid, found.items(), strict=True):
            draw_densities(left, each, length)
            left.set_title(name)
            middle, _ = _shells(right, each, length)
            enough = each.null > 1e-3  # below, the ratio is noise
            low, high, ratio = (np.divide(x, each.null, out=np.full_like(each.null, np.nan), where=enough)
                                for x in (*each.band, each.important))  # fmt: skip
            right.fill_between(middle, low, high, color=PALETTE[1], alpha=0.25, linewidth=0)
            right.axhline(1.0, color=PALETTE[1], linestyle="--")
            right.plot(middle, ratio, color=PALETTE[0])
            right.set(ylabel="important / null", ylim=(0, None))
        legend_below(figure)
    return figure


def draw_densities(axes: Any, found: Distances, length: str) -> None:
    """Densities of important atoms, of their null and of all atoms by distance from the explained atom."""
    middle, width = _shells(axes, found, length)
    axes.plot(middle, found.everything / width, color=SECOND, label="all atoms seen")
    axes.fill_between(middle, *(found.band / width), color=PALETTE[1], alpha=0.25, linewidth=0)
    axes.plot(middle, found.null / width, color=PALETTE[1], linestyle="--", label="length-matched null (95%)")
    axes.plot(middle, found.important / width, color=PALETTE[0], label="important atoms")
    axes.set(ylabel=f"probability density (1/{length})", ylim=(0, None))


def _shells(axes: Any, found: Distances, length: str) -> tuple[np.ndarray, np.ndarray]:
    """Middles and widths of the shells; marks the medium range."""
    axes.axvspan(*found.span, color="#f2f2f2", zorder=0, label="medium range")
    axes.set_xlim(0, found.edges[-1])
    axes.set_xlabel(f"distance from the explained atom ({length})")
    return (found.edges[1:] + found.edges[:-1]) / 2, np.diff(found.edges)


def cycle_figure(found: Mapping[str, CycleTable]) -> Figure:
    """For each model: the distribution of the number of optimal cycles of important, random and length-matched bonds;
    and the means of the groups beside their nulls."""
    with style():
        figure = new_figure(7.6, 0.7 + 2.6 * len(found))
        grid = figure.subplots(len(found), 2, squeeze=False)
        for (left, right), (name, each) in zip(grid, found.items(), strict=True):
            draw_counts(left, each)
            left.set_title(name)
            draw_means(right, each)
        legend_below(figure)
    return figure


def draw_counts(axes: Any, found: CycleTable) -> None:
    """In how many optimal cycles bonds are: important, random and length-matched ones."""
    shown = {
        "high importance": (found.counts["high"], PALETTE[0], "-"),
        "length-matched null": (found.null_counts, PALETTE[1], "--"),
        "random": (found.counts["random"], SECOND, "-"),
    }
    last = int(np.percentile(np.concatenate([counts for counts, _, _ in shown.values()]), 99.5)) + 1
    for label, (counts, colour, dash) in shown.items():
        share = np.bincount(np.minimum(counts, last).astype(int), minlength=last + 1) / max(len(counts), 1)
        axes.stairs(share, np.arange(last + 2) - 0.5, color=colour, linestyle=dash, linewidth=1.6, label=label)
    axes.set(xlabel=f"optimal cycles with the bond ({last}: or more)", ylabel="share of bonds")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_means(axes: Any, found: CycleTable) -> None:
    """Mean number of optimal cycles of the bonds of each group (bars), and of bonds of the same lengths (2 std)."""
    x = np.arange(len(GROUPS))
    nulls = [found.groups[group].nulls["length"] for group in GROUPS]
    axes.bar(x, [null.observed for null in nulls], width=0.55, color=_SHADES)
    axes.errorbar(
        x, [null.mean for null in nulls], yerr=[2 * null.std for null in nulls],
        fmt="_", color=PALETTE[1], markersize=22, capsize=3,
    )  # fmt: skip
    axes.set(ylabel="mean optimal cycles", xticks=x, xticklabels=GROUPS)
    axes.grid(False, axis="x")
    axes.set_axisbelow(True)
