"""A large cell from a generator that knows small ones: a-Si of 10,000 atoms beside cells of 256 and a melt-quench.

    python -m benchmarks.amshortcut.big --data examples/si-glass/data/si_glass_1e15_test.extxyz.gz

Writes benchmarks/results/amshortcut/big.json and big.md: the time of a cell on two cores; RDF against the data, beside
that of as many atoms in cells of 256; the closest pair; S(q) at small q, as a mean of ten cells, beside that of a
melt-quench of the same size; and the energy of a 10 ps NVE run at 300 K after minimisation, beside the same run of the
melt-quench.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.amshortcut.evaluate.measure import read_ensemble
from vitrify.analysis.ensembles import closest_pairs, low_q, rdf, rmsd
from vitrify.core.files import atomic_path
from vitrify.datagen.structures.recipes import RECIPES
from vitrify.generation.generate import generate_many
from vitrify.generation.relaxation import Frame, correct
from vitrify.modelfile.archive import find_model

COMMANDS = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")
OUT = paths.RESULTS / "amshortcut"
LOW_Q = 0.8  # 1/A: well below the first peak at 2, and several wave vectors of a cell of 256 atoms


def timed(model: str, atoms: int, steps: int, rate: float) -> float:
    """Wall seconds of one command on two threads, with the start of Python."""
    out = OUT / ".big.extxyz"
    command = [
        sys.executable, "-m", "vitrify.cli", "generate", model, "--atoms", str(atoms), "--steps", str(steps),
        "--target", f"log10_cooling_rate={rate}", "--out", str(out),
    ]  # fmt: skip
    start = time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "2"}, capture_output=True)
    out.unlink(missing_ok=True)
    return time.monotonic() - start


def melt_quench(atoms: int, rate: float, cache: Path) -> Atoms:
    """A glass of the same size by MD, kept for the next time."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        recipe = RECIPES["si-glass"](rate=10.0**rate, atoms=atoms, frames=1)
        simulation, frames = recipe.simulate(np.random.default_rng(1))
        simulation.close()
        with atomic_path(cache) as work:
            write(work, frames[-1], format="extxyz")
    return read(cache)


def nve(atoms: Atoms, picoseconds: float = 10.0) -> tuple[float, float]:
    """Drift (meV/atom/ps) and temperature (K) of an NVE run from the minimum, with twice 300 K of kinetic energy."""
    still = correct(atoms, COMMANDS, species=["Si"], iterations=2000)
    with Frame(still, ["Si"]).session() as session:
        session.run_commands(
            *COMMANDS, "velocity all create 600.0 1 mom yes rot no dist gaussian", "timestep 0.001", "fix nve all nve"
        )
        energies, temperatures = [], []
        blocks = 20
        for _ in range(blocks):
            session.run(round(1000 * picoseconds / blocks))
            state = session.state()
            energies.append((state.potential_energy + state.kinetic_energy) / len(atoms))
            temperatures.append(state.temperature)
    times = np.linspace(picoseconds / blocks, picoseconds, blocks)
    return 1000 * float(np.polyfit(times, energies, 1)[0]), float(np.mean(temperatures[blocks // 2 :]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Si.amshortcut.pt")
    parser.add_argument("--data", type=Path, required=True, help="frames of 256 atoms at the same rate")
    parser.add_argument("--rate", type=float, default=15.0, help="log10 of K/s")
    parser.add_argument("--atoms", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=paths.RUNS, help="folder that keeps the melt-quench")
    parser.add_argument("--cells", type=int, default=10, help="large cells whose S(q) is averaged")
    a = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    model, target = str(find_model(a.model)), {"log10_cooling_rate": a.rate}
    reference, _ = read_ensemble([a.data])
    target_curve = rdf(reference)
    big = list(generate_many(model, a.cells, n_atoms=a.atoms, target=target, steps=a.steps))
    small = list(generate_many(model, max(2, a.atoms // 256), n_atoms=256, target=target, steps=a.steps))
    glass = melt_quench(a.atoms, a.rate, a.cache / f"md-{a.atoms}-{a.rate:g}.extxyz")
    drift, heat = nve(big[0])
    drift_md, heat_md = nve(glass)
    found = {
        "atoms": a.atoms,
        "steps": a.steps,
        "log10_cooling_rate": a.rate,
        "seconds_on_two_cores": timed(model, a.atoms, a.steps, a.rate),
        "rdf_rmsd": rmsd(rdf(big[:1]), target_curve)["total"],
        "rdf_rmsd_of_small_cells": rmsd(rdf(small), target_curve)["total"],
        "closest": min(closest_pairs(big, ["Si"]).values()),
        "closest_in_data": min(closest_pairs(reference, ["Si"]).values()),
        "low_q": float(np.mean(low_q(big, LOW_Q))),
        "low_q_md": float(np.mean(low_q([glass], LOW_Q))),
        "drift": drift,
        "drift_md": drift_md,
        "temperature": heat,
        "temperature_md": heat_md,
    }
    publish(OUT, "big", found, report(found))


def report(f: dict[str, float]) -> str:
    """A table of what was found."""
    return f"""# a-Si of {f["atoms"]} atoms, from a model of 256 atoms

`python -m benchmarks.amshortcut.big`; {f["steps"]} steps, 1e{f["log10_cooling_rate"]:g} K/s.

| | generator | beside it |
| --- | --- | --- |
| wall time on two cores, with the start of the program | {f["seconds_on_two_cores"]:.1f} s | |
| RDF RMSD against the data | {f["rdf_rmsd"]:.4f} | {f["rdf_rmsd_of_small_cells"]:.4f} as many atoms in cells of 256 |
| closest pair (A) | {f["closest"]:.3f} | {f["closest_in_data"]:.3f} in the data |
| S(q), mean below {LOW_Q:g} 1/A | {f["low_q"]:.4f} | {f["low_q_md"]:.4f} melt-quench of this size |
| NVE drift in 10 ps after minimisation (meV/atom/ps) | {f["drift"]:.4f} | {f["drift_md"]:.4f} melt-quench |
| its temperature (K) | {f["temperature"]:.0f} | {f["temperature_md"]:.0f} melt-quench |
"""


if __name__ == "__main__":
    main()
