"""The barostat of fix ogn: against its law by hand, on any number of ranks, after restarts, and in a metal."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model_files
from lammps_inputs.fix_ogn import LJ_MASSES, LJ_STEP, lj_liquid, lj_model, relative, save_lj, script, set_thermo, steps
from lammps_runner import FOUR_RANKS, Array, Configuration, run_lammps, run_ok
from vitrify.core.compiled import _core
from vitrify.lammps_library.session import potential_file

pytestmark = pytest.mark.lmp

SOFT_PAIR = "pair_style soft 2.5\npair_coeff * * 2.0"  # bounded, wherever the toy moves the atoms
COMPONENTS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
SHAPES = {"iso": _core.BoxShape.ISO, "aniso": _core.BoxShape.ANISO, "tri": _core.BoxShape.TRI}
# The box at each step, the virial in it, and what the fix says: changes, their energy, the pressure they went for.
COLUMNS = "lx ly lz xy xz yz c_w[*] f_1 f_1[14] f_1[15] f_1[16]"
WATCH = f"compute w all pressure NULL virial\n{set_thermo(COLUMNS)}dump_modify out pbc no\n"
BAROSTAT = "{shape} 3.0 5.0 0.8 temp 0.7 1.1 seed 11 modulus 20 every {every}"


def prepare(folder: Path, tilt: float = 0.0) -> Configuration:
    save_lj(folder)
    c = lj_liquid((4, 4, 4), tilt)
    c = dataclasses.replace(c, velocities=c.velocities + np.array([0.3, -0.1, 0.2]))  # the centre of mass moves
    c.write_data(folder / "data.test")
    return c


def native(folder: Path) -> None:
    """A model that needs no torch, with a range of densities, and a liquid."""
    model_files.export(folder / "native.pt")
    lj_liquid((6, 6, 6)).write_data(folder / "data.test")


def barostat(shape: str, after: str, every: int = 1, fix: str = "toy.pt A B") -> str:
    words = BAROSTAT.format(shape=shape, every=every)
    return script(f"{fix} {words}", pair=SOFT_PAIR, after=after).replace(f"{set_thermo()}", "")


def box(row: dict[str, float]) -> Array:
    lengths = np.diag([row["Lx"], row["Ly"], row["Lz"]])
    lengths[1, 0], lengths[2, 0], lengths[2, 1] = row["Xy"], row["Xz"], row["Yz"]
    return lengths


def six(tensor: Array) -> Array:
    return np.array([tensor[place] for place in COMPONENTS])


@dataclasses.dataclass
class ByHand:
    """Strides of the eager model and changes of the box by the law, in units of lj."""

    c: Configuration
    shape: str
    every: int
    run: int
    corner: Array
    energy: float = 0.0
    changes: int = 0
    target: float = 3.0

    def stride(self, step: int, virial: Array) -> None:
        """To `step` from the one before, whose virial pressure is given (xx yy zz xy xz yz)."""
        if (step - 1) % self.every == 0:
            self.change(step, virial)
        self.c = steps(lj_model(), self.c, 1)

    def change(self, step: int, virial: Array) -> None:
        c, volume = self.c, np.linalg.det(self.c.cell)
        masses = np.array(LJ_MASSES)[c.types]
        centre = masses @ c.velocities / masses.sum()
        relative_v = c.velocities - centre
        kinetic = six((masses[:, None] * relative_v).T @ relative_v)
        self.target = 3.0 + 2.0 * step / self.run
        change = _core.CellRescaling(SHAPES[self.shape], damp=0.8, modulus=20.0).change(
            c.cell, kinetic / volume + virial, target=self.target, kT=0.7 + 0.4 * step / self.run,
            time=self.every * LJ_STEP, noise=_core.box_noise(step, self.every, 11),
        )  # fmt: skip
        cell = np.array(change.cell)
        corner = self.corner + 0.5 * (np.diag(c.cell) - np.diag(cell))
        x = (c.positions - self.corner) @ np.array(change.positions) + corner
        v = relative_v @ np.array(change.velocities) + centre
        self.energy += _core.energy_of_change(change, kinetic, volume * virial)
        self.changes += 1
        self.c, self.corner = dataclasses.replace(c, cell=cell, positions=x, velocities=v), corner


CASES = [("iso", 0.0, 1), ("iso", 0.2, 2), ("aniso", 0.0, 3), ("tri", 0.2, 1)]
FAST = {("iso", 0.0, 1): 2, ("aniso", 0.0, 3): 1, ("tri", 0.2, 1): 2}  # on so many ranks


@pytest.mark.parametrize(
    ("shape", "tilt", "every", "ranks"),
    [
        pytest.param(*case, ranks, marks=[pytest.mark.slow] * (FAST.get(case) != ranks))
        for case in CASES
        for ranks in (1, 2, 4)
    ],
)
def test_strides_and_boxes_are_those_of_the_law(
    shape: str, tilt: float, every: int, ranks: int, tmp_path: Path
) -> None:
    """With the virial that LAMMPS computes, and eager predictions."""
    c, run = prepare(tmp_path, tilt), 7
    thermo = run_ok(barostat(shape, f"{WATCH}run {run}", every), tmp_path, ranks)
    table = thermo.thermo()
    rows = [{name: values[k] for name, values in table.items()} for k in range(run + 1)]
    hand = ByHand(c, shape, every, run, np.zeros(3))
    for step, (before, after) in enumerate(itertools.pairwise(rows), 1):
        hand.stride(step, np.array([before[f"c_w[{k}]"] for k in range(1, 7)]))
        assert relative(box(after), hand.c.cell) < 1e-10
        assert after["f_1[14]"] == hand.changes and after["f_1[16]"] == pytest.approx(hand.target, rel=1e-12)
        assert after["f_1[15]"] == pytest.approx(hand.energy, rel=1e-8, abs=1e-10)
        assert after["f_1"] == pytest.approx(-hand.energy, rel=1e-8, abs=1e-10)
    x, v = thermo.last_frame()
    assert relative(v, hand.c.velocities) < 1e-8
    apart = (x - hand.c.positions) @ np.linalg.inv(hand.c.cell)
    assert np.abs(apart - np.round(apart)).max() < 1e-8
    assert abs(np.linalg.det(hand.c.cell) / np.linalg.det(c.cell) - 1) > 1e-3 and hand.changes == -(-run // every)


@pytest.mark.parametrize("shape", [pytest.param("aniso", marks=pytest.mark.slow), "tri"])
def test_a_restart_goes_on_in_the_same_way(shape: str, tmp_path: Path) -> None:
    prepare(tmp_path, 0.1)
    ramp = " start 0 stop 12"
    whole = run_ok(barostat(shape, f"{WATCH}run 12{ramp}", 5), tmp_path)
    expected, thermo = whole.last_frame(), whole.thermo()
    run_ok(barostat(shape, f"{WATCH}run 7{ramp}\nwrite_restart r.7", 5), tmp_path)
    text = barostat(shape, f"{WATCH}run 5{ramp}", 5).replace("read_data    data.test", "read_restart r.7")
    again = run_ok(text, tmp_path, 2)
    for name in ("Lx", "Ly", "Xz", "f_1[14]", "f_1[15]", "f_1[16]", "f_1"):
        assert again.thermo()[name][-1] == pytest.approx(thermo[name][-1], rel=1e-9), name
    assert relative(again.last_frame()[1], expected[1]) < 1e-8


def test_runs_in_a_row_are_one(tmp_path: Path) -> None:
    prepare(tmp_path)
    whole, parts = (
        run_ok(barostat("iso", f"{WATCH}{runs}", 2), tmp_path).thermo()
        for runs in (
            "run 7 start 0 stop 7",
            "run 3 start 0 stop 7\nrun 2 pre no start 0 stop 7\nrun 2 start 0 stop 7",
        )
    )
    for name in ("Lx", "f_1[14]", "f_1[15]"):
        assert parts[name][-1] == pytest.approx(whole[name][-1], rel=1e-10)


def test_forces_are_computed_where_the_barostat_reads_them(tmp_path: Path) -> None:
    prepare(tmp_path)
    text = (
        barostat("iso", "thermo 50\nrun 50", every=10)
        .replace("modulus 20", "modulus 900")
        .replace("custom 1 ", "custom 50 ")
    )
    output = run_ok(text, tmp_path).output
    assert "the pair style was computed in 5 of 50 strides, where its energies or forces were read" in output
    assert re.search(r"^fix ogn: iso from 3 to 5, damp 0.8, modulus 900, temperature 0.7 to 1.1,", output, re.MULTILINE)


def test_a_bath_tells_temperature_and_seed(tmp_path: Path) -> None:
    """And the default modulus is that of stiff systems."""
    prepare(tmp_path)
    found = []
    for words in ("iso 1 1 0.5", "iso 1 1 0.5 temp 0.8 0.8 seed 9 modulus 100 every 1 pressure pair"):
        text = script(f"toy.pt A B langevin 0.8 0.5 9 {words}", pair=SOFT_PAIR, after=f"{set_thermo('lx')}run 4")
        found.append(run_ok(text, tmp_path).thermo()["Lx"])
    assert np.array_equal(*found) and np.ptp(found[0]) > 0


@pytest.mark.parametrize(
    ("fix", "says"),
    [
        ("iso 0 0", "Illegal fix ogn iso command: missing argument"),
        ("iso 0 zero 1.0 temp 1 1", "zero"),
        ("iso 0 0 0.0 temp 1 1", "iso wants two pressures, .* and a damping time > 0, got 0 0 0.0"),
        ("iso 0 0 1.0", "iso has noise of a temperature that it must know: add temp Tstart Tstop to it, .*langevin"),
        ("iso 0 0 1.0 temp 1 -1", "iso temp wants two temperatures >= 0, .*, got 1 -1"),
        ("iso 0 0 1.0 temp 1 1 seed 0", "iso seed 0 is not allowed: give an integer from 1 to 2147483647"),
        ("aniso 0 0 1.0 temp 1 1 modulus 0", "aniso modulus wants a pressure > 0, the inverse of the compressib"),
        ("iso 0 0 1.0 temp 1 1 every 0", "iso every wants a number of strides >= 1, got 0"),
        ("iso 0 0 1.0 temp 1 1 every", "Illegal fix ogn iso every command: missing argument"),
        ("iso 0 0 1.0 temp 1 1 pressure model", "pressure model is not to be had: this model tells no stress: use pr"),
        ("iso 0 0 1.0 temp 1 1 aniso 0 0 1.0", "iso and aniso both control the box: use one of them"),
        ("tri 0 0 1.0 temp 1 1", "tri changes the tilts .* use change_box all triclinic, or aniso"),
        ("iso 0 0 1.0 temp 1 1 energy rescale", "energy rescale holds the energy and iso changes it"),
        ("iso 0 0 1.0 temp 1 1 damp 3", "unknown keyword damp"),
        ("iso 1e4 1e4 0.01 temp 1 1", "iso at step 1: the internal pressure is .*, the target 1e.04: the box would"),
    ],
)
def test_words_that_make_no_sense(fix: str, says: str, tmp_path: Path) -> None:
    native(tmp_path)
    message = run_lammps(script(f"native.pt A B {fix}", pair=SOFT_PAIR, after="run 3"), tmp_path).error()
    assert re.search(says, message), message


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("fix 2 all deform 1 x erate 0.1 remap x", "iso and fix 2 deform both change the box: use one of them"),
        ("fix 2 all press/berendsen iso 0 0 1.0", "iso and fix 2 press/berendsen both change the box"),
        ("pair_style none", "iso needs the pressure, which this model does not tell: use the real pair style"),
        ("pair_style zero 2.5\npair_coeff * *", "iso needs the pressure, which this model does not tell"),
    ],
)
def test_what_contradicts_a_barostat_is_refused(before: str, says: str, tmp_path: Path) -> None:
    native(tmp_path)
    text = script("native.pt A B iso 0 0 1.0 temp 1 1", pair=SOFT_PAIR, before=f"{before}\n")
    assert re.search(says, run_lammps(text, tmp_path).error())


def test_a_later_fix_that_changes_the_box_is_refused(tmp_path: Path) -> None:
    """By LAMMPS, if it sees it first."""
    native(tmp_path)
    later = "fix 2 all press/berendsen aniso 0 0 1.0\nrun 1"
    text = script("native.pt A B iso 0 0 1.0 temp 1 1", pair=SOFT_PAIR, after=later)
    assert re.search("both change the box|multiple fixes change box parameter", run_lammps(text, tmp_path).error())


@pytest.mark.parametrize("pressure", [200.0, -30.0])
def test_boxes_that_leave_the_model_behind(pressure: float, tmp_path: Path) -> None:
    """In both directions."""
    native(tmp_path)
    fix = f"native.pt A B iso {pressure} {pressure} 0.5 temp 0.5 0.5 modulus 200"
    message = run_lammps(script(fix, pair=SOFT_PAIR, after="run 400"), tmp_path).error()
    said = r"iso has changed the box until, at step \d+, the number density is .*far outside the 1.1 to 1.3"
    assert re.search(said, message), message


CUZR = {
    "pair": f'pair_style eam/fs\npair_coeff * * "{potential_file("CuZr_mm.eam.fs")}" Cu Zr',
    "melt": """\
units metal
lattice fcc 4.0
region box block 0 4 0 4 0 4
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 0.36 7
mass 1 63.546
mass 2 91.224
{pair}
velocity all create 2800 7 mom yes
fix 1 all nve
fix 2 all temp/csvr 2800 1500 0.05 7
timestep 0.004
run 500
write_data melt.data nocoeff
""",
    "run": """\
units metal
read_data melt.data
{pair}
neighbor 2.0 bin
neigh_modify every 1 delay 0 check yes
timestep 0.04
fix 1 all ogn cuzr.ogn.pt Cu Zr {fix}
fix 2 all temp/csvr {temperature} 0.04 7
thermo {every}
thermo_style custom step temp press vol f_1[14] f_1[16] pxy
thermo_modify format float %.12g
{after}
""",
}


@pytest.fixture(scope="module")
def melt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """melt.data: a liquid of 256 atoms of Cu-Zr at 1500 K and a pressure of several GPa."""
    folder = tmp_path_factory.mktemp("melt")
    run_ok(CUZR["melt"].format(pair=CUZR["pair"]), folder)
    return folder


def metal(folder: Path, fix: str, after: str, ranks: int = 1, every: int = 1, temperature: str = "1500 1500") -> Any:
    text = CUZR["run"].format(pair=CUZR["pair"], fix=fix, after=after, every=every, temperature=temperature)
    return run_ok(text, folder, ranks).thermo()


def test_a_metal_goes_to_its_pressure_and_stays(melt: Path) -> None:
    thermo = metal(melt, "iso 0 0 0.4 temp 1500 1500", "run 900")
    pressure, volume = thermo["Press"][200:], thermo["Volume"]
    assert thermo["Press"][0] > 2e4
    # the mean over a time t deviates by sqrt(2 kT tau B / V t), B about 1e6 bar: by 600 bar
    assert abs(pressure.mean()) < 2400
    assert 1.01 < volume[200:].mean() / volume[0] < 1.1
    # the volume fluctuates by sqrt(kT V / B), within a factor of two for a run as short
    assert 0.3 < volume[200:].std() / np.sqrt(1500 * 8.617e-5 * volume.mean() * 1.602e6 / 0.9e6) < 2.0


@pytest.mark.parametrize("ranks", [2, FOUR_RANKS])
def test_ranks_share_a_metal(ranks: int, melt: Path) -> None:
    one, several = (metal(melt, "aniso 0 2e4 0.4 temp 1500 1500 every 2", "run 8", n) for n in (1, ranks))
    for name in ("Temp", "Press", "Volume"):
        assert several[name] == pytest.approx(one[name], rel=1e-4, abs=1e-3 * np.ptp(one[name])), name
    assert several["f_1[16]"][-1] > 1.5e4


def test_a_ramp_of_the_pressure(melt: Path) -> None:
    """And the box follows it."""
    thermo = metal(melt, "iso 0 0 0.2 temp 1500 1500 every 4", "run 200", every=20)
    fixed = thermo["Volume"][-1]
    thermo = metal(melt, "iso 0 1e5 0.2 temp 1500 1500 every 4", "run 400", every=4)
    assert thermo["f_1[16]"][1:] == pytest.approx(1e5 * (np.arange(1, 400, 4) / 400))
    assert thermo["Volume"][-20:].mean() < 0.97 * fixed and thermo["Press"][-20:].mean() > 6e4
