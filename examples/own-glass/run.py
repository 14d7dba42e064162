"""A glass, labels of some of its atoms, the shipped model fine-tuned on them, and the barriers of all atoms in LAMMPS.

python run.py [--folder out] [--atoms 500] [--rate 1e14] [--number 30] [--searches 6]
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from vitrify.data.structures import load_structures
from vitrify.report.plots import PALETTE, new_figure, save, style

HERE = Path(__file__).resolve().parent
POTENTIAL = "pair_style eam/fs; pair_coeff * * {potentials/CuZr_mm.eam.fs} Cu Zr"


def run(folder: Path, *words: object) -> None:
    command = [str(word) for word in words]
    print(f"$ {shlex.join(command)}", flush=True)
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit(f"this step failed; mend what it says and start again: the steps before it are kept in {folder}")


def draw(folder: Path) -> None:
    """The labels against both models, and the barriers of all atoms before and after."""
    labels = load_structures(folder / "labels.h5", ("Cu", "Zr"), "barrier")[0].labels
    dump = folder / "barriers.lammpstrj"
    after, before = (load_structures(dump, ("Cu", "Zr"), name)[0].labels for name in ("c_eb[1]", "c_before[1]"))
    known = np.isfinite(labels)
    with style():
        figure = new_figure(7.0, 3.2)
        left, right = figure.subplots(1, 2)
        for name, values, colour in (("shipped", before, "#b3b3b3"), ("fine-tuned", after, PALETTE[0])):
            error = float(np.sqrt(np.mean((values - labels)[known] ** 2)))
            left.plot(labels[known], values[known], "o", color=colour, markersize=4, label=f"{name}, {error:.2f} eV")
            right.hist(values, bins=30, color=colour, alpha=0.7, label=name)
            print(f"{name}: {error:.3f} eV from the labels it has seen, mean over all atoms {values.mean():.3f} eV")
        left.axline((1.5, 1.5), slope=1.0, color="black", linewidth=0.8)
        left.set(xlabel="mean of the saddle searches (eV)", ylabel="model (eV)")
        right.set(xlabel="barrier (eV)", ylabel="atoms")
        left.legend()
        right.legend()
    print(f"figure: {save(figure, folder / 'chain.png')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("out/own-glass"))
    parser.add_argument("--atoms", type=int, default=500)
    parser.add_argument("--rate", default="1e14", help="K/s")
    parser.add_argument("--melt-time", default="20", help="ps")
    parser.add_argument("--number", type=int, default=30, help="atoms with labels")
    parser.add_argument("--searches", type=int, default=6, help="of each")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "in.barriers"):
        shutil.copy(HERE / name, chosen.folder)
    run(
        chosen.folder, "vitrify", "data", "glass", "Cu64Zr36", "--atoms", chosen.atoms, "--rate", chosen.rate,
        "--melt-time", chosen.melt_time, "--out", "glass.data",
    )  # fmt: skip
    run(
        chosen.folder, "vitrify", "artn", "glass.data", "--potential", POTENTIAL, "--number", chosen.number,
        "--searches", chosen.searches, "--out", "labels.h5",
    )  # fmt: skip
    run(chosen.folder, "vitrify", "train", "config.yaml", "--out", "run")
    run(chosen.folder, "vitrify", "export", "run", "-o", "mine.symgnn.pt")
    run(chosen.folder, "lmp", "-in", "in.barriers")
    draw(chosen.folder)


if __name__ == "__main__":
    main()
