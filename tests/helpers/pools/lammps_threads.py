"""Several LAMMPS in threads of one process: their atoms are those of one after the other.

    python lammps_threads.py CASE

Prints the number of runs that were compared; a difference or an error ends with a traceback.
"""

from __future__ import annotations

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vitrify.lammps_library.session import lammps_module

SEEDS = range(1, 5)
LJ = """\
units        lj
atom_modify  map yes
lattice      fcc 1.2
region       box block 0 4 0 4 0 4
create_box   2 box
create_atoms 1 box
set          group all type/fraction 2 0.2 {seed}
mass         1 1.0
mass         2 1.0
velocity     all create 1.0 {seed}
timestep     0.05
"""
METAL = """\
units        metal
atom_modify  map yes
lattice      bcc 3.3
region       box block 0 4 0 4 0 4
create_box   2 box
mass         1 63.546
mass         2 91.224
"""
CRYSTAL = (
    METAL
    + """\
create_atoms 1 box basis 2 2
displace_atoms all random 0.1 0.1 0.1 {seed}
"""
)
CASES = {
    "ogn": LJ + "fix 1 all ogn kalj.ogn.pt A B guard no\nrun 10",
    "ogn-torch": LJ + "pair_style zero 2.0\npair_coeff * *\nfix 1 all ogn kalj.ogn.pt A B guard no engine torch\nrun 4",
    "glassvae": CRYSTAL + "pair_style glassvae\npair_coeff * * Cu50Zr50.glassvae.pt Cu Zr\nfix 1 all nve\nrun 5",
    "create_glass": METAL + "create_glass Cu50Zr50.glassvae.pt number 128 seed {seed} elements Cu Zr",
    "error": LJ + "fix 1 all ogn nowhere.pt A B",
    "attach": LJ,
}


def atoms_of(case: str, seed: int) -> NDArray[np.float64] | str:
    lmp = lammps_module().lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        lmp.commands_string(CASES[case].format(seed=seed))
        if case == "attach":
            import vitrify.lammps

            vitrify.lammps.attach(lmp, "kalj.ogn.pt", ["A", "B"], guard=False).run(10)
    except Exception as error:
        return str(error)
    else:
        return np.array(lmp.gather_atoms("x", 1, 3))
    finally:
        lmp.close()


def main(case: str) -> None:
    warnings.simplefilter("ignore")
    expected = [atoms_of(case, seed) for seed in SEEDS]
    assert case == "error" or not any(isinstance(found, str) for found in expected), expected[0]
    assert case != "error" or all("nowhere.pt" in str(found) for found in expected), expected[0]
    for _ in range(3):
        with ThreadPoolExecutor(len(SEEDS)) as threads:
            found = list(threads.map(lambda seed: atoms_of(case, seed), SEEDS))
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other), one
    print(3 * len(SEEDS))


if __name__ == "__main__":
    main(*sys.argv[1:])
