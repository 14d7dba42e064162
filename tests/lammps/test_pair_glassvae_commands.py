"""pair_style glassvae after commands that failed, beside what hides atoms or pairs from it, and under minimisers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.optimize import BFGS, FIRE
from ase.optimize.bfgslinesearch import BFGSLineSearch

import toy_glassvae
from child_processes import HANGS
from lammps_inputs.pair_glassvae import METAL, configuration, script
from lammps_runner import run_lammps, run_ok
from vitrify import GlassCalc

pytestmark = [pytest.mark.slow, pytest.mark.lmp]

SESSION = """\
import sys
from vitrify.lammps import lammps
session = lammps()
for command in sys.stdin.read().splitlines():
    try:
        session.command(command)
        print("done:", command, flush=True)
    except Exception as error:
        print("caught:", command, "|", str(error).splitlines()[0], flush=True)
print("survived", session.get_thermo("pe"))
"""
CELL = """\
units metal
atom_modify map yes
lattice bcc 3.2
region box block 0 3 0 3 0 3
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 0.5 7
mass 1 63.546
mass 2 196.967
"""
GOOD, BAD = "pair_coeff * * toy.pt Cu Au", "pair_coeff * * typo.pt Cu Au"
BROKEN = [
    "pair_coeff * * toy.pt Cu Xe",
    "pair_coeff * * toy.pt Cu Au speed fast",
    "pair_coeff * * toy.pt Cu Au device tpu",
]
AFTERWARDS = """\
run 0
minimize 0 1e-3 5 5
info coeffs
info all
write_restart half.restart
write_data out.data
pair_write 1 1 10 r 1.0 4.0 table.txt PAIR
compute p all pair glassvae
compute z all glassvae/latent toy.pt Cu Au
thermo_style custom step pe c_p
run 0
thermo_style one
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy models."""
    folder = tmp_path_factory.mktemp("models")
    toy_glassvae.write(folder / "toy.pt")
    toy_glassvae.write(folder / "single.pt", "float32")
    return folder


def session(commands: str, folder: Path) -> str:
    """What a session of LAMMPS in Python prints, which must survive; fresh memory is not zero."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION], input=CELL + commands, cwd=folder, text=True, timeout=HANGS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "MALLOC_PERTURB_": "165"},
    )  # fmt: skip
    assert done.returncode == 0 and "\nsurvived" in done.stdout, done.stdout[-3000:]
    return done.stdout


def caught(output: str, command: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(f"caught: {command} |")]


@pytest.mark.parametrize(
    ("style", "failing"),
    [
        ("pair_style glassvae", [BAD]),
        ("pair_style glassvae", [GOOD, BAD]),
        ("pair_style glassvae", [GOOD, "run 0", *BROKEN]),
        ("pair_style hybrid/overlay glassvae zero 4.0", [GOOD.replace("toy.pt", "glassvae toy.pt"),
         BAD.replace("typo.pt", "glassvae typo.pt"), "pair_coeff * * zero"]),
    ],
)  # fmt: skip
def test_a_session_goes_on_after_a_failed_pair_coeff(folder: Path, style: str, failing: list[str]) -> None:
    good = GOOD.replace("toy.pt", "glassvae toy.pt") if "hybrid" in style else GOOD
    commands = "\n".join([style, *failing, AFTERWARDS, good, "run 0", "clear", CELL, style, good])
    output = session(commands + ("\npair_coeff * * zero" if "hybrid" in style else "") + "\nrun 0\n", folder)
    for command in ("run 0", "minimize 0 1e-3 5 5"):
        refused = caught(output, command)
        assert refused and all("pair coeffs are" in line for line in refused), output[-3000:]
    assert output.rstrip().splitlines()[-2] == "done: run 0"
    assert np.isfinite(float(output.split()[-1]))


@pytest.mark.parametrize(
    "failing",
    [
        ["fix 1 all ogn typo.pt Cu Zr", "fix 1 all ogn cuzr.ogn.pt Cu"],  # would replace one that works
        ["fix 1 all ogn toy.pt Cu Au", "fix 1 all ogn typo.pt Cu Au", "fix 2 all ogn"],
        [
            "compute 1 all symgnn/atom toy.pt Cu Au",
            "compute 2 all symgnn/atom typo.pt Cu Au",
            "compute 3 all symgnn/atom",
        ],
        ["compute 1 all glassvae/latent typo.pt Cu Au", "compute 2 all glassvae/latent toy.pt Cu Xe"],
        [
            "create_glass typo.pt number 20 seed 1 elements Cu Au",
            "create_glass toy.pt number 20 seed 1",
            "create_glass",
        ],
    ],
)
def test_a_session_goes_on_after_other_commands_failed(folder: Path, failing: list[str]) -> None:
    after = [
        "fix 9 all nve",
        "fix 10 all langevin 300 300 0.1 5",
        "run 1",
        "write_restart half.restart",
        "info all",
        "clear",
    ]
    again = ["pair_style glassvae", GOOD, "run 0"]
    again += ["fix 1 all ogn cuzr.ogn.pt Cu Zr"] if "cuzr" in failing[-1] else []
    commands = "\n".join([*again, *failing, *after, CELL, *again])
    output = session(commands + "\n", folder)
    for command in failing:
        assert caught(output, command)
    assert "done: run 1" in output and output.rstrip().splitlines()[-2] == f"done: {again[-1]}"


def test_clear_warns_of_nothing(folder: Path) -> None:
    result = run_lammps(
        "units metal\nclear\nclear\ncreate_glass\n", folder
    )  # fmt: skip
    assert "WARNING" not in result.output and "Illegal create_glass" in result.output


def energy(c: object, keep: np.ndarray) -> float:
    """Of some atoms of a configuration, by the calculator's model."""
    chosen = replace(c, positions=c.positions[keep], types=c.types[keep])  # type: ignore[type-var, attr-defined]
    atoms = Atoms(np.array(METAL.species)[chosen.types], chosen.positions, cell=chosen.cell, pbc=True)
    return toy_glassvae.predict(toy_glassvae.WithCore(toy_glassvae.make()), atoms).energy


@pytest.mark.parametrize(("exclude", "ranks"), [("group out all", 1), ("group all out", 2)])
@pytest.mark.parametrize("again", ["run 0", "run 1 pre no"])
def test_atoms_of_an_excluded_group_are_not_there(
    folder: Path, tmp_path: Path, exclude: str, ranks: int, again: str
) -> None:
    c = configuration(toy_glassvae.glass(2, 0.1))
    c.write_data(tmp_path / "data.test")
    after = f"run 0\ngroup out id 3 7 20\nneigh_modify exclude {exclude}\n{again}\nneigh_modify exclude none\nrun 0\n"
    result = run_ok(script(folder / "toy.pt", after=after), tmp_path, ranks)
    keep = ~np.isin(np.arange(len(c.positions)), [2, 6, 19])
    want = energy(c, keep | True), energy(c, keep), energy(c, keep | True)
    found = result.thermo()["PotEng"]
    assert found[[0, -2, -1]] == pytest.approx(want, rel=1e-10)


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_latent_vector_lacks_atoms_of_an_excluded_group(folder: Path, tmp_path: Path, ranks: int) -> None:
    """It is that of the structure without them."""
    configuration(toy_glassvae.glass(2, 0.1)).write_data(tmp_path / "data.test")
    zero = "pair_style zero 4.0\npair_coeff * *\n"
    compute = f"compute z all glassvae/latent {folder}/toy.pt Cu Au\n"
    out = "group out id 3 7 20\n"

    def latent(after: str) -> np.ndarray:
        source = script(folder / "toy.pt", pair=zero + compute, after=after).replace("c_sum[*]", "c_z[*]")
        source = re.sub(r"^(compute +(e|s|p|sum)|dump).*$", "", source, flags=re.MULTILINE)
        source = re.sub(r"vol c_p.*c_z", "vol c_z", source)
        thermo = run_ok(source, tmp_path, ranks).thermo()
        return np.array([thermo[name][-1] for name in thermo if name.startswith("c_z")])

    whole = latent("run 0")
    without = latent(f"{out}delete_atoms group out compress no\nrun 0")
    hidden = latent(f"run 0\n{out}neigh_modify exclude group out all\nrun 1 pre no")
    assert len(whole) and np.abs(without - whole).max() > 1e-4
    assert hidden == pytest.approx(without, rel=1e-9)


@pytest.mark.parametrize(
    ("style", "coeffs", "wanted"),
    [
        ("glassvae", "pair_coeff * * MODEL Cu Au", "pair_coeff * * MODEL Au Cu"),
        ("hybrid glassvae", "pair_coeff * * glassvae MODEL Cu Au", "pair_coeff * * glassvae MODEL Au Cu"),
        (
            "hybrid/overlay zero 2.0 glassvae",
            "pair_coeff * * zero\npair_coeff * * glassvae MODEL Cu Au",
            "pair_coeff * * glassvae MODEL Au Cu",
        ),
        (
            "hybrid/overlay glassvae glassvae",
            "pair_coeff * * glassvae 1 MODEL Au Cu force yes\npair_coeff * * glassvae 2 MODEL Cu Au force yes",
            "pair_coeff * * glassvae 2 MODEL Au Cu force yes",
        ),
    ],
)
def test_remedies_name_the_sub_style(folder: Path, tmp_path: Path, style: str, coeffs: str, wanted: str) -> None:
    """Of masses that belong to the other order of the elements: the line is one that LAMMPS takes."""
    c = configuration(toy_glassvae.glass(2))
    replace(c, masses=c.masses[::-1]).write_data(tmp_path / "data.test")
    model = f"{folder}/toy.pt"
    source = script(folder / "toy.pt", pair=f"pair_style {style}\n{coeffs.replace('MODEL', model)}")
    said = run_lammps(source, tmp_path).error()
    assert f"use {wanted.replace('MODEL', model)}" in said, said


def test_words_of_the_pair_style_are_sent_to_pair_coeff(folder: Path, tmp_path: Path) -> None:
    configuration(toy_glassvae.glass(2)).write_data(tmp_path / "data.test")
    for style, wanted in (("glassvae toy.pt", "* * MODEL El1"), ("hybrid glassvae toy.pt", "* * glassvae MODEL El1")):
        said = run_lammps(script(folder / "toy.pt", pair=f"pair_style {style}"), tmp_path).error()
        assert f"unexpected word toy.pt: the model and its options belong to pair_coeff {wanted}" in said


def test_fix_gcmc_pays_for_atoms(folder: Path, tmp_path: Path) -> None:
    """Many insertions and deletions; at the end LAMMPS's energy is the model's of what is left."""
    c = configuration(toy_glassvae.glass(2, 0.1))
    c.write_data(tmp_path / "data.test")
    after = """\
group cu type 1
fix 1 cu gcmc 1 8 0 1 29494 50000 -80.0 0.1 full_energy
thermo_style custom step atoms pe f_1[4] f_1[6]
thermo_modify norm no format float %.15g
run 3
"""
    result = run_ok(script(folder / "toy.pt", after=after), tmp_path)
    thermo, rows = result.thermo(), result.rows("out.dump")
    assert thermo["f_1[4]"][-1] + thermo["f_1[6]"][-1] > 2
    atoms = Atoms(np.array(METAL.species)[rows[:, 1].astype(int) - 1], rows[:, 2:5], cell=c.cell, pbc=True)
    want = toy_glassvae.predict(toy_glassvae.WithCore(toy_glassvae.make()), atoms).energy
    assert thermo["PotEng"][-1] == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("moves", ["gcmc 1 5 0 1 29494 500 -80.0 0.1", "widom 1 5 1 29494 500"])
def test_trial_moves_onto_an_atom_stop_no_run(folder: Path, tmp_path: Path, moves: str) -> None:
    c = configuration(toy_glassvae.glass(2))
    c.write_data(tmp_path / "data.test")
    middle = np.argmin(np.abs(c.positions - np.diag(c.cell) / 2).max(1))
    spot = " ".join(map(str, c.positions[middle]))
    after = f"region spot sphere {spot} 0.002\nfix 1 all {moves} full_energy region spot\nrun 1\n"
    result = run_ok(script(folder / "toy.pt", after=after), tmp_path)
    assert np.isfinite(result.thermo()["PotEng"]).all()


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("group out id 3 7\nneigh_modify exclude group out out\nrun 0", "cannot leave out pairs.*exclude none"),
        ("neigh_modify exclude type 1 2\nrun 0", "cannot leave out pairs.*exclude none"),
        ("run 0\nneigh_modify exclude type 1 1\nrun 1 pre no", "cannot leave out pairs.*exclude none"),
    ],
)  # fmt: skip
def test_hidden_pairs_are_refused(folder: Path, tmp_path: Path, after: str, message: str) -> None:
    configuration(toy_glassvae.glass(2)).write_data(tmp_path / "data.test")
    said = run_lammps(script(folder / "toy.pt", before="", after=f"group out id 1 2 3\n{after}"), tmp_path, 2).error()
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("special", "bonds", "message"),
    [
        ("0 0 0", "create_bonds single/bond 1 1 2", "has bonds.*special_bonds lj 1 1 1"),
        ("0 1 1", "create_bonds single/bond 1 1 2", "has bonds.*special_bonds lj 1 1 1"),
        ("1 1 1", "create_bonds single/bond 1 1 2", ""),
        ("0 0 0", "", ""),
        ("0 0 0", "create_bonds single/bond 1 1 2\ndelete_bonds all bond 1 remove special", ""),
    ],
)
def test_pairs_of_bonded_atoms(folder: Path, tmp_path: Path, special: str, bonds: str, message: str) -> None:
    words = "2 box bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 4"
    source = "units metal\natom_style bond\n" + CELL.partition("\n")[2].replace("2 box", words)
    source += f"pair_style glassvae\npair_coeff * * {folder}/toy.pt Cu Au\nbond_style zero\nbond_coeff * 2.7\n"
    result = run_lammps(source + f"special_bonds lj {special}\n{bonds}\nrun 0\n", tmp_path)
    assert re.search(message, result.error()) if message else result.status == 0, result.output


def test_hybrid_takes_no_pair_away(folder: Path, tmp_path: Path) -> None:
    configuration(toy_glassvae.glass(2)).write_data(tmp_path / "data.test")
    pair = "pair_style hybrid glassvae lj/cut 4.0\npair_coeff * * glassvae MODEL Cu Au\npair_coeff 1 2 lj/cut 0.1 2.0"
    said = run_lammps(script(folder / "toy.pt", pair=pair), tmp_path, 2).error()
    assert "types 1 and 2 to another style" in said and "hybrid/overlay" in said


def test_two_sums_over_the_ranks_in_a_step(folder: Path) -> None:
    """And a look at distances when lists are new or something is printed; the range can be read."""
    commands = CELL + f"pair_style glassvae\n{GOOD}\nfix 1 all nve\nthermo 100\nneigh_modify delay 1000\nrun 0\n"
    source = f"""\
from vitrify.lammps_library.session import lammps_module
session = lammps_module().lammps(cmdargs=["-screen", "none", "-log", "none"])
session.commands_string({commands!r})
assert session.extract_pair("cut") == session.extract_pair("cut_global") == 4.5
read = lambda: session.extract_pair("collective_calls")
before = read()
session.command("run 50 pre no post no")
print("calls", read() - before)
"""
    done = subprocess.run([sys.executable, "-c", source], cwd=folder, text=True, capture_output=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 100 <= float(done.stdout.split()[-1]) <= 104


CUZR = """\
units metal
lattice bcc 3.3
region box block 0 3 0 3 0 3
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 0.5 7
mass 1 63.546
mass 2 91.224
displace_atoms all random 0.1 0.1 0.1 7
pair_style glassvae
pair_coeff * * Cu50Zr50.glassvae.pt Cu Zr
neigh_modify every 1 delay 0 check yes
thermo 100
"""


@pytest.mark.parametrize(
    ("engine", "style"),
    [
        ("native", "min_style cg"),
        pytest.param("torch", "min_style cg", marks=pytest.mark.slow),
        ("native", "min_style fire"),
        ("native", "min_style cg\nfix 1 all box/relax iso 0 vmax 0.01"),
        pytest.param("native", "min_style cg\nfix 1 all box/relax aniso 0 vmax 0.01", marks=pytest.mark.slow),
        pytest.param("native", "min_style hftn", marks=pytest.mark.slow),
    ],
)
def test_minimisers_reach_their_tolerance_with_a_model_of_single_precision(
    tmp_path: Path, engine: str, style: str
) -> None:
    source = CUZR.replace("Cu Zr", f"Cu Zr engine {engine}") + f"minimize 0 1e-2 2000 20000\n{style}\n"
    result = run_ok(source + "minimize 0 1e-4 4000 40000\n", tmp_path)
    assert result.output.count("Stopping criterion = force tolerance") == 2, result.output[-3000:]


@pytest.mark.parametrize("optimiser", [BFGS, FIRE, BFGSLineSearch])
def test_optimisers_of_ase_reach_their_tolerance(optimiser: type) -> None:
    random = np.random.default_rng(4)
    atoms = bulk("Cu", "bcc", a=3.3, cubic=True).repeat(3)
    atoms.symbols[random.permutation(54)[:27]] = "Zr"
    atoms.positions += random.normal(scale=0.1, size=(54, 3))
    atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt")
    assert optimiser(atoms, logfile=None).run(fmax=1e-4, steps=1500)
