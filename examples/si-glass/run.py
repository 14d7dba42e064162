"""Generates silicon glasses, relaxes them in Stillinger-Weber's potential, and draws them beside melt-quenched ones.

python run.py                        writes si-glass.extxyz and si-glass.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ase.io import write

from vitrify.amshortcut.evaluate.measure import read_ensemble
from vitrify.analysis.ensembles import adf, rdf, rmsd
from vitrify.generation.generate import Relaxation, generate_many
from vitrify.report.plots import PALETTE, new_figure, save, style

POTENTIAL = "pair_style sw; pair_coeff * * {potentials/Si.sw} Si"
DATA = Path(__file__).parent / "data" / "si_glass_1e13_test.extxyz.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Si.amshortcut.pt")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("si-glass.png"))
    a = parser.parse_args()

    glasses, _ = read_ensemble([DATA])
    asked = {"n_atoms": len(glasses[0]), "target": {"log10_cooling_rate": 13.0}, "steps": a.steps}
    raw = list(generate_many(a.model, a.count, **asked))
    corrector = Relaxation(POTENTIAL, iterations=30, steps=100, temperature=300.0)
    relaxed = list(generate_many(a.model, a.count, **asked, corrector=corrector))
    write(a.out.with_suffix(".extxyz"), relaxed, format="extxyz")

    curves = [("melt and quench, 1e13 K/s", glasses), ("generated", raw), ("and relaxed", relaxed)]
    with style():
        figure = new_figure(6.4, 2.8)
        for axes, of, label in zip(figure.subplots(1, 2), (rdf, adf), ("r (Å)", "angle (degrees)"), strict=True):
            found = [of(structures) for _, structures in curves]
            for (name, _), curve, colour in zip(curves, found, PALETTE, strict=False):
                axes.plot(curve.x, curve.mean(), color=colour, label=name)
            errors = [rmsd(curve, found[0])["total"] for curve in found]
            print(label, *(f"{name}: RMSD {error:.4g}" for (name, _), error in zip(curves, errors, strict=True)))
            axes.set_xlabel(label)
        figure.axes[0].legend(frameon=False, fontsize=7)
        figure.axes[0].set_ylabel("g(r)")
        figure.axes[1].set_ylabel("density (1/degree)")
    save(figure, a.out)
    print(a.out.resolve())


if __name__ == "__main__":
    main()
