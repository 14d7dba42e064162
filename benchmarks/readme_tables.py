"""Writes the tables of README.md that stand between markers, from the JSON files in benchmarks/results.

    python -m benchmarks.readme_tables            # rewrites the tables
    python -m benchmarks.readme_tables --check    # fails if README.md does not hold what the results say

A marker is `<!-- table: NAME -->`, and a table ends with `<!-- end -->`. NAME is one of

    speed      OGN against MD on one core, from ogn_vs_md.py
    one-step   errors of one stride beside those of Verlet, from `vitrify evaluate`
    long-run   long runs beside MD, from `vitrify evaluate`
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import output, paths
from benchmarks.ogn.cases import CASES
from benchmarks.ogn.report import AT, POTENTIALS, step_time, times
from benchmarks.ogn.timing import BASE, MATCHED, NATIVE, cost_of_step, ratios
from vitrify.core.units import get_units

MARKED = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
VERLET = {
    "verlet_base_step": "Verlet, base steps",
    "verlet_half_stride": "Verlet, 2 half-strides",
    "verlet_stride": "Verlet, 1 stride",
    "ballistic": "free flight",
}
LOST = 0.9  # of v_std: beyond it a velocity error says nothing


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"{line}\n" for line in output.table(columns, rows))


def speed(results: Path) -> str:
    """One row for each system: the cell of about 10,000 atoms on one core."""
    path = results / "ogn_vs_md" / "results.json"
    if not path.exists():
        return ""
    found, rows = json.loads(path.read_text()), []
    for name, described in found["methods"].items():
        measured = [r for r in found["timing"] if r["system"] == name and r["ranks"] == 1]
        row = min(measured, key=lambda r: abs(r["atoms"] - AT))
        if NATIVE not in row["core_seconds_per_time"]:
            continue
        steps = {m["name"]: m["timestep"] for m in described}
        matched = MATCHED if MATCHED in steps else BASE
        judged = results / "ogn_vs_md" / "match" / f"{name}.json"
        ogn = json.loads(judged.read_text()).get("ogn") if judged.exists() else None
        rows.append(
            [
                f"{name}, {POTENTIALS.get(name, '')}",
                f"{cost_of_step(row, BASE, steps[BASE]):.3g}",
                step_time(name, steps[matched]),
                f"{cost_of_step(row, NATIVE, steps[NATIVE]):.3g}",
                step_time(name, steps[NATIVE]),
                times(ratios(row, BASE, NATIVE)),
                f"**{times(ratios(row, matched, NATIVE))}**",
                "yes" if ogn and ogn["passed"] else "no",
            ]
        )
    columns = ["system, reference", "MD, µs per atom and step", "matched step of Verlet", "OGN, µs per atom and stride"]
    columns += ["stride", "OGN over MD at the base step", "OGN over MD at the matched step", "OGN meets the list"]
    return table(columns, rows)


def evaluations(results: Path) -> list[tuple[str, dict[str, Any]]]:
    """The evaluations that are there, in the order of the systems; a name like kalj-20 is a variant of kalj."""
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(results.glob("*/metrics.json"))}
    order = list(CASES)
    return sorted(
        (
            (name, metrics)
            for name, metrics in found.items()
            if "one_step" in metrics and metrics["data"]["system"] in CASES
        ),
        key=lambda pair: (order.index(pair[1]["data"]["system"]), pair[0]),
    )


def one_step(results: Path) -> str:
    """Position and velocity errors of one stride: the model's and, with exact forces, Verlet's."""
    rows = []
    for name, metrics in evaluations(results):
        model, methods = metrics["model"], metrics["one_step"]["methods"]
        length = get_units(model["units"]).length
        bars = metrics["one_step"]["verdict"]["verlet_stride"]
        met = [what for what, key in (("position", "x_passed"), ("velocity", "v_passed")) if bars.get(key)]
        rows.append(
            [
                name,
                f"{step_time(metrics['data']['system'], model['timestep'])} = {model['stride']} steps",
                f"**{_errors(methods['model'], length)}**",
                *(_errors(methods[key], length) for key in VERLET),
                " and ".join(met) or "none",
            ]
        )
    return table(["system", "stride", "OGN", *VERLET.values(), "bars met"], rows) if rows else ""


def _errors(method: dict[str, Any], length: str) -> str:
    x, v = method["x_rmse"], method["v_rmse_over_v_std"]
    if x is None or method["lost"]:
        return "lost"
    return f"{x:.2g} {length}, {'lost' if v > LOST else f'{v:.2g}'}"


def long_run(results: Path) -> str:
    """The worst of each kind of deviation from MD, of MD from another start and of the model."""
    kinds: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("g(r)", r"g\(r\) ", _percent),
        ("T of a species", "temperature .*relative", _percent),
        ("D (glass: plateau)", "(diffusion|plateau) .*relative", _percent),
        ("F_s", "F_s ", lambda value: f"{value:.2g}"),
        ("VDOS", "spectrum ", _percent),
        ("momentum", "momentum", lambda value: f"{value:.0e}"),
    )
    rows = []
    for name, metrics in evaluations(results):
        for run, judged in metrics.get("long_run_verdicts", {}).items():
            verdicts = [line["verdict"] for line in judged.values()]
            cells = [name, run]
            for _, pattern, form in kinds:
                values = [line["value"] for key, line in judged.items() if re.match(pattern, key)]
                cells.append(form(max(map(abs, values))) if values and None not in values else "lost")
            exact = "OGN" not in run
            cells.append("" if exact else f"{verdicts.count('pass')} of {len(verdicts)}")
            rows.append(cells)
    return table(["system", "run", *(kind[0] for kind in kinds), "targets met"], rows) if rows else ""


def _percent(value: float) -> str:
    return f"{100 * value:.2g}%"


TABLES: dict[str, Callable[[Path], str]] = {"speed": speed, "one-step": one_step, "long-run": long_run}


def filled(text: str, results: Path) -> str:
    """The text with every marked table made anew. Raises SystemExit for a table that nobody knows."""

    def fill(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in TABLES:
            raise SystemExit(f"README.md asks for the table {name!r}, but there are {', '.join(TABLES)}")
        return f"{found[1]}{TABLES[name](results)}{found[3]}"

    return MARKED.sub(fill, text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a table is out of date")
    parser.add_argument("--readme", type=Path, default=paths.ROOT / "README.md")
    parser.add_argument("--results", type=Path, default=paths.RESULTS)
    chosen = parser.parse_args(arguments)
    text = chosen.readme.read_text()
    wanted = filled(text, chosen.results)
    names = ", ".join(found["name"] for found in MARKED.finditer(text)) or "none"
    if chosen.check and text != wanted:
        print(f"the tables of {chosen.readme} ({names}) are out of date: python -m benchmarks.readme_tables")
        return 1
    if not chosen.check:
        chosen.readme.write_text(wanted)
    print(f"tables of {chosen.readme}: {names}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
