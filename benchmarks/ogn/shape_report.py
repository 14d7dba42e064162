"""The table and the figure of shapes of the OGN, and the best shape of each system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common.output import table
from benchmarks.ogn.shapes import TARGETS, Shape, Target
from vitrify.core.units import get_units
from vitrify.report import plots

Row = dict[str, Any]
TITLES = (
    "shape", "stride", "training steps", "position", "velocity / v_std", "worst / bar", "us a stride", "us a {time}",
    "gain",
)  # fmt: skip
ERRORS = ("dr", "dv_over_v_std")  # of a state, as the rows have them
NOTE = """\
Errors of one stride are root mean squares on unseen trajectories, by state where there are two. "worst / bar" is the
largest error in units of its bar, those of the shipped model's card; below 1 a shape meets them. Times are processor
time for each atom in the native engine ({instructions}, {atoms} atoms); "gain" is the shipped shape's time for each
{time} over this one's. Settings are those at the shipped stride: a longer one widens the reach and the cutoffs in
proportion."""


def row_of(rows: Sequence[Row], target: Target, shape: Shape) -> Row | None:
    """The row of a shape, if there is one."""
    return next((row for row in rows if (row["system"], row["shape"]) == (target.name, shape.name)), None)


def worst(row: Row) -> float:
    """The largest error of a shape over its bar, in all states; infinite where predictions were lost, NaN where the
    shape has not been trained."""
    errors = row.get("errors", {}).values()
    if not errors:
        return float("nan")
    if any(one["lost"] for one in errors):
        return float("inf")
    return max(max(one["dr_over_bar"], one["dv_over_bar"]) for one in errors)


def timed(rows: Sequence[Row], target: Target) -> list[Row]:
    """The rows of a system that have timings, in the order of its shapes."""
    found = [row_of(rows, target, shape) for shape in target.shapes]
    return [row for row in found if row and "timing" in row]


def time_unit(target: Target) -> str:
    """The unit of time of the table."""
    units = get_units(target.system(target.states[0]).units)
    return "fs" if units.name == "metal" else units.time


def gain(row: Row, rows: Sequence[Row]) -> float:
    """Simulated time for each processor second over that of the shipped shape."""
    shipped = next(r for r in rows if (r["system"], r["shape"]) == (row["system"], Shape().name))
    return float(shipped["timing"]["us_per_time"] / row["timing"]["us_per_time"])


def section(target: Target, rows: Sequence[Row]) -> list[str]:
    """The heading, the table and the notes of a system."""
    base, unit = target.system(target.states[0]).base_timestep, time_unit(target)
    lines = []
    for row in timed(rows, target):
        span = row["stride"] * base * (1000 if unit == "fs" else 1)
        lines.append(
            [
                row["shape"],
                f"{span:.3g} {unit}",
                str(row.get("steps", "-")),
                *(", ".join(f"{one[key]:.2g}" for one in row.get("errors", {}).values()) or "-" for key in ERRORS),
                "-" if np.isnan(worst(row)) else f"{worst(row):.2f}",
                f"{row['timing']['us']:.2f}",
                f"{row['timing']['us_per_time']:.3g}",
                f"{gain(row, rows):.2f}",
            ]
        )
    first = timed(rows, target)[0]
    length = get_units(target.system(target.states[0]).units).length
    note = NOTE.format(**first["timing"], time=unit)
    budgets = sorted({f"{row['budget_cpu_s']:g}" for row in timed(rows, target) if "errors" in row})
    had = f"Each shape had {' or '.join(budgets)} processor seconds." if budgets else "No shape has been trained yet."
    states = f"States: {', '.join(target.states)}. {had}"
    titles = [title.format(time=unit) for title in TITLES]
    titles[3] += f" ({length})"
    said = best_of(target, rows)
    return [f"## {target.title}", "", *table(titles, lines), "", states, "", note, *(["", *said] if said else []), ""]


def best_of(target: Target, rows: Sequence[Row]) -> list[str]:
    """A line with the cheapest shape of a system that meets the bars."""
    found = [row for row in timed(rows, target) if "errors" in row]
    good = [row for row in found if worst(row) <= 1]
    if not good:
        return [f"**{target.name}: no shape meets the bars.**"] if found else []
    row = min(good, key=lambda row: row["timing"]["us_per_time"])
    return [
        f"**{target.name}: {row['shape']}**, {row['timing']['us_per_time']:.3g} us for each {time_unit(target)} and"
        f" atom, {gain(row, rows):.2f} times as fast as the shipped shape; worst error {worst(row):.2f} of the bar."
    ]


def best(rows: Sequence[Row]) -> str:
    """The best shape of each system."""
    return "\n".join(line for target in TARGETS.values() for line in best_of(target, rows))


def page(rows: Sequence[Row]) -> str:
    """The Markdown page."""
    lines = ["# Shapes of the OGN network", "", "Made by `python -m benchmarks.ogn_shapes`; its --help says how.", ""]
    for target in TARGETS.values():
        if timed(rows, target):
            lines += section(target, rows)
    return "\n".join(lines)


def figure(rows: Sequence[Row]) -> Figure:
    """Error over the bar against the time for each femtosecond and atom, a panel for each system."""
    targets = [target for target in TARGETS.values() if any("errors" in row for row in timed(rows, target))]
    columns = min(2, len(targets))
    lines = -(-len(targets) // columns)
    with plots.style():
        drawn = plots.new_figure(5.0 * columns, 3.4 * lines)
        panels = drawn.subplots(lines, columns, squeeze=False).ravel()
        for axes in panels[len(targets) :]:
            axes.set_axis_off()
        for axes, target in zip(panels, targets, strict=False):
            found = [row for row in timed(rows, target) if worst(row) < float("inf")]
            axes.axhline(1, color=plots.SECOND, linewidth=1.2)
            for row in found:
                x, y = row["timing"]["us_per_time"], worst(row)
                axes.plot(x, y, "o", color=plots.PALETTE[1 if y <= 1 else 0])
                axes.annotate(row["shape"], (x, y), xytext=(5, 3), textcoords="offset points", fontsize=7)
            axes.set(yscale="log", title=target.title, ylabel="worst error / bar")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}")
            axes.set_xlabel(f"processor time for each {time_unit(target)} and atom (us)")
            axes.margins(x=0.25, y=0.15)
    return drawn
