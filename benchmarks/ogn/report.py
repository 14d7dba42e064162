"""The table and the figure of `ogn_vs_md.py`, from its JSON files."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.ogn.timing import BASE, MATCHED, NATIVE, TORCH, cost_of_step, ratios
from vitrify.core.units import get_units
from vitrify.datagen.trajectories.systems import get_system
from vitrify.report.plots import PALETTE, REFERENCE, SECOND, legend_below, new_figure, save, style

LOOKS = {
    BASE: (REFERENCE, "-", "o"),
    MATCHED: (SECOND, "-", "s"),
    NATIVE: (PALETTE[0], "-", "^"),
    TORCH: (PALETTE[1], "--", "v"),
}
POTENTIALS = {
    "kalj": "Lennard-Jones",
    "kalj-glass": "Lennard-Jones (glass)",
    "si": "Stillinger-Weber",
    "sio2": "Buckingham + Coulomb",
    "cuzr": "EAM",
    "cuzr-glass": "EAM (glass)",
    "si-snap": "SNAP",
}
AT = 10_000  # atoms at which potentials are compared


def step_time(name: str, timestep: float) -> str:
    """A time step as users write it: fs, or units of tau."""
    system = get_system(name)
    return f"{1000 * timestep:g} fs" if system.units == "metal" else f"{timestep:g} tau"


def times(value: tuple[float, float, float] | None) -> str:
    """A ratio with its spread."""
    if value is None:
        return ""
    middle, low, high = (f"{float(f'{x:.2g}'):g}" for x in value)  # 620, not 6.2e+02
    return f"{middle} ({low} to {high})"


def worst(checks: list[dict[str, Any]], letter: str) -> str:
    """The largest deviation among the lines of the list that begin with a letter, with its noise."""
    found = [c for c in checks if c["name"].startswith(letter)]
    if not found:
        return ""
    top = max(found, key=lambda c: c["beyond"] / c["limit"] + 1e-9 * c["deviation"])
    return f"{100 * top['deviation']:.1f}% (noise {100 * top['noise']:.1f}%)"


def match_table(matches: dict[str, Any]) -> list[str]:
    lines = [
        "| system | run | step | g(r) within 2% | D within 10% | T within 2% | list met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, match in matches.items():
        runs = [("MD against MD", match["floor"])] if "floor" in match else []
        runs += [("MD", run) for run in sorted(match["verlet"], key=lambda run: run["step"])]
        if match.get("ogn"):
            runs.append(("OGN", match["ogn"]))
        lost = [run for _, run in runs if run.get("failure")]
        for title, run in runs:
            step = step_time(name, run["step"])
            if run.get("failure"):
                if title == "MD" and run is not lost[0]:
                    continue  # larger steps than one that fails say nothing more
                reason = run["failure"].partition("ERROR: ")[2] or run["failure"]
                cells = [reason, "", "", "no"]
                step += " and more" if title == "MD" else ""
            else:
                cells = [worst(run["checks"], letter) for letter in "gDT"] + ["yes" if run["passed"] else "no"]
            lines.append(f"| {name} | {title} | {step} | " + " | ".join(cells) + " |")
    return lines


def speed_table(results: dict[str, Any], matches: dict[str, Any]) -> list[str]:
    """Rows of ratios: how much more time a core simulates with OGN than with MD."""
    lines = [
        "| system | atoms | ranks | MD: µs per atom and step | matched step | OGN: µs per atom and stride | stride |"
        " OGN over MD, base step | OGN over MD, matched step | TorchScript over MD, matched step | list met |",
        "| --- " * 11 + "|",
    ]
    for row in results["timing"]:
        name = row["system"]
        described = {m["name"]: m for m in results["methods"][name]}
        if NATIVE not in row["core_seconds_per_time"] and TORCH not in row["core_seconds_per_time"]:
            continue
        fast = NATIVE if NATIVE in row["core_seconds_per_time"] else TORCH
        slow = MATCHED if MATCHED in described else BASE
        ogn = matches.get(name, {}).get("ogn")
        lists = f"lists {100 * row['neighbour_lists'][fast]:.0f}%"
        cells = [
            name,
            f"{row['atoms']:,}",
            str(row["ranks"]),
            f"{cost_of_step(row, BASE, described[BASE]['timestep']):.3g}",
            step_time(name, described[slow]["timestep"]) if name in matches else "not known",
            f"{cost_of_step(row, fast, described[fast]['timestep']):.3g} ({lists})",
            step_time(name, described[fast]["timestep"]),
            times(ratios(row, BASE, fast)),
            times(ratios(row, slow, fast)),
            times(ratios(row, slow, TORCH)),
            "not tested" if not ogn else "yes" if ogn["passed"] else "no",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def linearity(results: dict[str, Any]) -> list[str]:
    """Cost for each atom of the largest cell over that of the smallest, on one rank."""
    found = []
    for name in results["methods"]:
        rows = [row for row in results["timing"] if row["system"] == name and row["ranks"] == 1]
        small, large = min(rows, key=lambda r: r["atoms"]), max(rows, key=lambda r: r["atoms"])
        for method in (BASE, NATIVE):
            costs = [row["core_seconds_per_time"].get(method) for row in (small, large)]
            if small is not large and all(costs):
                each = [statistics.median(c) / row["atoms"] for c, row in zip(costs, (small, large), strict=True)]
                found.append(
                    f"- {name}, {method}: {small['atoms']:,} to {large['atoms']:,} atoms,"
                    f" cost for each atom x {each[1] / each[0]:.2f}"
                )
    return found


def write_table(results: dict[str, Any], matches: dict[str, Any], path: Path) -> None:
    machine = results.get("machine", {})
    text = ["# OGN against MD", "", "Made by `python -m benchmarks.ogn_vs_md`; its --help says how it is measured."]
    if matches:
        text += [
            "",
            "## Accuracy",
            "",
            "Runs from one start under fix temp/csvr beside MD with a fine step: the worst partial g(r) (relative L2),",
            "D and T of a species, and the deviation that noise alone gives. A line is met if what exceeds the noise,",
            "in squares, is within the limit. The thermostat is damped in 100 base steps; that of an OGN in one stride",
            "where match/NAME.json gives a `damping`.",
            "",
            *match_table(matches),
        ]
        text += [f"\n{match['note']}" for match in matches.values() if match.get("note")]
    if results.get("timing"):
        text += [
            "",
            "## Speed",
            "",
            "Simulated time for each core-second as a ratio to LAMMPS's own MD of the reference potential: median",
            f"(least to largest) of the repeats. {machine.get('processor', '')}, {machine.get('cores', '')} cores,"
            f" load average {min(r['load_average'][0] for r in results['timing']):.1f} to"
            f" {max(r['load_average'][1] for r in results['timing']):.1f}. TorchScript is timed on small cells alone;",
            "lists: the share of LAMMPS's neighbour lists.",
            "",
            *speed_table(results, matches),
            "",
            *linearity(results),
            "",
            "Skins, each the fastest of those tried:",
            "",
            *(
                f"- {name}: "
                + ", ".join(f"{m['name']} ({step_time(name, m['timestep'])}) {m['skin']:g}" for m in described)
                for name, described in results["methods"].items()
            ),
        ]
    for row in results.get("memory", []):
        text += [
            "",
            f"{row['method']}, {row['system']}, {row['atoms']:,} atoms on one rank: {row['bytes'] / 2**30:.2f} GiB,"
            f" {1e6 * row['core_seconds_per_atom_step']:.3g} µs per atom and step.",
        ]
    path.write_text("\n".join(text) + "\n")


def draw(results: dict[str, Any], path: Path) -> None:
    """Cost of simulated time against the number of atoms, for each system, and against the reference potential."""
    names = list(results["methods"])
    with style():
        columns = min(3, len(names))
        rows = -(-len(names) // columns)
        figure = new_figure(2.9 * max(2, columns), 2.5 * rows + 3.0)
        grid = figure.add_gridspec(rows + 1, columns)
        for k, name in enumerate(names):
            _against_atoms(figure.add_subplot(grid[k // columns, k % columns]), results, name)
        _against_potential(figure.add_subplot(grid[rows, :]), results, names)
        legend_below(figure)
    save(figure, path)


def _against_atoms(axes: Any, results: dict[str, Any], name: str) -> None:
    system, rows = get_system(name), [r for r in results["timing"] if r["system"] == name and r["ranks"] == 1]
    for method, (colour, dash, mark) in LOOKS.items():
        points = [
            (row["atoms"], statistics.median(row["core_seconds_per_time"][method]))
            for row in rows
            if row["core_seconds_per_time"].get(method)
        ]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, marker=mark, markersize=4, label=method)
    axes.set(xscale="log", yscale="log", xlabel="atoms", ylabel=f"core-seconds per {get_units(system.units).time}")
    axes.set_title(f"{name}: {POTENTIALS.get(name, '')}", loc="left")


def _against_potential(axes: Any, results: dict[str, Any], names: list[str]) -> None:
    """Microseconds for each atom and base step, at about AT atoms, cheapest reference first."""
    shown: dict[str, dict[str, float]] = {}
    for name in names:
        rows = [r for r in results["timing"] if r["system"] == name and r["ranks"] == 1]
        row = min(rows, key=lambda r: abs(r["atoms"] - AT))
        base = get_system(name).base_timestep
        shown[name] = {
            method: 1e6 * base * statistics.median(values) / row["atoms"]
            for method, values in row["core_seconds_per_time"].items()
            if values
        }
    order = sorted(names, key=lambda name: shown[name][BASE])
    for method, (colour, dash, mark) in LOOKS.items():
        points = [(k, shown[name][method]) for k, name in enumerate(order) if method in shown[name]]
        if points:
            axes.plot(
                *zip(*points, strict=True), color=colour, linestyle=dash, linewidth=0.7, marker=mark, markersize=6
            )
    axes.set_xticks(range(len(order)), [f"{POTENTIALS.get(name, name)}\n{name}" for name in order])
    axes.set(yscale="log", ylabel="µs per atom and base step")
    axes.set_title("cost of the same simulated time against the reference potential", loc="left")
