"""Random starts in `pair_style glassvae`: Cu50Zr50 from random positions, minimised, then a liquid at 2000 K.

    python -m benchmarks.glassvae.random_start Cu50Zr50.glassvae.pt
    python -m benchmarks.glassvae.random_start MODEL --atoms 256 --time 2

Each size starts from the same random positions, at a fixed density, in the model and in the embedded-atom potential
that it was trained on, and once more in the latter from other positions, which shows what chance does. The energy and
g(r) of each pair of species are means over the second half of the run. g(r) differs by the mean of the three shares
sum |g - g'| / sum g' up to 8 A, in bins of 0.1 A. Writes random_start.json and random_start.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import lmp, paths
from benchmarks.common.cuzr import EAM, HEAD
from benchmarks.common.output import page, publish
from vitrify.modelfile.archive import find_model

RESULTS = paths.RESULTS / "glassvae"
EDGES = np.arange(0.0, 8.05, 0.1)  # A
FRAMES = 50


def melt(pair: Sequence[str], atoms: int, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Mean energy (eV/atom), g(r) (3, bins) and closest pair (A) of one random start."""
    edge = (atoms / options.density) ** (1 / 3)
    half = round(0.5 * options.time / options.timestep)
    lmp.run(
        [
            *HEAD,
            f"region box block 0 {edge!r} 0 {edge!r} 0 {edge!r}",
            "create_box 2 box",
            f"create_atoms 1 random {atoms // 2} {seed} box",
            f"create_atoms 2 random {atoms - atoms // 2} {seed + 1} box",
            "mass 1 63.546",
            "mass 2 91.224",
            *pair,
            "thermo 1000000",
            "minimize 0 1e-2 300 3000",
            f"timestep {options.timestep}",
            f"velocity all create {options.temperature} {seed} mom yes dist gaussian",
            f"fix 1 all nvt temp {options.temperature} {options.temperature} 0.1",
            f"run {half}",
            "reset_timestep 0",
            f"fix 2 all ave/time 1 {half} {half} c_thermo_pe file energy",
            f"dump 1 all custom {max(1, half // FRAMES)} frames type x y z",
            f"run {half}",
        ],
        folder,
        ranks=options.ranks,
    )
    rdf, closest = distribution(folder / "frames", atoms, edge)
    energy = float((folder / "energy").read_text().split()[-1]) / atoms
    return {"energy": energy, "closest": closest, "rdf": rdf}


def distribution(dump: Path, atoms: int, edge: float) -> tuple[NDArray[np.float64], float]:
    """g(r) (3, bins) of Cu-Cu, Cu-Zr and Zr-Zr over the frames of a dump of type x y z, and the closest pair."""
    first, second = np.triu_indices(atoms, 1)
    counts, closest, n_frames = np.zeros((3, len(EDGES) - 1)), np.inf, 0
    for frame in dump.read_text().split("ITEM: ATOMS type x y z\n")[1:]:
        rows = np.array(frame.partition("ITEM:")[0].split(), dtype=float).reshape(atoms, 4)
        vectors = rows[first, 1:] - rows[second, 1:]
        distances = np.sqrt(np.square(vectors - edge * np.round(vectors / edge)).sum(1))
        kinds = (rows[first, 0] + rows[second, 0] - 2).astype(int)
        counts += np.array([np.histogram(distances[kinds == kind], EDGES)[0] for kind in range(3)])
        closest, n_frames = min(closest, distances.min()), n_frames + 1
    copper = atoms // 2
    zirconium = atoms - copper
    pairs = np.array([copper * (copper - 1) / 2, copper * zirconium, zirconium * (zirconium - 1) / 2])
    shells = 4 / 3 * np.pi * np.diff(EDGES**3) / edge**3
    return counts / n_frames / pairs[:, None] / shells, float(closest)


def compared(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, float]:
    """Energy, its difference (eV/atom), the share by which g(r) differs, and the closest pair."""
    shares = np.abs(found["rdf"] - wanted["rdf"]).sum(1) / wanted["rdf"].sum(1)
    return {
        "energy": found["energy"],
        "difference": found["energy"] - wanted["energy"],
        "rdf": float(shares.mean()),
        "closest": found["closest"],
    }


def table(model: str, rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    titles = [
        "atoms",
        "potential",
        "energy (eV/atom)",
        "against eam/fs (meV/atom)",
        "g(r) differs by",
        "closest pair (A)",
    ]
    lines = [
        [
            f"{row['atoms']:,}", row["potential"], f"{row['energy']:.4f}", f"{1000 * row['difference']:+.1f}",
            f"{100 * row['rdf']:.1f}%", f"{row['closest']:.2f}",
        ]
        for row in rows
    ]  # fmt: skip
    name = "Random starts with `pair_style glassvae`"
    return page(name, f"python -m benchmarks.glassvae.random_start {model}", titles, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="model file of kind glassvae for Cu and Zr")
    parser.add_argument("--atoms", nargs="+", type=int, default=[256, 1000])
    parser.add_argument("--temperature", type=float, default=2000.0, help="K")
    parser.add_argument("--density", type=float, default=0.057, help="atoms/A^3")
    parser.add_argument("--time", type=float, default=5.0, help="ps")
    parser.add_argument("--timestep", type=float, default=0.001, help="ps")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    model, rows = find_model(chosen.model).resolve(), []
    own = ("pair_style glassvae", f'pair_coeff * * "{model}" Cu Zr')
    for atoms in chosen.atoms:
        with tempfile.TemporaryDirectory() as folder:
            wanted = melt(EAM, atoms, 5165, chosen, Path(folder) / "eam")
            others = [
                ("eam/fs, other positions", melt(EAM, atoms, 91, chosen, Path(folder) / "other")),
                ("glassvae", melt(own, atoms, 5165, chosen, Path(folder) / "glassvae")),
            ]
        for name, found in others:
            rows.append({"atoms": atoms, "potential": name, **compared(found, wanted)})
    publish(chosen.results, "random_start", {"model": model.name, "rows": rows}, table(model.name, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
