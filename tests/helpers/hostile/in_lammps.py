"""Gives model files to fix ogn in one LAMMPS, in each engine; prints a line of JSON: file, engine, error or ""."""

from __future__ import annotations

import json
import resource
import sys

from vitrify.hosts.lammps.driven import lammps

BOX = """
units lj
atom_modify map yes
region box block 0 8 0 8 0 8
create_box 2 box
create_atoms 1 random 50 1 box
mass 1 1.0
mass 2 2.0
timestep 0.025
pair_style zero 1.0
pair_coeff * *
"""


def main() -> None:
    lmp = lammps()
    for path in sys.argv[1:]:
        for engine in ("native", "torch"):
            lmp.command("clear")
            lmp.commands_string(BOX)
            try:
                lmp.command(f'fix 1 all ogn "{path}" A B engine {engine}')
                error = ""
            except Exception as caught:
                error = str(caught)
            print(json.dumps([path, engine, error]), flush=True)
    print(json.dumps(["", "", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))


if __name__ == "__main__":
    main()
