"""How well `pair_style glassvae` conserves the energy: Cu50Zr50, 864 atoms, 20 ps at constant energy.

    python -m benchmarks.glassvae.nve Cu50Zr50.glassvae.pt
    python -m benchmarks.glassvae.nve MODEL --temperatures 300 --time 5 --ranks 2

A glass is quenched in the embedded-atom potential to each temperature, minimised in the model at that volume, heated to
the temperature and held there for --equilibration, then left alone. The drift is that of a line through the total
energy, over the whole run; the spread is the largest difference between two of its values, one in every 20 steps.
Writes nve.json and nve.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import lmp, paths
from benchmarks.common.cuzr import HEAD, make_glass
from benchmarks.common.output import page, publish
from vitrify.modelfile.archive import find_model

RESULTS = paths.RESULTS / "glassvae"
EVERY = 20


def conserve(model: Path, data: Path, temperature: float, options: argparse.Namespace) -> dict[str, Any]:
    """Drift and spread of the total energy (eV/atom) and the temperature of one run."""
    steps = round(options.time / options.timestep)
    engine = f" engine {options.engine}" if options.engine else ""
    finished = lmp.run(
        [
            *HEAD,
            f'read_data "{data}"',
            "pair_style glassvae",
            f'pair_coeff * * "{model}" Cu Zr{engine}',
            "thermo 1000000",
            "minimize 0 1e-2 500 5000",
            "reset_timestep 0",
            f"timestep {options.timestep}",
            f"velocity all create {2 * temperature} 7 mom yes dist gaussian",
            f"fix 1 all nvt temp {temperature} {temperature} 0.1",
            f"run {round(options.equilibration / options.timestep)}",
            "unfix 1",
            "fix 1 all nve",
            "variable e equal etotal/atoms",
            "variable t equal temp",
            f'fix 2 all print {EVERY} "sample $(v_e:%.12f) $(v_t:%.4f)" screen yes',
            f"run {steps}",
        ],
        ranks=options.ranks,
    )
    samples = [line.split()[1:] for line in finished.output.splitlines() if line.startswith("sample ")]
    energies, temperatures = np.array(samples, dtype=float).T
    slope = np.polyfit(np.linspace(0.0, 1.0, len(energies)), energies, 1)[0]
    return {
        "temperature": temperature,
        "mean_temperature": float(temperatures.mean()),
        "atoms": finished.loops[-1].atoms,
        "picoseconds": options.time,
        "timestep": options.timestep,
        "drift": float(slope),
        "spread": float(np.ptp(energies)),
    }


def table(model: str, rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    titles = ["T (K)", "atoms", "time (ps)", "step (fs)", "mean T (K)", "drift (eV/atom)", "spread (eV/atom)"]
    lines = [
        [
            f"{row['temperature']:g}", f"{row['atoms']}", f"{row['picoseconds']:g}", f"{1000 * row['timestep']:g}",
            f"{row['mean_temperature']:.0f}", f"{row['drift']:.1e}", f"{row['spread']:.1e}",
        ]
        for row in rows
    ]  # fmt: skip
    name = "Energy conservation with `pair_style glassvae`"
    return page(name, f"python -m benchmarks.glassvae.nve {model}", titles, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model file of kind glassvae for Cu and Zr")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[300.0, 900.0], help="K")
    parser.add_argument("--cells", type=int, default=6, help="of 4 atoms along each edge")
    parser.add_argument("--time", type=float, default=20.0, help="ps")
    parser.add_argument("--equilibration", type=float, default=2.0, help="ps")
    parser.add_argument("--timestep", type=float, default=0.001, help="ps")
    parser.add_argument("--engine", choices=("native", "torch"), help="default: as pair_coeff chooses")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    model, rows = find_model(chosen.model).resolve(), []
    with tempfile.TemporaryDirectory() as folder:
        for temperature in chosen.temperatures:
            data = Path(folder) / f"{temperature:g}.data"
            make_glass(data, chosen.cells, temperature=temperature)
            rows.append(conserve(model, data, temperature, chosen))
    publish(chosen.results, "nve", {"model": model.name, "rows": rows}, table(model.name, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
