"""The guard of fix ogn: what it refuses, and that its fallback is LAMMPS's own velocity Verlet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model_files
from lammps_inputs.fix_ogn import LJ_MASSES, LJ_PAIR, LJ_STEP, lj_liquid, lj_model, relative, script, set_thermo
from lammps_runner import DUMP, Array, Configuration, run_lammps, run_ok
from toy_ogn import ToyOGN, metadata_of, save
from vitrify.modelfile.metadata import Validity

pytestmark = pytest.mark.lmp

VALIDITY: dict[str, Any] = {
    "temperature": [0.1, 5.0],
    "number_density": [0.5, 2.0],
    "composition": {"A": [0.0, 1.0], "B": [0.0, 1.0]},
}
SOFT_PAIR = "pair_style soft 1.5\npair_coeff * * 10.0"
NEVER = {"max_displacement": 1e-9}  # no prediction is ever used


def save_toy(folder: Path, model: ToyOGN | None = None, **limits: Any) -> None:
    model = model or lj_model()
    validity = {**VALIDITY, **limits}
    save(model, metadata_of(model, lj_liquid((3, 3, 3)), "lj", ["A", "B"], validity=validity), folder / "toy.pt")


def closest_pairs(c: Configuration) -> dict[tuple[int, int], tuple[float, set[int]]]:
    """Smallest distance and IDs of its atoms for each pair of species, nearest images of an orthogonal cell."""
    box = np.diag(c.cell)
    d = c.positions[:, None] - c.positions[None]
    d -= box * np.round(d / box)
    r = np.sqrt((d**2).sum(-1)) + 1e9 * np.eye(len(d))
    found = {}
    for a, b in ((0, 0), (1, 0), (1, 1)):
        among = np.where((c.types[:, None] == a) & (c.types[None] == b), r, np.inf)
        i, j = np.unravel_index(np.argmin(among), among.shape)
        found[a, b] = (float(among[i, j]), {int(i) + 1, int(j) + 1})
    return found


@pytest.mark.parametrize(
    ("pair", "ranks", "engine"),
    [
        ((0, 0), 1, "torch"),
        ((1, 0), 2, "torch"),
        ((1, 1), 2, "native"),
        pytest.param((1, 0), 4, "torch", marks=pytest.mark.slow),
        pytest.param((1, 0), 4, "native", marks=pytest.mark.slow),
    ],
)
def test_atoms_closer_than_in_the_data(tmp_path: Path, pair: tuple[int, int], ranks: int, engine: str) -> None:
    def save_model(limits: list[float]) -> None:
        validity = {**VALIDITY, "min_distance": limits, "max_displacement": 1e3}
        if engine == "native":
            model_files.export(tmp_path / "toy.pt", validity=Validity.model_validate(validity))
        else:
            save_toy(tmp_path, **validity)

    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    distance, atoms = closest_pairs(c)[pair]
    limits = [0.0, 0.0, 0.0]
    limits[pair[0] * (pair[0] + 1) // 2 + pair[1]] = 1.0001 * distance / 0.9
    save_model(limits)
    result = run_lammps(script(), tmp_path, ranks)
    assert f"engine {engine}" in result.output
    message = result.error()
    names = f"{'AB'[pair[1]]} and {'AB'[pair[0]]}"
    found = re.search(
        rf"atoms (\d+) and (\d+) \({names}\) are ([\d.]+) apart, below 0.9 times the .* at step 1", message
    )
    assert found, message
    assert {int(found[1]), int(found[2])} == atoms
    assert float(found[3]) == pytest.approx(distance, rel=1e-5)
    assert "guard yes fallback M" in message
    run_ok(script("toy.pt A B guard no"), tmp_path, ranks)
    # just outside the limit
    save_model([0.9999 / 1.0001 * x for x in limits])
    run_ok(script(), tmp_path, ranks)


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_atom_that_moves_too_far(tmp_path: Path, ranks: int) -> None:
    c = lj_liquid((4, 4, 4))
    c = Configuration(c.cell, c.positions, c.velocities + np.array([50.0, 0.0, 0.0]), c.types, c.masses)
    c.write_data(tmp_path / "data.test")
    mass = np.array(LJ_MASSES)[c.types]
    save_toy(tmp_path)
    x, _ = run_ok(script("toy.pt A B guard no"), tmp_path, ranks).last_frame()
    moved = np.linalg.norm(x - c.positions - LJ_STEP * (mass @ c.velocities) / mass.sum(), axis=1)
    save_toy(tmp_path, max_displacement=0.9999 * moved.max() / 1.5)
    message = run_lammps(script(), tmp_path, ranks).error()
    found = re.search(r"moves atom (\d+) by ([\d.]+), above 1.5 times the .* of the training data at step 1", message)
    assert found, message
    assert int(found[1]) == np.argmax(moved) + 1
    assert float(found[2]) == pytest.approx(moved.max(), rel=1e-5)
    save_toy(tmp_path, max_displacement=1.0001 * moved.max() / 1.5)
    run_ok(script(), tmp_path, ranks)


@pytest.mark.parametrize(("ranks", "distance"), [(1, 3.0), (1, 12.0), (2, 12.0)])
def test_an_atom_that_moves_further_than_places_of_single_precision_tell(
    tmp_path: Path, ranks: int, distance: float
) -> None:
    """Two cutoffs or more; or half a cutoff in this box on one rank, which does without ghosts."""
    model_files.export(tmp_path / "toy.pt", dtype="float32")
    c = lj_liquid((8, 8, 7))
    c.velocities[16] = 0.0, distance / LJ_STEP, 0.0
    c.write_data(tmp_path / "data.test")
    message = run_lammps(script("toy.pt A B engine native guard no"), tmp_path, ranks).error()
    assert "position or velocity of atom 17 is not a number after the prediction" in message


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_temperature_above_the_data(tmp_path: Path, ranks: int) -> None:
    c = lj_liquid((4, 4, 4))
    c = Configuration(c.cell, c.positions, c.velocities + np.array([50.0, 0.0, 0.0]), c.types, c.masses)
    c.write_data(tmp_path / "data.test")
    mass = np.array(LJ_MASSES)[c.types]
    v = c.velocities - (mass @ c.velocities) / mass.sum()
    temperature = (mass * (v**2).sum(1)).sum() / (3 * len(v) - 3)
    save_toy(tmp_path, temperature=[0.1, 0.9999 * temperature / 1.5])
    message = run_lammps(script(), tmp_path, ranks).error()
    found = re.search(r"temperature ([\d.]+) is above 1.5 times the .* valid up to at step 1", message)
    assert found, message
    assert float(found[1]) == pytest.approx(temperature, rel=1e-5)
    save_toy(tmp_path, temperature=[0.1, 1.0001 * temperature / 1.5])
    run_ok(script(), tmp_path, ranks)


@pytest.mark.slow
def test_files_without_limits_say_so(tmp_path: Path) -> None:
    lj_liquid((4, 4, 4)).write_data(tmp_path / "data.test")
    save_toy(tmp_path)
    missing = "guard checks temperatures alone"
    assert missing in run_ok(script(), tmp_path).output
    assert missing not in run_ok(script("toy.pt A B guard no"), tmp_path).output
    save_toy(tmp_path, min_distance=[0.1, 0.1, 0.1], max_displacement=10.0)
    assert missing not in run_ok(script(), tmp_path).output


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"min_distance": [0.5]}, "min_distance must have one value for each pair of species"),
        ({"min_distance": "near"}, "vitrify.json is damaged or incomplete"),
        ({"max_displacement": 0.0}, "max_displacement must be positive"),
        ({"temperature": None}, "vitrify.json is damaged or incomplete"),
    ],
)
def test_limits_that_make_no_sense(tmp_path: Path, limits: dict[str, Any], expected: str) -> None:
    lj_liquid((3, 3, 3)).write_data(tmp_path / "data.test")
    save_toy(tmp_path, **limits)
    assert expected in run_lammps(script(), tmp_path).error()


def verlet(pair: str, steps: int, substeps: int, skin: float) -> str:
    """Plain LAMMPS over `steps` strides of the model."""
    return f"""\
units        lj
atom_style   atomic
read_data    data.test
{pair}
neighbor     {skin} bin
neigh_modify every 1 delay 0 check yes
timestep     {LJ_STEP / substeps!r}
fix          1 all nve
{DUMP}
run          {steps * substeps}
"""


@pytest.mark.parametrize(
    ("ranks", "tilt", "newton"),
    [(1, 0.0, "on"), (2, 0.2, "off"), pytest.param(4, 0.1, "on", marks=pytest.mark.slow)],
)
def test_fallback_is_velocity_verlet(tmp_path: Path, ranks: int, tilt: float, newton: str) -> None:
    c = lj_liquid((5, 5, 4), tilt)
    c.write_data(tmp_path / "data.test")
    save_toy(tmp_path, **NEVER)
    fix = "toy.pt A B guard yes fallback 5"
    after = f"{set_thermo('f_1[1] f_1[2] f_1[3] f_1[4] f_1[7] f_1[8]')}run 11"
    result = run_ok(f"newton {newton}\n" + script(fix, pair=LJ_PAIR, skin=0.1, after=after), tmp_path, ranks)
    frames = [result.last_frame()]
    builds = next(line for line in result.output.splitlines() if "Neighbor list builds" in line)
    assert int(builds.split()[-1]) > 3
    frames.append(run_ok(verlet(LJ_PAIR, 11, 5, 0.1), tmp_path).last_frame())
    assert relative(frames[0][0], frames[1][0]) < 1e-10
    assert relative(frames[0][1], frames[1][1]) < 1e-10

    thermo = result.thermo()
    assert thermo["f_1[7]"][-1] == 0
    assert thermo["f_1[8]"].tolist() == list(range(12))
    assert np.allclose(np.diff(thermo["KinEng"]), thermo["f_1[4]"][1:], atol=1e-10)
    masses = np.array(LJ_MASSES)[c.types]
    assert np.abs(masses @ (frames[0][1] - c.velocities)).max() < 1e-10
    assert np.abs([thermo[f"f_1[{k}]"] for k in (1, 2, 3)]).max() < 1e-10
    # ten reports, then a count
    assert result.output.count("stride taken in 5 steps of velocity Verlet") == 10
    assert "11 strides of this run were taken by velocity Verlet" in result.output


@pytest.mark.parametrize("ranks", [1, 2])
def test_fallback_keeps_a_run_alive(tmp_path: Path, ranks: int) -> None:
    # A model of free flight, in which soft spheres come too close now and then.
    model = ToyOGN(2.5, LJ_STEP, LJ_MASSES, False).double().without_interaction()
    limit = 0.62
    save_toy(tmp_path, model, min_distance=[limit / 0.9] * 3, max_displacement=10.0)
    c = lj_liquid((4, 4, 4), speed=0.7)
    c.write_data(tmp_path / "data.test")
    assert "apart, below" in run_lammps(script(pair=SOFT_PAIR, after="run 15"), tmp_path, ranks).error()

    dump = "dump all all custom 1 all.dump id xu yu zu vx vy vz\ndump_modify all sort id format float %24.16e\n"
    after = f"{dump}{set_thermo('f_1[7] f_1[8]')}run 10\nwrite_restart r.10\nrun 5"
    fix = "toy.pt A B guard yes fallback 3"
    result = run_ok(script(fix, pair=SOFT_PAIR, after=after), tmp_path, ranks)
    taken = np.delete(result.thermo()["f_1[8]"], 11)  # step 10 is printed twice
    frames = read_frames(tmp_path / "all.dump")
    close = [min(d for d, _ in closest_pairs(with_positions(c, x)).values()) < limit for x, _ in frames[:-1]]
    assert 2 < sum(close) < 13
    assert np.diff(taken).tolist() == [float(x) for x in close]
    assert result.thermo()["f_1[7]"][-1] == 15 - sum(close)
    masses = np.array(LJ_MASSES)[c.types]
    assert np.abs(masses @ (frames[-1][1] - c.velocities)).max() < 1e-10

    read = script(fix, pair=SOFT_PAIR, after=f"{set_thermo('f_1[7] f_1[8]')}run 5")
    again = run_ok(read.replace("read_data    data.test", "read_restart r.10"), tmp_path, ranks)
    assert again.thermo()["f_1[8]"][-1] == taken[-1]
    assert relative(again.last_frame()[1], frames[-1][1]) < 1e-10


def with_positions(c: Configuration, positions: Array) -> Configuration:
    return Configuration(c.cell, positions, c.velocities, c.types, c.masses)


def read_frames(path: Path) -> list[tuple[Array, Array]]:
    """Positions and velocities of all frames of a dump that is sorted by ID."""
    parts = path.read_text().split("ITEM: ATOMS")[1:]
    tables = [np.array([line.split() for line in p.split("ITEM: TIMESTEP")[0].splitlines()[1:]], float) for p in parts]
    return [(t[:, 1:4], t[:, 4:7]) for t in tables]


@pytest.mark.slow
def test_fallback_with_energy_control(tmp_path: Path) -> None:
    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    save_toy(tmp_path, **NEVER)
    result = run_ok(script("toy.pt A B energy rescale guard yes fallback 5", pair=LJ_PAIR, after="run 10"), tmp_path)
    energy = result.thermo()["TotEng"]
    assert np.abs(energy / energy[0] - 1.0).max() < 1e-10
    # noise and friction are those of the predictions: the same half-steps around each stride
    after = f"{set_thermo('f_1')}run 10"
    fix = "toy.pt A B langevin 1.0 0.5 7 guard yes fallback 20"
    shifted = LJ_PAIR + "\npair_modify shift yes"
    thermo = run_ok(script(fix, pair=shifted, after=after), tmp_path).thermo()
    balance = thermo["TotEng"] + thermo["f_1"]
    assert np.abs(thermo["f_1"]).max() > 1.0
    assert np.abs(balance - balance[0]).max() < 1e-2 * np.abs(thermo["f_1"]).max()


def test_fallback_uses_forces_at_current_positions(tmp_path: Path) -> None:
    """What LAMMPS has is stale after atoms have been set elsewhere without a new setup: forces, and ghosts, too."""
    c = lj_liquid((4, 4, 4))
    c.write_data(tmp_path / "data.test")
    save_toy(tmp_path, **NEVER)
    move = "run 0\n" + "".join(f"set atom {i + 1} x {float(c.positions[i, 0]) + 0.1!r}\n" for i in (6, 10, 29, 63))
    fix = "toy.pt A B guard yes fallback 5"
    got = run_ok(script(fix, pair=LJ_PAIR, after=f"{move}run 1 pre no"), tmp_path, 2).last_frame()
    plain = verlet(LJ_PAIR, 1, 5, 0.3).replace("fix          1", f"{move}fix 1")
    expected = run_ok(plain, tmp_path).last_frame()
    assert relative(got[0], expected[0]) < 1e-10
    assert relative(got[1], expected[1]) < 1e-10


@pytest.mark.parametrize(
    ("fix", "pair", "expected"),
    [
        ("guard perhaps", LJ_PAIR, "(?i)perhaps"),
        ("guard", LJ_PAIR, "(?i)missing"),
        ("guard yes fallback", LJ_PAIR, "(?i)missing"),
        ("guard yes fallback 0", LJ_PAIR, "wants guard yes and a number of steps >= 1, got guard yes fallback 0"),
        ("guard yes fallback some", LJ_PAIR, "(?i)some"),
        ("guard no fallback 3", LJ_PAIR, "wants guard yes and a number of steps >= 1, got guard no fallback 3"),
        ("fallback 3", LJ_PAIR, "unknown keyword fallback"),
        (
            "guard yes fallback 3",
            "pair_style zero 2.5\npair_coeff * *",
            "guard yes fallback needs forces: use the real",
        ),
    ],
)
def test_wrong_settings(tmp_path: Path, fix: str, pair: str, expected: str) -> None:
    lj_liquid((3, 3, 3)).write_data(tmp_path / "data.test")
    save_toy(tmp_path)
    message = run_lammps(script(f"toy.pt A B {fix}", pair=pair), tmp_path).error()
    assert re.search(expected, message), message


def test_long_range_forces_are_refused(tmp_path: Path) -> None:
    lj_liquid((3, 3, 3)).write_data(tmp_path / "data.test")
    save_toy(tmp_path)
    pair = "set type 1 charge 0.1\nkspace_style ewald 1e-4\npair_style lj/cut/coul/long 2.5\npair_coeff * * 1.0 0.8"
    source = script("toy.pt A B guard yes fallback 3", pair=pair)
    source = source.replace("atom_style   atomic", "atom_style charge").replace("data.test", "charged.test")
    data = (tmp_path / "data.test").read_text().replace("Atoms # atomic", "Atoms # charge")
    data = re.sub(r"(?m)^(\d+ [12]) (\S+ \S+ \S+)$", r"\1 0.0 \2", data.split("Velocities")[0])
    (tmp_path / "charged.test").write_text(data)
    result = run_lammps(source, tmp_path)
    if "Unrecognized kspace style" in result.output or "Unknown" in result.output:
        pytest.skip("this LAMMPS has no KSPACE")
    assert "kspace_style none" in result.error()
