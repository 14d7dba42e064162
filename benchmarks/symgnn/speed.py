"""Time and memory of `compute symgnn/atom` in LAMMPS for growing glasses: results/symgnn/speed.md.

    python -m benchmarks.symgnn.speed
    python -m benchmarks.symgnn.speed --sizes 3000 --ranks 2 --repeats 9

One evaluation is everything: finding the pairs, both layers, their exchange between ranks. It is the difference of two
loops of the same atoms, with and without the compute, over the evaluations. The structure is a jittered crystal of the
density and composition of the glasses that the model was trained on, which costs what a glass costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import lmp, paths
from benchmarks.common.output import write_text
from vitrify.modelfile.archive import find_model

SCRIPT = """\
units        metal
lattice      fcc 3.994
region       box block 0 {cells[0]} 0 {cells[1]} 0 {cells[2]}
create_box   2 box
create_atoms 1 box
set          type 1 type/fraction 2 0.36 7
mass         1 63.546
mass         2 91.224
displace_atoms all random 0.2 0.2 0.2 7
pair_style   none
comm_modify  cutoff 10.0
neighbor     2.0 bin
compute      eb all symgnn/atom "{model}" Cu Zr engine {engine}
compute      mean all reduce ave c_eb[1]
thermo       1
thermo_style custom step vol
run          {steps}
thermo_style custom step c_mean
run          {steps}
"""


def cells(atoms: int) -> tuple[int, int, int]:
    """Cubic cells of four atoms along each edge, for at least so many atoms."""
    counts = [1, 1, 1]
    while 4 * counts[0] * counts[1] * counts[2] < atoms:
        counts[counts.index(min(counts))] += 1
    return counts[0], counts[1], counts[2]


def seconds(model: Path, atoms: int, ranks: int, engine: str, steps: int) -> tuple[int, float, float]:
    """Atoms, seconds of one evaluation, and the memory of the largest rank in GiB."""
    script = SCRIPT.format(cells=cells(atoms), model=model, engine=engine, steps=steps)
    finished = lmp.run(script.splitlines(), ranks=ranks)
    without, with_it = finished.loops
    return with_it.atoms, (with_it.seconds - without.seconds) / steps, finished.memory / 2**30


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Cu64Zr36.symgnn.pt")
    parser.add_argument("--sizes", nargs="+", type=int, default=[3000, 30_000, 300_000, 1_000_000])
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--engine", choices=("native", "torch"), default="native")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "symgnn")
    chosen = parser.parse_args(arguments)
    model = find_model(chosen.model).resolve()
    lines = [
        "# Speed of `compute symgnn/atom`", "",
        f"Made by `python -m benchmarks.symgnn.speed` ({model.name}, engine {chosen.engine}); its --help says how.", "",
        "| atoms | ranks | seconds an evaluation | µs an atom and rank | GiB of the largest rank |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for atoms in chosen.sizes:
        for ranks in chosen.ranks:
            steps = max(1, min(20, 60_000 // atoms))
            found = [seconds(model, atoms, ranks, chosen.engine, steps) for _ in range(chosen.repeats)]
            each = statistics.median(one[1] for one in found)
            number, memory = found[0][0], max(one[2] for one in found)
            lines.append(f"| {number:,} | {ranks} | {each:.3g} | {1e6 * each * ranks / number:.2f} | {memory:.2f} |")
            print(lines[-1], flush=True)
    write_text(chosen.results / "speed.md", "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
