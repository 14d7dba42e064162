"""The same model driven from ASE: python examples/kalj/ase_run.py [predictions] [equilibration steps]"""

from __future__ import annotations

import sys

import numpy as np
from ase import Atoms

from vitrify import OGNDynamics
from vitrify.datagen.trajectories.campaign import simulate
from vitrify.datagen.trajectories.systems import get_system

predictions = int(sys.argv[1]) if len(sys.argv) > 1 else 100
model = "kalj.ogn.pt"

# An equilibrated liquid, by LAMMPS; ASE wants chemical symbols, so argon stands for A and krypton for B.
liquid = simulate(get_system("kalj"), frames=1, every=1, seed=3)
atoms = Atoms(
    np.array(["Ar", "Kr"])[liquid.types],
    positions=liquid.positions[0],
    velocities=liquid.velocities[0],
    cell=liquid.cell,
    pbc=True,
)
dynamics = OGNDynamics(
    atoms, model, species={"Ar": "A", "Kr": "B"}, trajectory="kalj.traj", logfile="-", loginterval=10
)
dynamics.run(predictions)
