"""A Cu50Zr50 glass in ASE: energy, forces, stress and latent vector of a GlassVAE; the nearest minimum and its vector.

python run.py                        reads Cu50Zr50.data, writes Cu50Zr50-minimum.extxyz
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.io import read, write
from ase.optimize import FIRE
from ase.units import GPa

from vitrify import GlassCalc

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Cu50Zr50.glassvae.pt")
    parser.add_argument("--structure", type=Path, default=HERE / "Cu50Zr50.data", help="any file that ASE reads")
    parser.add_argument("--steps", type=int, default=300, help="of the minimisation")
    parser.add_argument("--out", type=Path, default=Path("Cu50Zr50-minimum.extxyz"))
    chosen = parser.parse_args(arguments)
    # ASE does not tell LAMMPS's data files by their name.
    atoms = read(chosen.structure, format="lammps-data" if chosen.structure.suffix == ".data" else None)
    atoms.calc = GlassCalc(chosen.model)

    def say(name: str) -> None:
        energy, pressure = atoms.get_potential_energy() / len(atoms), -atoms.get_stress()[:3].mean() / GPa
        force = np.abs(atoms.get_forces()).max()
        print(f"{name}: {energy:.5f} eV/atom, largest force {force:.3f} eV/A, pressure {pressure:.3f} GPa")
        print("  z", *(f"{number:.3f}" for number in atoms.calc.get_property("latent", atoms)))

    say("glass")
    FIRE(atoms, logfile=None).run(fmax=1e-2, steps=chosen.steps)
    say("minimum")
    write(chosen.out, atoms, format="extxyz")
    print(chosen.out.resolve())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
