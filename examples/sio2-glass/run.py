"""Asks for silica glasses of several shear moduli, relaxes them with LAMMPS, and measures what they have.

python run.py                        writes sio2-glass.extxyz and sio2-glass.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase.io import write

from vitrify.amshortcut.evaluate.measure import read_ensemble
from vitrify.datagen.structures.elastic import elastic_constants, shear_modulus
from vitrify.generation.generate import Relaxation, generate
from vitrify.report.plots import PALETTE, new_figure, save, style

COMMANDS = ("pair_style tersoff", "pair_coeff * * {potentials/SiO.tersoff} Si O")
SPECIES = ("Si", "O")
DATA = Path(__file__).parent / "data" / "silica_test.extxyz.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="SiO2.amshortcut.pt")
    parser.add_argument("--count", type=int, default=6, help="targets")
    parser.add_argument("--atoms", type=int, default=150)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("sio2-glass.png"))
    a = parser.parse_args()

    data, _ = read_ensemble([DATA])
    known = np.array([atoms.info["shear_modulus"] for atoms in data])
    targets = np.linspace(*np.percentile(known, (10, 90)), a.count)
    corrector = Relaxation(COMMANDS, iterations=100, steps=1000, temperature=5000.0, final_temperature=300.0)
    glasses = []
    for number, target in enumerate(targets):
        atoms = generate(
            a.model, a.atoms, target={"shear_modulus": target}, steps=a.steps, seed=number + 1, corrector=corrector
        )
        measured = shear_modulus(elastic_constants(atoms, COMMANDS, SPECIES))
        print(f"asked for {target:.1f} GPa, measured {measured:.1f} GPa")
        atoms.info["measured"] = measured
        glasses.append(atoms)
    write(a.out.with_suffix(".extxyz"), glasses, format="extxyz")

    with style():
        figure = new_figure(3.4, 3.0)
        axes = figure.subplots()
        density = [len(atoms) / atoms.get_volume() for atoms in data]
        axes.plot(density, known, ".", color="0.7", label="simulated")
        density = [len(atoms) / atoms.get_volume() for atoms in glasses]
        axes.plot(density, [atoms.info["measured"] for atoms in glasses], "o", color=PALETTE[0], label="generated")
        axes.plot(density, targets, "x", color=PALETTE[1], label="asked for")
        axes.set_xlabel("atoms per Å³")
        axes.set_ylabel("shear modulus (GPa)")
        axes.legend(frameon=False, fontsize=7)
    save(figure, a.out)
    print(a.out.resolve())


if __name__ == "__main__":
    main()
