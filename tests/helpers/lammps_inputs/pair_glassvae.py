"""Input scripts for pair_style glassvae, and configurations for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms

import toy_glassvae
from lammps_runner import Configuration
from vitrify.models import System

METAL = toy_glassvae.SYSTEM
REDUCED = System(("A", "B"), (1.0, 2.0), "lj", 0.0)
TABLE = """\
compute      e all pe/atom
compute      s all stress/atom NULL virial
compute      p all pressure NULL virial
compute      sum all reduce sum c_s[1] c_s[2] c_s[3] c_s[4] c_s[5] c_s[6] c_e
dump         out all custom 1 out.dump id type xu yu zu fx fy fz c_e
dump_modify  out sort id format float %24.16e
thermo       1
thermo_style custom step pe ke etotal vol c_p[1] c_p[2] c_p[3] c_p[4] c_p[5] c_p[6] c_sum[*]
thermo_modify norm no format float %.15g
"""


def configuration(atoms: Atoms, system: System = METAL) -> Configuration:
    """The atoms of CuAu, whose species are those of the system in that order."""
    types = np.array([["Cu", "Au"].index(symbol) for symbol in atoms.symbols])
    return Configuration(atoms.cell.array, atoms.positions, np.zeros((len(atoms), 3)), types, system.masses)


def script(
    model: Path, words: str = "", system: System = METAL, pair: str = "", after: str = "run 0", before: str = ""
) -> str:
    given = f"{model} {' '.join(system.species)} {words}"
    pair = pair.replace("MODEL", str(model)) or f"pair_style glassvae\npair_coeff * * {given}"
    return f"""\
units        {system.units}
{before}
atom_style   atomic
atom_modify  map yes
read_data    data.test
{pair}
neighbor     1.0 bin
neigh_modify every 1 delay 0 check yes
{TABLE}
{after}
"""
