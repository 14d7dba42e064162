"""Structures of the kinds that models were trained on: not a word is said of fifty of them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from lammps_runner import run_ok
from vitrify import GlassCalc, generate
from vitrify.core.units import get_units
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.validity import closest_pairs, outside

# The Kob-Andersen liquid of the training of kalj.ogn.pt, 500 atoms at T = 3 and density 1.204.
LIQUID = """\
units        lj
lattice      fcc 1.204
region       box block 0 5 0 5 0 5
create_box   2 box
create_atoms 1 box
set          group all type/subset 2 100 7
mass         * 1.0
pair_style   lj/cut 2.5
pair_coeff   1 1 1.0 1.0
pair_coeff   1 2 1.5 0.8
pair_coeff   2 2 0.5 0.88
pair_modify  shift yes
velocity     all create 6.0 5
fix          1 all nve
fix          2 all temp/csvr 3.3 3.3 0.2 7
timestep     0.004
neigh_modify every 1 delay 0 check yes
run          600
dump         1 all custom 25 liquid.dump id type x y z vx vy vz
dump_modify  1 sort id format float %.12g
run          1225
unfix        1
unfix        2
undump       1
timestep     0.05
fix          3 all ogn kalj.ogn.pt A B
thermo_style custom step temp f_3[9]
run          50
"""


def test_fifty_frames_of_a_liquid(tmp_path: Path) -> None:
    """As MD has them; and `fix ogn` goes on from the last for fifty strides without a word."""
    done = run_ok(LIQUID, tmp_path)
    assert "WARNING: fix ogn" not in done.output and "unlike" not in done.output
    assert done.thermo()["f_3[9]"][-1] == 0
    metadata, frames = read_metadata("kalj.ogn.pt"), re.split("ITEM: TIMESTEP", (tmp_path / "liquid.dump").read_text())
    assert len(frames) == 51
    for frame in frames[1:]:
        rows = np.array([line.split() for line in frame.split("vz\n")[1].splitlines()], dtype=float)
        edge = float(frame.split("ITEM: BOX")[1].splitlines()[1].split()[1])
        types, positions = rows[:, 1].astype(int) - 1, rows[:, 2:5]
        temperature = get_units("lj").temperature_of(np.ones(len(rows)), rows[:, 5:8])
        closest = closest_pairs(metadata, positions, np.eye(3) * edge, types)
        assert outside(metadata, types, edge**3, closest, temperature) == []


@pytest.mark.parametrize(("model", "count"), [("Cu50Zr50.glassvae.pt", 25), ("Si.amshortcut.pt", 25)])
def test_structures_that_a_generator_makes(model: str, count: int) -> None:
    """Neither the generator nor the energy model of the same file says a word."""
    metadata = read_metadata(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(1, count + 1):
            atoms = generate(model, n_atoms=64, steps=2, seed=seed)
            types = np.array([metadata.species.index(symbol) for symbol in atoms.symbols])
            closest = closest_pairs(metadata, atoms.positions, atoms.cell.array, types)
            assert outside(metadata, types, atoms.get_volume(), closest) == []
            if metadata.kind == "glassvae":
                GlassCalc(model).get_property("energy", atoms)
