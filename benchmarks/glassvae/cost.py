"""What a step of `pair_style glassvae` costs in LAMMPS, beside the embedded-atom potential that it learned from.

    python -m benchmarks.glassvae.cost Cu50Zr50.glassvae.pt
    python -m benchmarks.glassvae.cost MODEL --sizes 4000 --repeats 9

One core and one glass of Cu50Zr50 at 300 K, repeated to the size wanted. All methods run by turns, as often as
--repeats says; shown are medians, and for the ratio the least and the largest, too. Processor time counts, so that
other programs do little harm. Memory is the most that the process has held. Writes cost.json and cost.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common import lmp, paths
from benchmarks.common.cuzr import EAM, HEAD, make_glass
from benchmarks.common.output import page, publish
from vitrify.engines.open import engines_of
from vitrify.modelfile.archive import find_model

RESULTS = paths.RESULTS / "glassvae"
CELLS = 5  # of 4 atoms, along each edge of the glass


@dataclass(frozen=True)
class Method:
    """A potential: its commands, and the steps of a timed run of 4,000 atoms."""

    name: str
    commands: tuple[str, ...]
    steps: int


def methods(model: Path) -> list[Method]:
    """EAM, then the model in each engine that it has."""
    steps = {"native": 40, "torch": 4}
    pairs = {engine: f'pair_coeff * * "{model}" Cu Zr engine {engine}' for engine in engines_of(model)}
    learned = [Method(f"glassvae, {name}", ("pair_style glassvae", pair), steps[name]) for name, pair in pairs.items()]
    return [Method("eam/fs", EAM, 300), *learned]


def copies(atoms: int) -> tuple[int, int, int]:
    """How often to repeat the glass along x, y, z for at least so many atoms: as few as can be, and near to a cube."""
    needed = math.ceil(atoms / (4 * CELLS**3))
    enough = (found for found in product(range(1, 17), repeat=3) if math.prod(found) >= needed)
    return min(enough, key=lambda found: (math.prod(found), max(found)))


def measure(method: Method, data: Path, atoms: int, length: float) -> tuple[lmp.Loop, int]:
    """The timed loop and the memory of its process, in bytes."""
    steps = max(2, round(length * method.steps * 4000 / atoms))
    finished = lmp.run(
        [
            *HEAD,
            f'read_data "{data}"',
            "replicate {} {} {}".format(*copies(atoms)),
            *method.commands,
            "velocity all create 300 7 mom yes dist gaussian",
            "fix 1 all nve",
            "timestep 0.002",
            "thermo 1000000",
            "run 2",
            f"run {steps}",
        ]
    )
    return finished.loops[-1], finished.memory


def time_size(chosen: Sequence[Method], data: Path, atoms: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Microseconds of one core for each atom and step and gibibytes of each method, by turns."""
    found: dict[Method, list[tuple[lmp.Loop, int]]] = {method: [] for method in chosen}
    for _ in range(options.repeats):
        for method in chosen:
            found[method].append(measure(method, data, atoms, options.length))
    rows = []
    for method, runs in found.items():
        each = [1e6 * loop.core_seconds / loop.steps / loop.atoms for loop, _ in runs]
        memory = max(bytes_ for _, bytes_ in runs) / 2**30
        rows.append({"method": method.name, "atoms": runs[0][0].atoms, "microseconds": each, "gibibytes": memory})
    return rows


def table(model: str, rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = []
    for row in rows:
        base = next(one for one in rows if one["atoms"] == row["atoms"])["microseconds"]
        ratios = [a / b for a, b in zip(row["microseconds"], base, strict=True)]
        shown = f"{statistics.median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})"
        median, memory = f"{statistics.median(row['microseconds']):.3g}", f"{row['gibibytes']:.2f}"
        lines.append([f"{row['atoms']:,}", row["method"], median, shown, memory])
    titles = ["atoms", "potential", "µs of a core for each atom and step", "times eam/fs", "GiB"]
    return page("Cost of `pair_style glassvae`", f"python -m benchmarks.glassvae.cost {model}", titles, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model file of kind glassvae for Cu and Zr")
    parser.add_argument("--sizes", nargs="+", type=int, default=[4000, 16_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--length", type=float, default=1.0, help="of the timed runs, which take seconds by default")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    model = find_model(chosen.model).resolve()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "glass.data"
        make_glass(data, CELLS)
        rows = [row for atoms in chosen.sizes for row in time_size(methods(model), data, atoms, chosen)]
    publish(chosen.results, "cost", {"model": model.name, "rows": rows}, table(model.name, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
