"""What a generator of silicon must beat: MD from a random start for the liquid, and melt-quench for the glass.

    python -m benchmarks.amshortcut.baselines --liquid si_liquid.extxyz.gz [--glass si_glass_1e14.extxyz.gz ...]

The files are those of `vitrify data structures si-liquid` and `si-glass`. Writes md_baseline.json and md_baseline.md
into benchmarks/results/amshortcut. 100 samples of the liquid take 4 CPU-minutes; what is done is kept, and a second run
goes on from there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from tqdm import tqdm

from benchmarks.common import paths
from benchmarks.common.output import publish, write_json
from vitrify.amshortcut.evaluate.baselines import CITATION, PUBLISHED, TIMESTEPS, md_from_random
from vitrify.amshortcut.evaluate.measure import read_ensemble
from vitrify.amshortcut.evaluate.runs import counts_of, pick
from vitrify.analysis import ensembles
from vitrify.analysis.ensembles import TOTAL
from vitrify.core.errors import VitrifyError
from vitrify.data.samples import read_recipe
from vitrify.generation.relaxation import inherent_energy
from vitrify.lammps_library.session import lammps_version

RESULTS = paths.RESULTS / "amshortcut"
COMMANDS = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")
STEPS = (0, 25, 50, 100, 250, 500)
TEMPERATURE = 2500.0
MINIMISED = 20  # random starts whose energy at rest is the least that a glass must beat


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    path = options.out / "md_baseline.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    settings = {"samples": options.samples, "seed": options.seed, "liquid": options.liquid.name}
    found = known if known.get("settings") == settings else {"settings": settings, "runs": []}
    found |= {"lammps": lammps_version(), "glasses": [glass(file) for file in options.glass]}
    reference, groups = read_ensemble([options.liquid])
    of = Liquid(reference, groups)
    found["floor"] = of.floor(options.samples)
    like = pick(reference, options.samples, options.seed)
    done = {(row["steps"], row["timestep"]) for row in found["runs"]}
    for steps in options.steps:
        for timestep in options.timesteps if steps else options.timesteps[:1]:
            if (steps, timestep) not in done:
                found["runs"].append(of.run(like, steps, timestep, options.seed))
                write_json(path, found)
    if options.glass and "minimised" not in found:
        found["minimised"] = minimised(read_ensemble(options.glass[:1])[0], options.seed)
    publish(options.out, "md_baseline", found, page(found))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--liquid", type=Path, required=True, help="frames of liquid silicon at 2500 K")
    made.add_argument("--glass", type=Path, nargs="*", default=[], help="quenched silicon, one file for each rate")
    made.add_argument("--samples", type=int, default=100, help="structures of each run")
    made.add_argument("--steps", type=int, nargs="*", default=list(STEPS), help="MD steps at 2500 K")
    made.add_argument("--timesteps", type=float, nargs="*", default=list(TIMESTEPS), help="to choose from, in ps")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path, default=RESULTS, help="folder to write")
    return made


class Liquid:
    """Frames of a liquid, and what others differ from them in."""

    def __init__(self, reference: Sequence[Atoms], groups: Sequence[int]) -> None:
        self.rdf, self.adf, self.groups = ensembles.rdf(reference), ensembles.adf(reference), groups

    def floor(self, count: int) -> dict[str, Any]:
        """`count` frames against those of other simulations."""
        one, other = ensembles.disjoint(self.groups, count, 0)
        rdf, adf = (ensembles.floor_rmsd(curves, count, self.groups) for curves in (self.rdf, self.adf))
        return {"samples": len(one), "against": len(other), "rdf": rdf, "adf": adf}

    def run(self, like: Sequence[Atoms], steps: int, timestep: float, seed: int) -> dict[str, Any]:
        """MD from random starts in the cells of some frames."""
        made = md_from_random(
            [atoms.cell[:] for atoms in like], [counts_of(atoms) for atoms in like], ("Si",), COMMANDS, TEMPERATURE,
            steps, timestep, seed, progress=True,
        )  # fmt: skip
        rdf = ensembles.rmsd(ensembles.rdf(made.samples), self.rdf)[TOTAL]
        adf = ensembles.rmsd(ensembles.adf(made.samples), self.adf)[TOTAL]
        return {"steps": steps, "timestep": timestep, "rdf": rdf, "adf": adf, "cpu_seconds": made.cpu_seconds}


def glass(path: Path) -> dict[str, Any]:
    """Energy at rest and cost of the samples of a file: of each simulation once."""
    recipe, seen = read_recipe(path), {}
    for atoms in read(path, index=":", format="extxyz"):
        if "inherent_energy" in atoms.info:
            seen[int(atoms.info["sample"])] = atoms.info
    if not seen:
        raise VitrifyError(f"{path} says no inherent_energy: give a file of `vitrify data structures si-glass`")
    energies = np.array([float(info["inherent_energy"]) for info in seen.values()])
    return {
        "file": path.name,
        "rate": 10 ** float(next(iter(seen.values()))["log10_cooling_rate"]),
        "samples": len(seen),
        "energy": float(energies.mean()),
        "stderr": float(energies.std(ddof=1) / np.sqrt(len(seen))) if len(seen) > 1 else None,
        "cpu_seconds": recipe.get("cpu_seconds_per_sample"),
    }


def minimised(like: Sequence[Atoms], seed: int) -> dict[str, Any]:
    """Energy at rest of random starts in cells of the glass, pushed apart and minimised."""
    few = pick(like, MINIMISED, seed)
    cells, counts = [atoms.cell[:] for atoms in few], [counts_of(atoms) for atoms in few]
    made = md_from_random(cells, counts, ("Si",), COMMANDS, TEMPERATURE, 0, None, seed)
    energies = [inherent_energy(a, COMMANDS, species=("Si",)) for a in tqdm(made.samples, desc="random, minimised")]
    spread = float(np.std(energies, ddof=1) / np.sqrt(len(energies)))
    return {"samples": len(few), "energy": float(np.mean(energies)), "stderr": spread}


def best(runs: Sequence[dict[str, Any]], steps: int) -> dict[str, Any]:
    """The run with so many steps whose time step does best, errors of RDF and ADF over their least, together."""
    mine = [row for row in runs if row["steps"] == steps]
    least = {what: min(row[what] for row in mine) for what in ("rdf", "adf")}
    return min(mine, key=lambda row: row["rdf"] / least["rdf"] + row["adf"] / least["adf"])


def page(found: dict[str, Any]) -> str:
    """The tables as Markdown."""
    settings, floor = found["settings"], found["floor"]
    lines = [
        "# Silicon without a generator",
        "",
        f"Liquid, Stillinger-Weber, 256 atoms, 2500 K: {settings['samples']} structures in the cells of as many frames"
        f" of `{settings['liquid']}`, from random positions: pushed apart, 20 iterations of minimisation, then MD with"
        " a Langevin thermostat (0.1 ps), with the best of several time steps for each row. RDF to 5 A in 100 bins, ADF"
        " within 3 A in bins of a degree, averaged over structures. CPU seconds of one core.",
        "",
        "| MD steps | time step (fs) | RDF RMSD | ADF RMSD | CPU-s a sample |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for steps in sorted({row["steps"] for row in found["runs"]}):
        row = best(found["runs"], steps)
        step = f"{1000 * row['timestep']:g}" if steps else "-"
        lines.append(f"| {steps} | {step} | {row['rdf']:.4f} | {row['adf']:.6f} | {row['cpu_seconds']:.3f} |")
    lines += [
        f"| floor | - | {floor['rdf']:.4f} | {floor['adf']:.6f} | - |",
        "",
        f"Floor: {floor['samples']} frames against {floor['against']} of other simulations.",
        "",
        f"Published for the same liquid ({CITATION}), RDF / ADF RMSD: "
        + "; ".join(f"{n} steps {rdf:.4f} / {adf:.5f}" for n, (rdf, adf, _) in PUBLISHED["AMShortcut"].items())
        + ".",
    ]
    return "\n".join([*lines, *_glasses(found)]) + "\n"


def _glasses(found: dict[str, Any]) -> list[str]:
    if not found["glasses"]:
        return []
    lines = [
        "", "Quenched from the liquid at 2500 K to 300 K, at zero pressure: energy after minimisation at fixed cell.",
        "",
        "| cooling rate (K/s) | samples | energy (eV/atom) | CPU-s a sample |", "| ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    if "minimised" in found:
        row = found["minimised"]
        lines.append(f"| random start, minimised | {row['samples']} | {_energy(row)} | - |")
    for row in sorted(found["glasses"], key=lambda row: -float(row["rate"])):
        cost = "-" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.1f}"
        lines.append(f"| {row['rate']:.0e} | {row['samples']} | {_energy(row)} | {cost} |")
    return lines


def _energy(row: dict[str, Any]) -> str:
    return f"{row['energy']:.4f}" + (f" ± {row['stderr']:.4f}" if row["stderr"] is not None else "")


if __name__ == "__main__":
    main()
