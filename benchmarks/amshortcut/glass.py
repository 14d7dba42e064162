"""Quenched silicon: energy after minimisation and structure of generated glasses beside melt-quench, at what CPU time.

    python -m benchmarks.amshortcut.glass --model Si.amshortcut.pt --data examples/si-glass/data

The plain route: MD from random positions, at the temperature that ends lowest for that many steps, and a minimisation;
then the melt-quenches of the data. The generated route: sampling, MD at the same temperatures, and a minimisation.
Times are CPU seconds of one thread. Writes benchmarks/results/amshortcut/glass.json and glass.md, with the time of the
plain route that reaches each energy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.amshortcut.evaluate.baselines import md_from_random
from vitrify.amshortcut.evaluate.measure import read_ensemble
from vitrify.amshortcut.generate import make_sampler
from vitrify.analysis.ensembles import adf, coordination, low_q, mass_densities, mean_coordination, rdf, rmsd
from vitrify.analysis.rings import ring_counts
from vitrify.data.samples import read_recipe
from vitrify.generation.relaxation import correct, minimum
from vitrify.modelfile.archive import find_model, read_metadata

COMMANDS = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")
OUT = paths.RESULTS / "amshortcut"
RATES = ("1e13", "3e13", "1e14", "1e15")
BOND = 2.9  # A: first minimum of g(r) of these glasses
KELVIN = 300.0
# Sampling steps, churn, and steps and temperature (K) of the MD that follows.
VARIANTS = (
    (1, 0.0, 0, 0.0), (5, 0.0, 0, 0.0), (10, 0.0, 0, 0.0), (50, 0.0, 0, 0.0), (50, 0.5, 0, 0.0),
    (5, 0.0, 100, 1000.0), (10, 0.0, 300, 1000.0), (10, 0.0, 300, 1400.0), (10, 0.0, 1000, 1000.0),
    (10, 0.0, 3000, 1000.0), (50, 0.5, 1000, 1000.0),
)  # fmt: skip


def minimised(atoms: Atoms) -> Atoms:
    """The minimum at fixed cell, to a largest force of 1e-3 eV/A."""
    return minimum(correct(atoms, COMMANDS, species=["Si"], iterations=5), COMMANDS, species=["Si"])


def annealed(atoms: Atoms, steps: int, kelvin: float, seed: int) -> Atoms:
    """After a few iterations of minimisation and MD in steps of 3 fs."""
    if not steps:
        return atoms
    return correct(
        atoms, COMMANDS, species=["Si"], iterations=30, steps=steps, temperature=kelvin, timestep=0.003, seed=seed
    )


def measure(make: Callable[[int], Atoms], count: int) -> tuple[list[Atoms], dict[str, float]]:
    """`count` structures at their minima, mean and error of their energy (eV/atom), and CPU seconds of one."""
    make(0)  # what is loaded once
    start, found = time.process_time(), []
    for number in range(count):
        found.append(minimised(make(number)))
    cpu = (time.process_time() - start) / count
    energies = np.array([atoms.info["energy"] / len(atoms) for atoms in found])
    error = energies.std() / max(1, count - 1) ** 0.5
    return found, {"energy": energies.mean(), "energy_error": error, "cpu_seconds": cpu}


def structure(samples: Sequence[Atoms], reference: Sequence[Atoms]) -> dict[str, float]:
    """Structure at 300 K, beside the reference at that temperature."""
    shares = coordination(samples, ["Si"], {"Si-Si": BOND})["Si-Si"]
    rings = np.sum([ring_counts(atoms) for atoms in samples[:6]], axis=0).astype(float)
    return {
        "rdf": rmsd(rdf(samples), rdf(reference))["total"],
        "adf": rmsd(adf(samples), adf(reference))["total"],
        "coordination": mean_coordination(shares),
        "not_fourfold": float(1.0 - shares[4]),
        "ring_size": float((np.arange(len(rings)) * rings).sum() / rings.sum()),
        "density": float(np.mean(mass_densities(samples))),
        "low_q": float(np.nanmean(low_q(samples, 1.0))),
    }


def warmed(samples: Sequence[Atoms]) -> list[Atoms]:
    """The same at 300 K: 200 steps of MD from the minima."""
    return [
        correct(atoms, COMMANDS, species=["Si"], minimise=False, steps=200, temperature=KELVIN, seed=number + 1)
        for number, atoms in enumerate(samples)
    ]


def plain(like: Sequence[Atoms], count: int) -> list[dict[str, Any]]:
    """MD from random positions, for rising numbers of steps."""
    rows = []
    for steps, kelvins in ((0, (300.0,)), (300, (1000.0, 1400.0)), (1000, (1000.0, 1400.0)), (3000, (1000.0, 1400.0))):
        for kelvin in kelvins:

            def make(number: int, steps: int = steps, kelvin: float = kelvin) -> Atoms:
                atoms = like[number % len(like)]
                made = md_from_random(
                    [atoms.cell[:]], [{"Si": len(atoms)}], ["Si"], COMMANDS, kelvin, steps, 0.003, number + 1,
                    progress=False,
                )  # fmt: skip
                return made.samples[0]

            _, row = measure(make, count)
            rows.append({"method": f"random, {steps} steps at {kelvin:g} K", **row})
            print(rows[-1], flush=True)
    return rows


def quenched(data: Path) -> list[dict[str, Any]]:
    """The melt-quenches of the data."""
    rows = []
    for rate in RATES:
        samples, groups = read_ensemble([data / f"si_glass_{rate}_{part}.extxyz.gz" for part in ("train", "test")])
        energies = {group: atoms.info["inherent_energy"] for group, atoms in zip(groups, samples, strict=True)}
        values = np.array(list(energies.values()))
        cpu = read_recipe(data / f"si_glass_{rate}_test.extxyz.gz")["cpu_seconds_per_sample"]
        error = values.std() / (len(values) - 1) ** 0.5
        rows.append(
            {"method": f"melt-quench, {rate} K/s", "energy": values.mean(), "energy_error": error, "cpu_seconds": cpu}
        )
    return rows


def generated(model: Path, like: Sequence[Atoms], reference: Sequence[Atoms], rate: float, count: int) -> list[Any]:
    """Generated structures, for numbers of sampling steps and of MD steps at a temperature."""
    sampler = make_sampler(model, read_metadata(model), "auto", "cpu")
    rows = []
    for steps, churn, md, kelvin in VARIANTS:

        def make(number: int, steps: int = steps, churn: float = churn, md: int = md, kelvin: float = kelvin) -> Atoms:
            atoms = like[number % len(like)]
            plan = sampler.plan(len(atoms), None, atoms.cell[:], None, {"log10_cooling_rate": rate}, steps, churn)
            positions, _ = sampler.make(plan, number + 1)
            start = Atoms(f"Si{len(atoms)}", positions=positions, cell=atoms.cell, pbc=True)
            return annealed(start, md, kelvin, number + 1)

        found, row = measure(make, count)
        name = f"{steps} sampling steps" + (f", churn {churn:g}" if churn else "")
        name += f", {md} steps at {kelvin:g} K" if md else ""
        rows.append({"method": name, **row, **structure(warmed(found), reference)})
        print(rows[-1], flush=True)
    return rows


def reached_by(routes: Sequence[dict[str, Any]], energy: float) -> float | None:
    """CPU seconds at which the quickest plain route has an energy, between its rows on a logarithmic scale of time."""
    best: list[tuple[float, float]] = []
    for row in sorted(routes, key=lambda row: row["cpu_seconds"]):
        if not best or row["energy"] < best[-1][1]:
            best.append((row["cpu_seconds"], row["energy"]))
    for (t0, e0), (t1, e1) in pairwise(best):
        if e1 <= energy <= e0:
            share = (e0 - energy) / (e0 - e1)
            return float(t0 * (t1 / t0) ** share)
    return best[0][0] if energy > best[0][1] else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Si.amshortcut.pt")
    parser.add_argument("--data", type=Path, default=paths.EXAMPLES / "si-glass" / "data")
    parser.add_argument("--rate", default="1e13", choices=RATES, help="of the glass that is asked for, K/s")
    parser.add_argument("--samples", type=int, default=16)
    a = parser.parse_args()
    reference, groups = read_ensemble([a.data / f"si_glass_{a.rate}_test.extxyz.gz"])
    like = [reference[groups.index(group)] for group in sorted(set(groups))]
    routes = [*plain(like, a.samples), *quenched(a.data)]
    made = generated(find_model(a.model), like, reference, float(np.log10(float(a.rate))), a.samples)
    train, _ = read_ensemble([a.data / f"si_glass_{a.rate}_train.extxyz.gz"])
    quench = next(row["cpu_seconds"] for row in routes if row["method"].endswith(f"{a.rate} K/s"))
    for row in made:
        row["melt_quench_over_this"] = quench / row["cpu_seconds"]
        reached = reached_by(routes, row["energy"])
        row["equal_energy_over_this"] = None if reached is None else reached / row["cpu_seconds"]
    found = {
        "rate": a.rate, "samples": a.samples, "ladder": routes, "generated": made,
        "floor": structure(train[::4], reference), "reference": structure(reference, reference),
    }  # fmt: skip
    publish(OUT, f"glass_{a.rate}", found, report(found))


def report(found: dict[str, Any]) -> str:
    """Two tables: plain routes, and generated structures."""
    lines = [
        f"# Quenched a-Si, asked for {found['rate']} K/s, 256 atoms, {found['samples']} samples of each row",
        "",
        "`python -m benchmarks.amshortcut.glass`. Energy: after minimisation at fixed cell, eV/atom.",
        "",
        "| plain route | CPU-s | energy |",
        "| --- | --- | --- |",
    ]
    for row in found["ladder"]:
        lines.append(f"| {row['method']} | {_cost(row)} |")
    lines += [
        "",
        "| generated | CPU-s | energy | melt-quench takes | plain route of equal energy takes | RDF | ADF "
        "| coordination | not fourfold | ring size | low-q S |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["generated"]:
        equal = row["equal_energy_over_this"]
        lines.append(
            f"| {row['method']} | {_cost(row)} "
            f"| {row['melt_quench_over_this']:.0f} x | {'-' if equal is None else f'{equal:.2g} x'} | {_shape(row)} |"
        )
    for name in ("reference", "floor"):
        title = "the melt-quench itself" if name == "reference" else "other melt-quenches of this rate (floor)"
        lines.append(f"| {title} | | | | | {_shape(found[name])} |")
    return "\n".join(lines) + "\n"


def _cost(row: dict[str, Any]) -> str:
    return f"{row['cpu_seconds']:.3g} | {row['energy']:.4f} ± {row['energy_error']:.4f}"


def _shape(row: dict[str, float]) -> str:
    return (
        f"{row['rdf']:.4f} | {row['adf']:.5f} | {row['coordination']:.3f} | {100 * row['not_fourfold']:.1f}% "
        f"| {row['ring_size']:.2f} | {row['low_q']:.3f}"
    )


if __name__ == "__main__":
    main()
