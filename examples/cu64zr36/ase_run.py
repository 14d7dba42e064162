"""Barriers of a Cu-Zr glass in ASE: reads a structure at its minimum, writes it with its barriers as extended XYZ.

python examples/cu64zr36/ase_run.py barriers.lammpstrj --out barriers.xyz
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import ase.io

from vitrify import GlassCalc


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("structure", type=Path, help="any file that ASE reads")
    parser.add_argument("--model", default="Cu64Zr36.symgnn.pt")
    parser.add_argument("--force", action="store_true", help="warn of what no training covers, instead of refusing it")
    parser.add_argument("--out", type=Path, default=Path("barriers.xyz"))
    chosen = parser.parse_args(arguments)
    atoms = ase.io.read(chosen.structure)
    glass = GlassCalc(barriers=chosen.model, force=chosen.force)
    atoms.arrays["barrier"] = glass.get_property("barriers", atoms)
    atoms.arrays["barrier_std"] = glass.get_property("barriers_std", atoms)
    ase.io.write(chosen.out, atoms, format="extxyz")
    softest = int(atoms.arrays["barrier"].argmin())
    print(f"{chosen.out}: {len(atoms)} atoms, mean barrier {atoms.arrays['barrier'].mean():.3f} eV, lowest "
          f"{atoms.arrays['barrier'].min():.3f} eV ({atoms.symbols[softest]}, atom {softest + 1})")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
