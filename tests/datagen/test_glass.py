"""Melt-quench glasses: minima at the wanted pressure, linear quenches, runs that survive a kill, and clear refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from typer.testing import CliRunner

from child_processes import hear_interrupts, wait_until
from vitrify.cli.main import app
from vitrify.core.compositions import count_atoms, masses, parse_formula, potential_commands, start_density
from vitrify.core.errors import VitrifyError
from vitrify.core.lmp_process import program
from vitrify.data.structures import load_structures
from vitrify.datagen.glass.melt_quench import check_settings, default_path, make_glass
from vitrify.datagen.glass.result import Result, read_history, read_recipe, summary
from vitrify.datagen.glass.script import HISTORY, glass_script
from vitrify.lammps_library.session import LammpsSession

QUICK: dict[str, Any] = {"atoms": 90, "rate": 5e14, "melt_time": 1.0, "progress": False}
SILICON: dict[str, Any] = {"atoms": 32, "rate": 1e15, "melt_time": 0.5, "ranks": 1, "progress": False}


@pytest.fixture(scope="module")
def metal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_glass("Cu64Zr36", out=tmp_path_factory.mktemp("glass folder") / "metal.data", ranks=1, **QUICK)


def _evaluate(path: Path, species: list[str], commands: tuple[str, ...]) -> tuple[np.ndarray, float, float]:
    """Forces (N, 3), potential energy for each atom and pressure of a glass, in a LAMMPS of its own."""
    glass = load_structures(path, species)[0]
    with LammpsSession(
        units="metal", cell=glass.cell, types=glass.types, masses=masses(species), positions=glass.positions,
        commands=commands,
    ) as session:  # fmt: skip
        session.run(0)
        pressure = float(session.lmp.get_thermo("press"))
        return session.forces(), session.state().potential_energy / len(glass), pressure


def test_metallic_glass_is_a_minimum_without_pressure(metal: Path) -> None:
    forces, energy, pressure = _evaluate(metal, ["Cu", "Zr"], potential_commands(None, ["Cu", "Zr"]))
    found = Result(**read_recipe(metal)["result"])
    largest = float(np.linalg.norm(forces, axis=1).max())
    assert largest < 1e-3 and largest == pytest.approx(found.max_force, rel=0.2, abs=1e-5)
    assert energy == pytest.approx(found.energy_per_atom, abs=1e-7)
    assert abs(pressure) < 20 and abs(found.pressure) < 20  # bar; a strain of 1e-5
    # 7.5 g/cm^3 is what this potential gives for Cu64.5Zr35.5 at rest, 7.4 to 7.7 what is measured nearby.
    assert found.density == pytest.approx(7.5, rel=0.05)
    assert summary(metal).startswith("density 7.") and "no minimum" not in summary(metal)


def test_files_hold_the_same_glass_with_its_species(metal: Path) -> None:
    assert sorted(path.name for path in metal.parent.iterdir()) == [
        "metal.data", "metal.extxyz", "metal.history.csv", "metal.in", "metal.png",
    ]  # fmt: skip
    first, second = (load_structures(metal.with_suffix(s), ["Zr", "Cu"])[0] for s in (".data", ".extxyz"))
    assert np.bincount(first.types).tolist() == [32, 58]
    np.testing.assert_array_equal(first.types, second.types)
    np.testing.assert_allclose(first.cell, second.cell, atol=1e-7)
    shift = (first.positions - second.positions) @ np.linalg.inv(first.cell)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-7)
    assert ase.io.read(metal, format="lammps-data").get_chemical_formula() == "Cu58Zr32"
    settings = read_recipe(metal)["settings"]
    assert (settings["formula"], settings["counts"], settings["seed"]) == ("Cu64Zr36", [58, 32], 1)
    assert "Type Labels" in metal.read_text() and str(metal.parent) not in metal.with_suffix(".in").read_text()


def test_quench_is_linear_at_the_rate(metal: Path) -> None:
    columns, stages = read_history(metal.with_suffix(".history.csv"))
    assert set(stages) == {"melt", "quench"} and (np.diff(columns["step"]) > 0).all()
    np.testing.assert_allclose(columns["time"], columns["step"] * 0.002, rtol=1e-6)
    quench = stages == "quench"
    time_, temperature = columns["time"][quench], columns["temperature"][quench]
    slope, start = np.polyfit(time_ - 3.0, temperature, 1)  # after 2 ps of warm-up and 1 ps of melt
    assert slope == pytest.approx(-500, rel=0.15)  # K/ps
    assert start == pytest.approx(2000, rel=0.1)
    np.testing.assert_allclose(temperature, 2000 - 500 * (time_ - 3.0), atol=6 * 2000 / np.sqrt(1.5 * 90))
    assert time_[-1] == pytest.approx(3 + 1999 / 500, abs=0.2)
    mass = 58 * 63.546 + 32 * 91.224
    np.testing.assert_allclose(columns["density"] * columns["volume_per_atom"] * 90, 1.66054 * mass, rtol=1e-4)


def test_a_finished_glass_is_kept_and_other_settings_are_refused(metal: Path) -> None:
    before = metal.stat().st_mtime_ns
    assert make_glass("Cu64Zr36", out=metal, ranks=1, **QUICK) == metal
    with pytest.raises(VitrifyError, match=r"other settings \(rate 5e\+14, not 1e\+14\)"):
        make_glass("Cu64Zr36", out=metal, **{**QUICK, "rate": 1e14})
    with pytest.raises(VitrifyError, match=r"counts .*not.*; seed 1, not 2"):
        make_glass("Cu64Zr36", out=metal, seed=2, **{**QUICK, "atoms": 91})
    assert metal.stat().st_mtime_ns == before
    metal.with_suffix(".extxyz").rename(metal.with_suffix(".away"))
    try:
        with pytest.raises(VitrifyError, match="does not say how it was made"):
            make_glass("Cu64Zr36", out=metal, **QUICK)
    finally:
        metal.with_suffix(".away").rename(metal.with_suffix(".extxyz"))


def test_silicon_and_its_script_without_vitrify(tmp_path: Path) -> None:
    path = make_glass("Si", out=tmp_path / "si.data", pressure=20000, **SILICON)
    forces, energy, pressure = _evaluate(path, ["Si"], potential_commands(None, ["Si"]))
    assert np.linalg.norm(forces, axis=1).max() < 1e-3
    assert -4.34 < energy < -3.9  # the crystal has -4.336 eV
    assert pressure == pytest.approx(20000, abs=50)
    alone = tmp_path / "alone"
    alone.mkdir()
    subprocess.run([program("lmp"), "-in", "../si.in"], cwd=alone, check=True, stdout=subprocess.DEVNULL)
    one, two = (load_structures(file, ["Si"])[0] for file in (path, alone / "si.data"))
    np.testing.assert_allclose(one.positions, two.positions, atol=1e-6)


def _living(word: str) -> list[str]:
    """Processes, no zombies, with the word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word in path.read_text():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _start(out: Path, rate: float, ranks: int) -> subprocess.Popen[str]:
    options = {"--atoms": 32, "--rate": rate, "--melt-time": 1, "--ranks": ranks, "--out": out}
    words = [str(word) for pair in options.items() for word in pair]
    return subprocess.Popen(
        [sys.executable, "-m", "vitrify.cli", "data", "glass", "Si", *words], stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_interrupts,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_run_ends_lmp_and_goes_on_where_it_was_on_other_ranks(tmp_path: Path) -> None:
    out, parts = tmp_path / "killed.data", tmp_path / "killed.data.parts"
    run = _start(out, 1e15, 1)
    wait_until(lambda: (parts / "b.restart").exists() or run.poll() is not None)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert not out.exists()
    wait_until(lambda: not _living("killed.in"))

    again = {"atoms": 32, "rate": 1e15, "melt_time": 1.0, "ranks": 2, "progress": False}
    with pytest.raises(VitrifyError, match=r"parts was made with other settings \(pressure 0, not 5\)"):
        make_glass("Si", out=out, pressure=5.0, **again)
    kept = (parts / HISTORY).read_text().splitlines()[5]
    logs: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitrify.datagen.glass.melt_quench.publish", _spying(parts / "log.lammps", logs))
        make_glass("Si", out=out, **again)
    assert "Resetting global fix info" in logs[0] and "Created" not in logs[0]  # the thermostat's, and no new atoms
    columns, _ = read_history(out.with_suffix(".history.csv"))
    assert kept in out.with_suffix(".history.csv").read_text()  # of the run that was killed
    assert (np.diff(columns["step"]) == 10).all()
    assert columns["step"][-1] > check_settings("Si", 32, 1e15, melt_time=1.0).ends[2] - 10
    assert np.linalg.norm(_evaluate(out, ["Si"], potential_commands(None, ["Si"]))[0], axis=1).max() < 1e-3
    assert not parts.exists()


@pytest.mark.slow
def test_an_interrupted_run_on_two_ranks_says_how_to_go_on(tmp_path: Path) -> None:
    out = tmp_path / "stopped.data"
    log = tmp_path / "stopped.data.parts" / "log.lammps"
    run = _start(out, 1e11, 2)
    wait_until(lambda: (log.exists() and "warm-up: to" in log.read_text()) or run.poll() is not None)
    with pytest.raises(VitrifyError, match=rf"stopped.data is in use by process {run.pid} on"):
        make_glass("Si", atoms=32, rate=1e11, melt_time=1.0, out=out, progress=False)
    run.send_signal(signal.SIGINT)
    errors = run.communicate()[1]
    assert run.returncode == 130 and "the same command continues the run" in errors and "Traceback" not in errors
    wait_until(lambda: not _living("stopped.in"))


def _spying(log: Path, copies: list[str]) -> Any:
    from vitrify.datagen.glass.result import publish

    def copy_and_publish(*arguments: Any) -> None:
        copies.append(log.read_text())
        publish(*arguments)

    return copy_and_publish


def test_damaged_restart_files_are_not_used(tmp_path: Path) -> None:
    parts = tmp_path / "si.data.parts"
    parts.mkdir()
    for name in ("a", "b"):
        (parts / f"{name}.restart").write_bytes(b"LammpS RestartT\0" + bytes(100))
    (parts / "settings.json").write_text("{}")
    assert make_glass("Si", out=tmp_path / "si.data", **SILICON).exists()


def test_independent_glasses_by_the_command_line(tmp_path: Path) -> None:
    options = {"--atoms": 16, "--rate": 5e15, "--melt-time": 0.5, "--ranks": 1, "--count": 2, "--seed": 3}
    words = [*(str(word) for pair in options.items() for word in pair), "--out"]
    done = CliRunner().invoke(app, ["data", "glass", "Si", *words, str(tmp_path / "g.data")])
    assert done.exit_code == 0, done.output
    for seed in (3, 4):
        assert f"g-{seed}.data\ndensity " in done.output
    one, two = (load_structures(tmp_path / f"g-{seed}.data", ["Si"])[0] for seed in (3, 4))
    assert not np.allclose(one.cell, two.cell, atol=1e-6)
    again = CliRunner().invoke(app, ["data", "glass", "Si", *words, str(tmp_path / "g.data")])
    assert again.output.count("kept") == 2


ELEMENTS = "pair_style eam/fs; pair_coeff * * {potentials/CuZr_mm.eam.fs} Zr Cu"
BAD = [
    (["Cu64Zr36", "--rate", "0"], "rate is 0"),
    (["Cu64Zr36", "--rate", "-1e12"], "rate is -1e+12"),
    (["Cu64Zr36", "--rate", "nan"], "rate is nan"),
    (["Cu64Zr36", "--rate", "1e20"], "quench more slowly"),
    (["Cu64Zr36", "--rate", "1"], "quench faster"),
    (["Cu64Zr36", "--atoms", "1"], "ask for at least 2"),
    (["Cu64Zy36"], "'Zy' in 'Cu64Zy36' is no element"),
    (["cu64zr36"], "did you mean Cu64Zr36"),
    (["Cu0Zr"], "has no Cu"),
    ([""], "the formula is empty"),
    (["Ni80P20"], "no default potential for Ni-P"),
    (["CuZr", "--potential", "nothing"], "neither LAMMPS commands"),
    (["CuZr", "--potential", "pair_style no/such; pair_coeff * *"], "lmp failed: Unrecognized pair style 'no/such'"),
    (["CuZr", "--potential", ELEMENTS], "write Cu Zr"),
    (["CuZr", "--potential", "pair_style zero 5; run 5"], "no command of a potential"),
    (["CuZr", "--potential", "units lj; pair_style zero 5"], "metal units"),
    (["CuZr", "--melt-temperature", "0.5"], "not above the final temperature"),
    (["CuZr", "--melt-temperature", "0"], "melt-temperature is 0"),
    (["CuZr", "--timestep", "2"], "give picoseconds"),
    (["CuZr", "--density", "-1"], "density is -1"),
    (["CuZr", "--seed", "0"], "seed 0 is not allowed"),
    (["CuZr", "--count", "0"], "count is 0"),
    (["CuZr", "--ranks", "0"], "ranks is 0"),
    (["CuZr", "--out", "glass.xyz"], "ends with .data"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    defaults = {"--atoms": "32", "--rate": "1e14"}
    extra = [word for name, value in defaults.items() if name not in words for word in (name, value)]
    done = CliRunner().invoke(app, ["data", "glass", *words, *extra])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    errors = [line for line in done.stderr.splitlines() if line.startswith("vitrify:")]
    assert len(errors) == 1 and message in errors[0] and errors[0] == done.stderr.splitlines()[-1].split("\r")[-1]


def test_what_evaporates_or_blows_up_says_so(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match=r"Si has evaporated in the melt: .*--melt-temperature below 30000 K"):
        make_glass("Si", out=tmp_path / "gas.data", melt_temperature=30000, **{**SILICON, "melt_time": 20.0})
    assert not list((tmp_path / "gas.data.parts").glob("*.restart")) and not (tmp_path / "gas.data").exists()
    with pytest.raises(VitrifyError, match=r"Si has blown up in the .*--timestep below 0.02 ps"):
        make_glass("Si", out=tmp_path / "hot.data", melt_temperature=20000, timestep=0.02, **SILICON)


def test_formulas_and_counts() -> None:
    assert parse_formula("Cu64.5Zr35.5") == {"Cu": 64.5, "Zr": 35.5}
    assert parse_formula("CuZr") == {"Cu": 1.0, "Zr": 1.0}
    assert count_atoms(parse_formula("SiO2"), 999) == (333, 666)
    assert count_atoms(parse_formula("CuZrAl"), 100) == (34, 33, 33)
    assert count_atoms(parse_formula("Cu99Zr1"), 10) == (9, 1)
    assert count_atoms(parse_formula("Cu98ZrAl"), 3) == (1, 1, 1)
    for formula, known in (("SiO2", 2.20), ("Cu64Zr36", 7.5), ("Ni80P20", 7.9), ("Si", 2.33), ("GeO2", 3.65)):
        shares = parse_formula(formula)
        assert start_density(tuple(shares), count_atoms(shares, 300)) == pytest.approx(known, rel=0.1), formula


def test_potentials_from_files_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.sw").write_text("table")
    (tmp_path / "silicon.pot").write_text("# Si\nunits metal\npair_style sw # Si\npair_coeff * * &\n my.sw Si\n")
    settings = check_settings("Si", 32, 1e13, potential="silicon.pot")
    assert settings.potential == ("pair_style sw", "pair_coeff * * my.sw Si")
    script = glass_script(settings, "si", {"my.sw": tmp_path / "my.sw"})
    assert f"pair_coeff * * {tmp_path / 'my.sw'} Si\n" in script  # from any folder
    (tmp_path / "my.sw").write_text("another table")
    assert check_settings("Si", 32, 1e13, potential="silicon.pot") != settings
    charged = replace(settings, potential=("pair_style coul/cut 8", "pair_coeff * *", "set type 1 charge 1.0"))
    assert "atom_style    charge" in glass_script(charged, "si", {})
    assert default_path(settings) == Path("glasses/Si-1e13-1.data")


@pytest.mark.parametrize("size", ["40k", "64k"])
def test_where_the_disk_was_full_the_history_has_no_gap(size: str, tmp_path: Path) -> None:
    """LAMMPS goes on without a word where its files are cut: the next run takes no restart file of that time."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        again = {**SILICON, "atoms": 64, "out": place / "si.data"}
        with pytest.raises(VitrifyError, match=r"^cannot write .*/small/si.data.parts: No space left on device$"):
            make_glass("Si", **again)
        assert not (place / "si.data").exists()
        subprocess.run(["mount", "-o", "remount,size=9m", place], check=True)
        columns, _ = read_history(make_glass("Si", **again).with_suffix(".history.csv"))
        assert (np.diff(columns["step"]) == 10).all() and len(columns["step"]) > 190
        assert sorted(path.suffix for path in place.iterdir()) == [".csv", ".data", ".extxyz", ".in", ".png"]
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
