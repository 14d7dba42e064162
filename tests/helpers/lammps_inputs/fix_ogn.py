"""What the tests of fix ogn share: a small liquid in lj units with its toy model, and input scripts."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from lammps_runner import DUMP, Array, Configuration
from toy_ogn import ToyOGN, liquid, metadata_of, predict, save

LJ_CUTOFF, LJ_STEP, LJ_MASSES = 2.5, 0.025, (1.0, 2.0)
LJ_PAIR = "pair_style lj/cut 2.5\npair_coeff * * 1.0 0.8"


def lj_liquid(counts: tuple[int, int, int], tilt: float = 0.0, speed: float = 1.0) -> Configuration:
    return liquid(counts, 1.0, LJ_MASSES, speed, tilt)


@functools.cache
def lj_model(reverse_edges: bool = False) -> ToyOGN:
    return ToyOGN(LJ_CUTOFF, LJ_STEP, LJ_MASSES, reverse_edges).double()


def save_lj(folder: Path, model: ToyOGN | None = None) -> None:
    model = model or lj_model()
    save(model, metadata_of(model, lj_liquid((3, 3, 3), 0.2), "lj", ["A", "B"]), folder / "toy.pt")


def set_thermo(columns: str = "press") -> str:
    return f"""\
thermo       1
thermo_style custom step temp pe ke etotal {columns}
thermo_modify format float %.15g norm no
"""


def script(
    fix: str = "toy.pt A B",
    units: str = "lj",
    timestep: float = LJ_STEP,
    pair: str = "pair_style zero 2.5 full\npair_coeff * *",
    skin: float = 0.3,
    before: str = "",
    after: str = "run 1",
) -> str:
    return f"""\
units        {units}
atom_style   atomic
read_data    data.test
{pair}
neighbor     {skin} bin
neigh_modify every 1 delay 0 check yes
timestep     {timestep}
{set_thermo()}{before}
fix          1 all ogn {fix}
{DUMP}
{after}
"""


def relative(got: Array, expected: Array) -> float:
    """Largest deviation over the rms of what is expected."""
    return float(np.abs(got - expected).max() / np.sqrt((expected**2).mean()))


def steps(model: ToyOGN, c: Configuration, n: int) -> Configuration:
    """n predictions of the eager model."""
    for _ in range(n):
        dr, dv = predict(model, c)
        c = dataclasses.replace(c, positions=c.positions + dr, velocities=c.velocities + dv)
    return c
