"""fix python/move, fix python/invoke and the python command of an lmp without plugins, against the plugin."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest

from lammps_runner import Array, run_ok
from python_lmp import SYSTEM, needs_python_lmp, program, python_ok, run_python_lmp
from vitrify.analysis.structure import RDF, partial_rdf, rdf_difference
from vitrify.cli import diagnose as doctor
from vitrify.lammps import python_path
from vitrify.lammps_library.session import potential_file

pytestmark = [pytest.mark.slow, needs_python_lmp, pytest.mark.lmp]

CUZR = f'pair_style eam/fs\npair_coeff * * "{potential_file("CuZr_mm.eam.fs")}" Cu Zr'
KALJ = """\
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.00
pair_coeff 1 2 1.5 0.80
pair_coeff 2 2 0.5 0.88
pair_modify shift yes"""
MELT = """\
units {units}
lattice {lattice}
region box block 0 {n} 0 {n} 0 {n}
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 {share} 7
mass 1 {masses[0]}
mass 2 {masses[1]}
{pair}
velocity all create {hot} 7 mom yes
fix 1 all nve
fix 2 all temp/csvr {hot} {temperature} {damp} 7
timestep {step}
run {steps}
{rest}
velocity all create {temperature} 8 mom yes
reset_timestep 0
write_data data.liquid nocoeff
"""
RUN = """\
units {units}
atom_style atomic
boundary {boundary}
read_data {data}
{pair}
neighbor 1.0 bin
neigh_modify every 1 delay 0 check yes
timestep {step}
{before}
thermo 1
thermo_style custom step pe ke etotal
thermo_modify norm {norm} format float %.15g
{dump}
{after}
"""
DUMP = """\
dump 1 all custom {every} out.dump id {columns}
dump_modify 1 sort id format float %.15g"""
OGN = {"cuzr": "cuzr.ogn.pt Cu Zr", "kalj": "kalj.ogn.pt A B"}
BARRIERS = "Cu64Zr36.symgnn.pt Cu Zr force yes"  # a glass of another potential
PYTHON_BARRIERS = f'''\
fix eb all property/atom d_barrier d_barrier_std d_barrier_outside
python barriers input 1 SELF format p here """
from vitrify.lammps import Barriers
barriers = Barriers("{BARRIERS}")
"""
fix 3 all python/invoke 1 end_of_step barriers'''


@pytest.fixture(scope="module")
def liquids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kalj.data, a liquid of 343 atoms at T = 3, and cuzr.data, a minimum of 256 atoms, which get 300 K."""
    folder = tmp_path_factory.mktemp("liquids")
    cuzr = {
        "units": "metal", "lattice": "fcc 4.07", "n": 4, "share": 0.355, "masses": (63.546, 91.224), "pair": CUZR,
        "hot": 3000, "temperature": 300, "damp": 0.1, "step": 0.002, "steps": 700,
        "rest": "minimize 0 1e-3 400 4000",
    }  # fmt: skip
    kalj = {
        "units": "lj", "lattice": "sc 1.204", "n": 7, "share": 0.2, "masses": (1, 1), "pair": KALJ,
        "hot": 3, "temperature": 3, "damp": 0.5, "step": 0.004, "steps": 1000, "rest": "",
    }  # fmt: skip
    for name, values in (("cuzr", cuzr), ("kalj", kalj)):
        run_ok(MELT.format(**values), folder)
        (folder / "data.liquid").rename(folder / f"{name}.data")
    return folder


def script(
    system: str, folder: Path, before: str, after: str = "run 1", *, every: int = 1, columns: str = "xu yu zu vx vy vz",
    **changes: str,
) -> str:  # fmt: skip
    values = {
        "cuzr": {"units": "metal", "pair": CUZR, "step": "0.04"},
        "kalj": {"units": "lj", "pair": KALJ, "step": "0.05"},
    }[system]
    settings = {"boundary": "p p p", "norm": "no", "data": folder / f"{system}.data", **values, **changes}
    return RUN.format(before=before, after=after, dump=DUMP.format(every=every, columns=columns), **settings)


def plugin(words: str) -> str:
    return f"fix 1 all ogn {words}"


def python(words: str) -> str:
    return f'variable ogn string "{words}"\nfix 1 all python/move vitrify.lammps.OGN'


def frames(path: Path) -> list[Array]:
    """The rows of every frame of a dump."""
    found = path.read_text().split("ITEM: ATOMS")[1:]
    return [
        np.array([[float(x) for x in line.split()] for line in frame.split("ITEM:")[0].splitlines()[1:]])
        for frame in found
    ]


def liquid_class(words: str) -> str:
    """The words in a class of the script's own."""
    return f'''\
python Liquid here """
from vitrify.lammps import OGN
class Liquid(OGN): words = "{words}"
"""
fix 1 all python/move Liquid'''


def far(got: Array, expected: Array) -> float:
    """Largest deviation over the rms of what is expected."""
    return float(np.abs(got - expected).max() / np.sqrt((expected**2).mean()))


@pytest.mark.parametrize("ranks", [1, 2])
def test_one_step_gives_the_positions_velocities_barriers_and_energies_of_the_plugin(
    liquids: Path, tmp_path: Path, ranks: int
) -> None:
    columns = "xu yu zu vx vy vz"
    before = f"{plugin(OGN['cuzr'])}\ncompute b all symgnn/atom {BARRIERS}"
    theirs = run_ok(script("cuzr", liquids, before, columns=f"{columns} c_b[1] c_b[2] c_b[3]"), tmp_path)
    expected = frames(tmp_path / "out.dump")
    before = f"{python(OGN['cuzr'])}\n{PYTHON_BARRIERS}\npython barriers invoke"
    text = script("cuzr", liquids, before, columns=f"{columns} d_barrier d_barrier_std d_barrier_outside")
    ours = python_ok(text, tmp_path, ranks)
    found = frames(tmp_path / "out.dump")

    assert len(found) == len(expected) == 2
    assert np.sqrt(np.mean((expected[1] - expected[0])[:, 1:4] ** 2)) > 0.05  # the step is no small one
    assert expected[0][:, 7].std() > 0.1 and 0 < expected[0][:, 9].sum() < 256  # and the atoms are no copies
    for one, other in zip(found, expected, strict=True):
        for name, these in (("x", slice(1, 4)), ("v", slice(4, 7)), ("barrier", slice(7, 8)), ("std", slice(8, 9))):
            assert far(one[:, these], other[:, these]) < 1e-5, name
        np.testing.assert_array_equal(one[:, 9], other[:, 9])
    for column in ("PotEng", "KinEng", "TotEng"):
        assert len(ours.thermo()[column]) == 2
        np.testing.assert_allclose(ours.thermo()[column], theirs.thermo()[column], rtol=1e-5)
    assert "vitrify.lammps.OGN: the native engine" in ours.output
    assert ours.output.count("use minimize first") == 1  # said once, of the step, which is no minimum


@pytest.mark.parametrize("words", ["langevin 3.0 0.5 7", "energy rescale", "engine torch"])
def test_control_and_the_torch_engine_are_those_of_the_plugin(liquids: Path, tmp_path: Path, words: str) -> None:
    after = "run 3" if words == "engine torch" else "run 3\nrun 2"
    run = functools.partial(script, "kalj", liquids, after=after, norm="yes")
    run_ok(run(plugin(f"{OGN['kalj']} {words}")), tmp_path)
    expected = frames(tmp_path / "out.dump")[-1]
    python_ok(run(python(f"{OGN['kalj']} {words}")), tmp_path, ranks=2 if words == "energy rescale" else 1)
    found = frames(tmp_path / "out.dump")[-1]
    assert far(found[:, 1:4], expected[:, 1:4]) < 1e-5
    assert far(found[:, 4:7], expected[:, 4:7]) < 1e-4  # chaos doubles differences a few times


def structure(folder: Path, cell: Array) -> RDF:
    """g(r) of each pair of species of the frames of a dump of kalj.data."""
    frames = (folder / "out.dump").read_text().split("ITEM: ATOMS")[2:]  # without the start
    rows = np.array([[row.split() for row in frame.splitlines()[1:344]] for frame in frames], dtype=float)
    return partial_rdf(rows[:, :, 2:5], cell, rows[0, :, 1].astype(int) - 1, 2, 3.0, 60)


def test_500_predictions_have_the_same_structure(liquids: Path, tmp_path: Path) -> None:
    """g(r) of each pair of species; two seeds of the plugin's thermostat show the noise of so short a run."""
    cell = np.eye(3) * float(re.search(r" (\S+) xlo xhi", (liquids / "kalj.data").read_text())[1])  # type: ignore[index]
    run = functools.partial(script, "kalj", liquids, every=10, columns="type x y z", after="thermo 500\nrun 500")
    words = f"{OGN['kalj']} langevin 3.0 0.5"
    found = []
    for start, how, seed in ((run_ok, plugin, 7), (run_ok, plugin, 8), (python_ok, liquid_class, 9)):
        start(run(how(f"{words} {seed}")), tmp_path)
        found.append(structure(tmp_path, cell))
    noise, ours = rdf_difference(found[1], found[0]), rdf_difference(found[2], found[0])
    assert max(noise.values()) < 0.1
    assert all(ours[pair] < 1.5 * noise[pair] + 0.005 for pair in noise), (ours, noise)


# A case: what changes in the script, the ranks, and what the error says (test_lammps_attach.py compares the words with
# those of the plugin).
REFUSED: dict[str, tuple[dict[str, str], int, str]] = {
    "no model": ({"words": ""}, 1, 'no model is named: use variable ogn string "kalj.ogn.pt A B" before the fix'),
    "units": ({"units": "metal"}, 2, "the model is in lj units, but the input uses units metal: use units lj"),
    "element": ({"words": "kalj.ogn.pt A Zr"}, 1, "element Zr of type 2 is not in the model, which has A B"),
    "mass": ({"before": "mass 2 1.5"}, 1, "type 2 has mass 1.5, but the model was trained with 1: use mass 2 1"),
    "far": ({"before": "set atom 5 vx 40"}, 2, "the prediction moves atom 5 by"),
    "integrator": ({"before": "fix 9 all nve"}, 2, "another fix moves the atoms, too: remove one of the two"),
    "first": ({"late": "fix 9 all nve"}, 1, "another fix moves the atoms, too: remove one of the two"),
    "box": ({"before": "fix 9 all deform 1 x scale 1.1"}, 1, "a fix changes the box, which the model does not know"),
    "respa": ({"after": "run_style respa 2 2\nrun 1"}, 1, "run_style respa is not supported: use run_style verlet"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_line_of_one_rank(liquids: Path, tmp_path: Path, case: str) -> None:
    change, ranks, said = REFUSED[case]
    change = dict(change)
    words = change.pop("words", OGN["kalj"])
    fixes = [python(words) if words else python("")[python("").index("fix") :], change.pop("before", "")]
    fixes.insert(0, change.pop("late", ""))  # a fix that acts before ours
    after = change.pop("after", "run 3")
    result = run_python_lmp(script("kalj", liquids, "\n".join(fixes), after, **change), tmp_path, ranks)
    assert result.status != 0
    assert result.output.count(f"ERROR: vitrify.lammps.OGN: {said}") == 1, result.output
    assert "Traceback" not in result.output


PYTHON_FAILURES = '''\
python fails input 1 SELF format p here """
from vitrify.hosts.lammps.library import Library
from vitrify.hosts.lammps.ranks import Ranks
def fails(lmp):
    library = Library(lmp)
    world = Ranks(library)
    def action():
        if world.rank == world.size - 1 and library.step >= 2: raise KeyError("no such thing")
    world.together(action)
"""
fix 3 all python/invoke 1 end_of_step fails
fix 1 all nve'''
ENERGIES = '''\
python energies input 1 SELF format p here """
from vitrify.lammps import attach
from ase.calculators.lj import LennardJones
def energies(lmp):
    calls = []
    class Counted(LennardJones):
        def get_property(self, name, atoms=None, allow_calculation=True):
            calls.append(name)
            if len(calls) > {most}: raise RuntimeError("the calculator has had enough")
            return super().get_property(name, atoms, allow_calculation)
    attach(lmp, Counted(epsilon=1.0, sigma=0.8, rc=2.0), ["Ar", "Kr"])
"""
python energies invoke
fix 1 all nve'''


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_exception_of_one_rank_ends_the_run_with_its_message(liquids: Path, tmp_path: Path, ranks: int) -> None:
    result = run_python_lmp(script("kalj", liquids, PYTHON_FAILURES, "run 9", step="0.001"), tmp_path, ranks)
    assert result.status != 0
    assert "KeyError" in result.output and "no such thing" in result.output
    assert "Loop time" not in result.output


@pytest.mark.parametrize("ranks", [1, 2])
def test_energies_of_a_calculator_are_those_of_the_pair_style(liquids: Path, tmp_path: Path, ranks: int) -> None:
    run = functools.partial(script, "kalj", liquids, step="0.001")
    pair = "pair_style lj/cut 2.0\npair_coeff * * 1.0 0.8\npair_modify shift yes"
    expected = python_ok(run("fix 1 all nve", "run 3", pair=pair), tmp_path)
    positions = frames(tmp_path / "out.dump")[-1]
    zero = "pair_style zero 2.0\npair_coeff * *"
    got = python_ok(run(ENERGIES.format(most=1000), "run 3", pair=zero), tmp_path, ranks)
    assert np.abs(frames(tmp_path / "out.dump")[-1] - positions).max() < 1e-9
    for column in ("PotEng", "TotEng"):
        np.testing.assert_allclose(got.thermo()[column], expected.thermo()[column], rtol=1e-9)
    failed = run_python_lmp(run(ENERGIES.format(most=5), "run 3\nprint survived", pair=zero), tmp_path, ranks)
    assert failed.status != 0 and "survived" not in failed.output
    assert failed.output.count("ERROR: vitrify.lammps.attach: ") == 1
    assert "the calculator has had enough" in failed.output


GLASS = """\
units metal
region box prism -3 13 1 19 20 37 1.5 0 -2
create_box 2 box
mass * 28.0855
{command}
write_dump all custom out.dump id type x y z modify sort id format float %.15g
"""
PYTHON_GLASS = '''\
python glass input 1 SELF format p here """
from vitrify.lammps import create_glass
def glass(lmp): create_glass(lmp, "Si.amshortcut.pt", ["NULL", "Si"], n_atoms=240, seed=11, steps=3)
"""
python glass invoke'''


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_glass_is_that_of_create_glass(tmp_path: Path, ranks: int) -> None:
    run_ok(GLASS.format(command="create_glass Si.amshortcut.pt number 240 seed 11 steps 3 elements NULL Si"), tmp_path)
    expected = frames(tmp_path / "out.dump")[0]
    python_ok(GLASS.format(command=PYTHON_GLASS), tmp_path, ranks)
    found = frames(tmp_path / "out.dump")[0]
    assert expected.shape == (240, 5)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    twice = run_python_lmp(GLASS.format(command=f"{PYTHON_GLASS}\npython glass invoke"), tmp_path, ranks)
    assert twice.status != 0 and twice.output.count("the box holds 240 atoms, which the model does not see") == 1


def routes() -> dict[str, str]:
    """What doctor says of each lmp."""
    return {
        finding.name.removeprefix("routes of "): finding.detail
        for finding in doctor.diagnose()
        if finding.name.startswith("routes of ")
    }


def test_doctor_tells_the_routes_of_each_lmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shipped_models", dict)
    found = routes()
    theirs = found.pop(str(program()))
    assert theirs.startswith("LAMMPS ") and f"Python route, with PYTHONPATH={python_path()}" in theirs
    assert any(told.endswith(": plugin") for told in found.values())
    # An environment without vitrify, or of another Python.
    monkeypatch.setattr("vitrify.lammps.python_path", lambda: "/nowhere")
    monkeypatch.setenv("PATH", SYSTEM)  # a Python inside LAMMPS takes the environment whose python3 comes first
    assert "no Python route: its Python does not import vitrify (ModuleNotFoundError" in routes()[str(program())]
