"""The reference simulations: independent energies, exact restarts, and runs that survive a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import erfc

from child_processes import living, wait_until
from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.data.trajectories import Trajectory, TrajectoryFile
from vitrify.datagen.trajectories.campaign import generate, simulate
from vitrify.datagen.trajectories.states import visit
from vitrify.datagen.trajectories.systems import SYSTEMS, Stage, System, get_system
from vitrify.lammps_library.session import LammpsSession

SMALL: dict[str, Any] = {"frames": 15, "every": 2, "atoms": 40, "seed": 7, "progress": False}


def _quick(name: str, atoms: int | None = None) -> System:
    """A system that is prepared in a moment: out of equilibrium, but with the dynamics of the real one."""
    system = get_system(name).with_settings(atoms)
    return replace(system, stages=(Stage(20),), settle=20)


def _session(system: System, positions: np.ndarray) -> LammpsSession:
    return system.session(positions, system.commands)


@pytest.fixture(scope="module", params=list(SYSTEMS))
def short(request: pytest.FixtureRequest) -> tuple[System, Trajectory]:
    system = _quick(request.param)
    return system, simulate(system, 12, 2, [1, 0])


def test_trajectory_is_consistent(short: tuple[System, Trajectory]) -> None:
    system, run = short
    units, masses = get_units(system.units), np.array(system.masses)[system.types]
    momentum = np.einsum("tni,n->ti", run.velocities, masses)
    assert np.abs(momentum).max() < 1e-9 * np.abs(run.velocities).mean() * masses.sum()
    for v, t in zip(run.velocities, run.temperature, strict=True):
        assert units.temperature_of(masses, v) == pytest.approx(t, rel=1e-9)
    np.testing.assert_allclose(run.times, np.arange(12) * 2 * system.base_timestep)
    # The energy of a frame belongs to its positions and velocities: it is conserved, its parts are not.
    assert np.ptp(run.total_energy) < 0.05 * np.ptp(run.kinetic_energy)
    # Unwrapped: no atom jumps by a cell's length, though some are outside the cell.
    assert np.abs(np.diff(run.positions, axis=0)).max() < 0.2 * system.box


def test_fresh_lammps_gives_the_same_energies_and_the_next_frame(short: tuple[System, Trajectory]) -> None:
    system, run = short
    with _session(system, run.positions[3]) as session:
        session.set_state(run.positions[3], run.velocities[3])
        session.run_commands("fix nve all nve", f"timestep {system.md_timestep!r}")
        session.run(0)
        here = session.state()
        assert here.potential_energy == pytest.approx(run.potential_energy[3], rel=1e-10)
        assert here.kinetic_energy == pytest.approx(run.kinetic_energy[3], rel=1e-10)
        np.testing.assert_allclose(here.positions, run.positions[3], atol=1e-12)
        session.run(2 * system.substeps)
        np.testing.assert_allclose(session.state().positions, run.positions[4], atol=1e-9)
        # Velocity Verlet is reversible: with the velocities turned round it goes back to where it was.
        there = session.state()
        session.set_state(there.positions, -there.velocities)
        session.run(2 * system.substeps)
        np.testing.assert_allclose(session.state().positions, run.positions[3], atol=1e-9)


def _energy(positions: np.ndarray, system: System, pair: Callable[[int, int, np.ndarray], np.ndarray]) -> float:
    """Sum of a pair energy over all images, by brute force."""
    images = np.array(list(product((-2, -1, 0, 1, 2), repeat=3))) @ system.cell
    d = np.linalg.norm(positions[None, :, None] - positions[:, None, None] + images, axis=-1)
    total = 0.0
    for a, b in product(range(len(system.counts)), repeat=2):
        block = d[system.types == a][:, system.types == b]
        total += 0.5 * float(np.sum(pair(a, b, block[block > 1e-9])))
    return total


def test_kob_andersen_energy_from_its_formula() -> None:
    system = _quick("kalj", 60)
    run = simulate(system, 2, 1, 3)
    epsilon, sigma = np.array([[1.0, 1.5], [1.5, 0.5]]), np.array([[1.0, 0.8], [0.8, 0.88]])

    def pair(a: int, b: int, r: np.ndarray) -> np.ndarray:
        def u(x: np.ndarray) -> np.ndarray:
            return 4 * epsilon[a, b] * ((sigma[a, b] / x) ** 12 - (sigma[a, b] / x) ** 6)

        return np.where(r < 2.5, u(r) - u(np.array(2.5)), 0.0)

    assert run.potential_energy[0] == pytest.approx(_energy(run.positions[0], system, pair), rel=1e-10)


def _lj_virial(positions: np.ndarray, system: System) -> np.ndarray:
    """Sum of r f over the pairs of nearest images (6,), by the formula of Kob and Andersen's potential."""
    epsilon, sigma = np.array([[1.0, 1.5], [1.5, 0.5]]), np.array([[1.0, 0.8], [0.8, 0.88]])
    d = positions[:, None] - positions[None]
    d -= system.box * np.round(d / system.box)
    square = (d**2).sum(-1) + 1e9 * np.eye(len(d))
    e, s = epsilon[system.types[:, None], system.types], sigma[system.types[:, None], system.types]
    sixth = (s**2 / square) ** 3
    over_r = np.where(square < 2.5**2, 24 * e * (2 * sixth**2 - sixth) / square, 0.0)
    tensor = 0.5 * np.einsum("ij,ija,ijb->ab", over_r, d, d)
    return tensor[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]


def test_the_virial_is_integrated_over_every_md_step() -> None:
    system = _quick("kalj", 200)
    run = simulate(system, 4, 2, 3)
    steps = 2 * system.substeps
    virials = []
    with _session(system, run.positions[0]) as session:
        session.set_state(run.positions[0], run.velocities[0])
        session.run_commands("fix nve all nve", f"timestep {system.md_timestep!r}")
        for step in range(3 * steps + 1):
            session.run(min(step, 1))
            virials.append(_lj_virial(session.state().positions, system))
    assert run.virial_integral is not None
    np.testing.assert_array_equal(run.virial_integral[0], 0.0)
    for first, last in [(0, 1), (1, 2), (0, 3), (1, 3)]:
        part = np.array(virials[first * steps : last * steps + 1])
        mean = (part.sum(0) - 0.5 * (part[0] + part[-1])) / ((last - first) * steps)
        scale = np.abs(mean[:3]).mean()
        np.testing.assert_allclose(run.mean_virial(first, last), mean, atol=1e-6 * scale)


@pytest.mark.parametrize("name", ["cuzr", "sio2", "si"])
def test_the_virial_is_the_derivative_of_the_energy_by_strain(name: str) -> None:
    system = _quick(name, {"sio2": 363}.get(name))
    run = simulate(system, 2, 1, 3)
    strain = 1e-5
    energies = []
    for sign in (1, -1):
        stretched = replace(system, box=system.box * (1 + sign * strain))
        with _session(stretched, run.positions[0] * (1 + sign * strain)) as session:
            session.run(0)
            energies.append(session.state().potential_energy)
    pressure = -(energies[0] - energies[1]) / (2 * strain)
    # Over one base step the virial changes little.
    assert run.mean_virial(0, 1)[:3].sum() == pytest.approx(pressure, rel=0.05, abs=0.02 * system.n_atoms)


def _shifts() -> tuple[float, float]:
    """Value and negative slope of erfc(r / 4) / r at 8 A, which the damped shifted force subtracts."""
    alpha, cut = 0.25, 8.0
    shift = float(erfc(alpha * cut)) / cut
    return shift, shift / cut + 2 * alpha / np.sqrt(np.pi) * np.exp(-((alpha * cut) ** 2)) / cut


def _silica(a: int, b: int, r: np.ndarray) -> np.ndarray:
    """Equation 5 of the OGN paper with the damped shifted-force Coulomb term, both zero from 8 A on."""
    coulomb, alpha, cut = 14.399645, 0.25, 8.0
    charge = np.array([2.094, -1.047])
    parameters = {
        (0, 0): (0.0, 1.0, 0.0, 3423200.0),
        (0, 1): (17471.7, 0.205205, 133.4, 29.0),
        (1, 1): (1386.9, 0.362319, 174.8, 3000.0),
    }
    big, rho, c, d = parameters[min(a, b), max(a, b)]

    def short(x: np.ndarray) -> np.ndarray:
        return big * np.exp(-x / rho) - c / x**6 + d / x**24

    shift, slope = _shifts()
    screened = coulomb * charge[a] * charge[b] * (erfc(alpha * r) / r - shift + slope * (r - cut))
    return np.where(r < cut, screened + short(r) - short(np.array(cut)), 0.0)


def test_silica_energy_from_its_formula() -> None:
    system = _quick("sio2", 60)
    run = simulate(system, 2, 1, 3)
    shift, slope = _shifts()
    charges = np.array([2.094, -1.047])[system.types]
    # The energy of a charge with its own screening cloud.
    own = -14.399645 * np.sum(charges**2) * ((shift + 8.0 * slope) / 2 + 0.25 / np.sqrt(np.pi))
    expected = _energy(run.positions[0], system, _silica) + own
    assert run.potential_energy[0] == pytest.approx(expected, rel=1e-6)


def test_oxygen_pairs_cannot_collapse() -> None:
    r = np.linspace(0.9, 4.0, 2000)
    assert (np.diff(_silica(1, 1, r)) < 0).all()


def test_unwrapped_positions_are_those_of_lammps_in_a_skewed_cell(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cell = np.array([[6.0, 0, 0], [2.0, 5.0, 0], [-1.0, 1.0, 7.0]])
    start = rng.random((20, 3)) @ cell + rng.integers(-4, 5, (20, 3)) @ cell
    with LammpsSession(
        units="lj",
        cell=cell,
        types=np.zeros(20, int),
        masses=[1.0],
        positions=start,
        commands=["pair_style zero 1.0", "pair_coeff * *", "fix nve all nve", "timestep 0.1"],
    ) as session:
        velocities = rng.normal(size=(20, 3))
        session.set_state(start, velocities)
        session.run(400)
        dump = tmp_path / "dump"
        session.run_commands(f"write_dump all custom {dump} id xu yu zu modify sort id format float %.15g")
        np.testing.assert_allclose(session.state().positions, np.loadtxt(dump, skiprows=9)[:, 1:], atol=1e-9)
        np.testing.assert_allclose(session.state().positions, start + 40 * velocities, atol=1e-9)


@pytest.mark.slow
def test_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = generate("kalj", tmp_path / "one.h5", trajectories=2, workers=1, **SMALL)
    two = generate("kalj", tmp_path / "two.h5", trajectories=3, workers=2, **SMALL)
    with TrajectoryFile(one) as a, TrajectoryFile(two) as b:
        assert (len(a), len(b)) == (2, 3)
        for index in range(2):
            for name, value in vars(a.load(index)).items():
                np.testing.assert_array_equal(value, getattr(b.load(index), name), err_msg=name)
        assert not np.allclose(a.load(0).positions, a.load(1).positions)
        assert a.meta.recipe["counts"] == [32, 8]


@pytest.mark.slow
def test_killed_run_continues_to_the_same_result(tmp_path: Path) -> None:
    out, whole = tmp_path / "killed.h5", tmp_path / "whole.h5"
    options = ["--trajectories", "4", "--frames", "15", "--every", "2", "--atoms", "40", "--seed", "7"]
    command = [
        sys.executable,
        "-m",
        "vitrify.cli",
        "data",
        "trajectories",
        "kalj",
        *options,
        "--workers",
        "1",
    ]
    run = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.DEVNULL, start_new_session=True)
    parts = tmp_path / "killed.h5.parts"
    wait_until(lambda: run.poll() is not None or list(parts.glob("traj_*.h5")))
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not out.exists()
    kept = {part.name: part.stat().st_mtime_ns for part in parts.glob("traj_*.h5")}
    assert 1 <= len(kept) < 4
    wait_until(lambda: not living(run.pid))  # the orphaned worker ends by itself

    generate("kalj", out, trajectories=4, workers=2, **SMALL)
    generate("kalj", whole, trajectories=4, workers=2, **SMALL)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["killed.h5", "whole.h5"]
    with TrajectoryFile(out) as a, TrajectoryFile(whole) as b:
        assert len(a) == len(b) == 4
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x.positions, y.positions)
            np.testing.assert_array_equal(x.velocities, y.velocities)
    before = out.stat().st_mtime_ns
    generate("kalj", out, trajectories=3, workers=1, **SMALL)
    assert out.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("kajl", {}, "did you mean 'kalj'"),
        ("kalj", {"md_timestep": 0.003}, "does not divide"),
        ("kalj", {"md_timestep": 0.0}, "does not divide"),
        ("kalj", {"temperature": -1.0}, "positive"),
        ("kalj", {"atoms": 1}, "without atoms"),
        ("sio2", {"atoms": 1000}, "take 999"),
        ("kalj", {"frames": 0}, "frames is 0"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(VitrifyError, match=message):
        generate(name, tmp_path / "a.h5", progress=False, **settings)


def test_other_sizes_keep_density_and_composition() -> None:
    default = get_system("cuzr")
    large = default.with_settings(atoms=1000)
    assert large.n_atoms == 1000
    assert large.n_atoms / large.box**3 == pytest.approx(default.n_atoms / default.box**3)
    assert large.counts[0] / 1000 == pytest.approx(0.645, abs=1e-3)
    assert get_system("sio2").with_settings(atoms=999).counts == (333, 666)
    assert default.with_settings(md_timestep=0.0005).substeps == 2


def test_errors_of_lammps_arrive_in_one_line() -> None:
    with pytest.raises(VitrifyError, match=r"LAMMPS refused 'pair_style nonsense'.*nonsense") as caught:
        _session(replace(_quick("kalj", 20), commands=("pair_style nonsense",)), np.zeros((20, 3)))
    assert "\n" not in str(caught.value)


def test_one_sample_visits_many_states() -> None:
    system = get_system("kalj").with_settings(100)
    states = [(2.0, 1.0), (0.8, 1.05), (1.5, 0.98)]
    runs = list(visit(system, states, 5, 2, 4))
    assert len(runs) == 3
    for run, (temperature, factor) in zip(runs, states, strict=True):
        np.testing.assert_allclose(run.cell, system.cell * factor, rtol=1e-12)
        assert run.temperature.mean() == pytest.approx(temperature, rel=0.3)
        np.testing.assert_allclose(run.times, np.arange(5) * 2 * system.base_timestep)
        assert run.virial_integral is not None
    # A state begins where the one before ended, but for the change of the cell and what it does before its frames.
    again = list(visit(system, states[:1], 5, 2, 4))
    np.testing.assert_array_equal(again[0].positions, runs[0].positions)
