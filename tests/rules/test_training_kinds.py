"""Structures of the kinds that models were trained on: not a word is said of fifty of them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import labelled_glass
from lammps_runner import Configuration, run_ok
from vitrify import GlassCalc, generate
from vitrify.core.units import get_units
from vitrify.export.from_run import export_run
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.validity import closest_pairs, outside
from vitrify.training.run import train

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


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_glasses_like_those_that_a_model_of_barriers_has_seen(tmp_path: Path) -> None:
    """Fifty, of a small model that is trained here: the labels of the shipped one belong to a potential that LAMMPS
    does not bring along."""
    names = [f"{seed}.npz" for seed in range(12)]
    for seed, name in enumerate(names):
        labelled_glass.glass(tmp_path / name, seed, even=True)
    config = labelled_glass.CONFIG.replace("VARIANT", f"exact, {labelled_glass.SMALL}")
    config = config.replace("[a.npz, b.npz, c.npz]", str(names[:10])).replace("[d.npz]", str(names[10:]))
    (tmp_path / "config.yaml").write_text(config)
    assert train(tmp_path / "config.yaml", tmp_path / "run")
    model = export_run(tmp_path / "run", tmp_path / "small.symgnn.pt")
    assert model.metadata.validity.max_deviation
    calc, commands = GlassCalc(barriers=str(model.path)), ""
    for seed in range(100, 150):
        labelled_glass.glass(tmp_path / "new.npz", seed, even=True)
        new = np.load(tmp_path / "new.npz")
        types, edge = new["types"] - 1, float(new["box"][0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            atoms = Atoms(np.array(["Cu", "Zr"])[types], new["positions"], cell=np.eye(3) * edge, pbc=True)
            assert calc.get_property("barriers", atoms).min() > 0
        data = Configuration(np.eye(3) * edge, new["positions"], np.zeros((len(types), 3)), types, (63.546, 91.224))
        data.write_data(tmp_path / f"data.{seed}")
        commands += (
            f"clear\nunits metal\nread_data data.{seed}\npair_style zero 5.0\npair_coeff * *\n"
            "compute b all symgnn/atom small.symgnn.pt Cu Zr\ncompute m all reduce min c_b[1]\n"
            "thermo_style custom step c_m c_b\nrun 0\n"
        )
    done = run_ok(commands, tmp_path)
    assert "WARNING: compute" not in done.output and "unlike" not in done.output
    assert len(done.thermo()["c_b"]) == 50 and not done.thermo()["c_b"].any()
