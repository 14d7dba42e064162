"""Which atoms a model of barriers marks as unlike its training data: results/symgnn/outside.md.

    python -m benchmarks.symgnn.outside --data DIR

Takes one labelled Cu64Zr36 glass of DIR (sample2.npz) as it is and spoilt in several ways, and crystals. Seconds.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from benchmarks.common import paths
from benchmarks.common.output import write_text
from vitrify import GlassCalc
from vitrify.data.structures import load_structures

RESULTS = paths.RESULTS / "symgnn"
SPECIES = ("Cu", "Zr")


def structures(path: Path) -> dict[str, Atoms]:
    """The glass, what is made of it, and crystals."""
    (given,) = load_structures([path], SPECIES, "barrier")
    glass = Atoms([SPECIES[t] for t in given.types], given.positions, cell=given.cell, pbc=True)
    rng = np.random.default_rng(1)
    found = {"the glass": glass}
    for name, factors in (("strained by -3%", 0.97), ("strained by 3%", 1.03)):
        found[name] = glass.copy()
        found[name].set_cell(glass.cell * factors, scale_atoms=True)
    found["with two surfaces"] = glass.copy()
    found["with two surfaces"].cell[2] *= 1.5
    inside = np.linalg.norm(glass.get_distances(0, range(len(glass)), mic=True, vector=True), axis=1) < 8.0
    found["with a void of 8 A"] = glass[~inside]
    found["displaced by 0.1 A"] = glass.copy()
    found["displaced by 0.1 A"].positions += 0.1 * rng.standard_normal((len(glass), 3))
    found["species exchanged at random"] = glass.copy()
    found["species exchanged at random"].set_chemical_symbols(rng.permutation(glass.get_chemical_symbols()))
    found["crystal, B2 CuZr"] = bulk("CuZr", "cesiumchloride", a=3.27).repeat((8, 8, 8))
    found["crystal, fcc Cu"] = bulk("Cu", "fcc", a=3.64, cubic=True).repeat((6, 6, 6))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with sample2.npz")
    parser.add_argument("--model", default="Cu64Zr36.symgnn.pt")
    chosen = parser.parse_args(arguments)
    path = chosen.data / "sample2.npz"
    if not path.is_file():
        parser.error(f"{path}: no such file")
    lines = [
        "# Atoms unlike the training data", "", f"Made by `python -m benchmarks.symgnn.outside` ({chosen.model}).", "",
        "| structure | atoms marked (%) | stated deviation, median (eV) | predicted barriers, mean and spread (eV) |",
        "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, atoms in structures(path).items():
        calc = GlassCalc(barriers=chosen.model, force=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # densities and compositions outside the range, on purpose
            values, deviations, marked = (
                calc.get_property(key, atoms) for key in ("barriers", "barriers_std", "barriers_outside")
            )
        lines.append(
            f"| {name} | {100 * marked.mean():.1f} | {np.median(deviations):.2f} |"
            f" {values.mean():.2f} ± {values.std():.2f} |"
        )
    write_text(RESULTS / "outside.md", "\n".join(lines) + "\n")
    print("\n".join(lines[4:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
