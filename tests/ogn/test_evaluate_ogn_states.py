"""Time reversal, other states, the MD that models share, and verdicts, against what must come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ogn.loss_against_k import main as loss_against_k
from evaluation_data import md_run, numpy_verlet, small_model, write_kalj
from vitrify.core.errors import VitrifyError
from vitrify.data.trajectories import TrajectoryFile, TrajectoryMeta
from vitrify.datagen.trajectories.systems import get_system
from vitrify.ogn.evaluate.lammps_run import read_run, run_lmp, write_input
from vitrify.ogn.evaluate.long_run import average, compare
from vitrify.ogn.evaluate.measure import check_lengths
from vitrify.ogn.evaluate.observe import observe, pool
from vitrify.ogn.evaluate.reference import reference_run, starts, substeps_of
from vitrify.ogn.evaluate.results import REFERENCE, SECOND
from vitrify.ogn.evaluate.reversal import reversal
from vitrify.ogn.evaluate.runs import Record, Start, Window
from vitrify.ogn.evaluate.sampling import paths
from vitrify.ogn.evaluate.settings import Settings
from vitrify.ogn.evaluate.steppers import Ballistic, Verlet
from vitrify.ogn.evaluate.transfer import state_data, system_of
from vitrify.ogn.evaluate.verdicts import long_run_verdicts

pytestmark = pytest.mark.slow

DT = 0.005


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kalj(tmp_path_factory.mktemp("data") / "kalj.h5", trajectories=2, frames=3)


@pytest.fixture(scope="module")
def meta(data: Path) -> TrajectoryMeta:
    with TrajectoryFile(data) as file:
        return file.meta


class Damped:
    """Free flight that loses a share of its velocity in each stride: not reversible, by a known amount."""

    def __init__(self, timestep: float, factor: float) -> None:
        self.timestep, self.factor = timestep, factor

    def step(self, positions: np.ndarray, velocities: np.ndarray, cell: Any, types: Any) -> Any:
        return positions + self.timestep * velocities, self.factor * velocities


def test_time_reversal_finds_what_is_lost(data: Path, meta: TrajectoryMeta) -> None:
    h, c = 5 * DT, 0.99
    steppers = {"flight": Ballistic(h), "damped": Damped(h, c), "verlet": Verlet(meta, DT, 5)}
    with TrajectoryFile(data) as file:
        chosen = list(paths(file, 5, 1, 4))
    found = reversal(steppers, chosen, (4, 1))
    v_std = np.sqrt(np.mean([path.velocities[0] ** 2 for path in chosen]))
    for column, n in enumerate((4, 1)):
        # Forward x += h v (1 + c + ...), back the same from c^n v.
        lag = h * (1 - c**n) / (1 - c) * (1 - c**n)
        assert found["damped"]["x_rmse"][column] == pytest.approx(lag * v_std, rel=1e-9)
        assert found["damped"]["v_rmse_over_v_std"][column] == pytest.approx(1 - c ** (2 * n), rel=1e-9)
    assert max(found["flight"]["x_rmse"]) < 1e-14
    assert max(found["verlet"]["x_rmse"] + found["verlet"]["v_rmse"]) < 1e-9


def test_a_file_knows_the_system_it_was_made_of(tmp_path: Path, data: Path, meta: TrajectoryMeta) -> None:
    made = system_of(meta)
    recipe = get_system("kalj")
    assert (made.n_atoms, made.box, made.commands, made.masses) == (
        recipe.n_atoms, recipe.box, recipe.commands, recipe.masses,
    )  # fmt: skip
    assert made.stages[0].steps == 1000  # that of this file, not of the recipe
    for name in ("sio2", "si-snap", "cuzr-glass"):
        other = get_system(name)
        text = TrajectoryMeta(
            other.name, other.units, other.species, other.masses, other.base_timestep, other.md_timestep, 1,
            other.recipe(), 1, {},
        ).to_json()  # fmt: skip
        assert system_of(TrajectoryMeta.from_json(text)) == other

    path = state_data(meta, {"density": 1.05}, 5, tmp_path)
    with TrajectoryFile(path) as file:
        first = file.load(0)
        assert len(file) == 2
        assert len(first.types) / np.linalg.det(first.cell) == pytest.approx(1.05 * 265 / 6.038**3)
        assert first.temperature.mean() == pytest.approx(3.0, rel=0.1)
    changed = path.stat().st_mtime_ns
    assert state_data(meta, {"density": 1.05}, 5, tmp_path).stat().st_mtime_ns == changed
    with TrajectoryFile(state_data(meta, {"temperature": 1.2}, 5, tmp_path)) as file:
        assert np.mean([one.temperature.mean() for one in file]) == pytest.approx(3.6, rel=0.08)


def test_the_step_of_the_reference_divides_the_stride() -> None:
    assert substeps_of(40, 0.00013) == 5  # 8^2 is too much by a little
    assert substeps_of(20, 0.00125) == 2
    assert substeps_of(5, 0.006) == 1
    assert substeps_of(7, 1e-9) == 7
    assert substeps_of(10, float("nan")) == 1


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, data: Path, meta: TrajectoryMeta) -> tuple[Path, list[Start]]:
    with TrajectoryFile(data) as file:
        return starts(meta, file.load(0), 265, (2, 3), 100, tmp_path_factory.mktemp("kept"), lambda steps: None)


def test_starts_and_reference_runs_are_kept(data: Path, meta: TrajectoryMeta, start: tuple[Path, list[Start]]) -> None:
    place, (first, second) = start
    with TrajectoryFile(data) as file:
        again, found = starts(meta, file.load(0), 265, (2, 3), 100, place.parent, lambda steps: None)
        other, _ = starts(meta, file.load(1), 265, (2,), 0, place.parent, lambda steps: None)
    assert again == place != other
    for old, new in zip((first, second), found, strict=True):
        assert all(np.array_equal(getattr(old, key), getattr(new, key)) for key in vars(old))
    assert not np.allclose(first.velocities, second.velocities)
    energies = []
    for one in (first, second):
        begin = md_run(meta, one, 0, 1, DT)
        energies.append(float(begin.kinetic_energy(meta)[0] + begin.potential_energy[0]))
    assert energies[0] == pytest.approx(energies[1], rel=1e-9)

    heard: list[int] = []
    settings = (40, 10, 2, (5, 10), place, "md", 1, heard.append)
    record = reference_run(meta, first, *settings)
    log = next(place.glob("md_*/log.lammps"))
    changed = log.stat().st_mtime_ns
    kept = reference_run(meta, first, *settings)
    assert log.stat().st_mtime_ns == changed
    assert np.array_equal(record.positions, kept.positions)
    assert sum(heard) == 80
    # 20 steps of 2 dt, seen every 10 dt.
    expected = md_run(meta.__class__(**{**vars(meta), "base_timestep": 2 * DT}), first, 20, 5, 2 * DT)
    assert np.allclose(record.times, np.arange(5) * 10 * DT)
    assert np.allclose(record.positions, expected.positions, atol=1e-8)


def test_lmp_sees_the_end_of_a_run_in_detail(
    tmp_path: Path, meta: TrajectoryMeta, start: tuple[Path, list[Start]]
) -> None:
    begin = start[1][0]
    script = write_input(tmp_path, meta, begin, ["fix 1 all nve"], DT, 23, 10, (6, 3))
    run_lmp(script, tmp_path)
    record = read_run(tmp_path, DT)
    expected = md_run(meta, begin, 21, 3, DT)
    assert record.times.tolist() == pytest.approx([0, 10 * DT, 20 * DT])
    assert record.window is not None
    assert record.window.interval == pytest.approx(3 * DT)
    assert np.allclose(record.window.positions, expected.positions[2:], atol=1e-6)
    assert np.allclose(record.window.velocities, expected.velocities[2:], atol=1e-6)


def shaken(rng: np.random.Generator, slow: float, frames: int = 400) -> Record:
    """Two types of atoms that never leave their sites: independent oscillators of frequencies 0.8 to 1.2, `slow` of
    that for the first type."""
    n, interval, amplitude = 128, 0.1, 0.2
    sites = rng.random((n, 3)) * 6.0
    phase = rng.random((n, 3)) * 2 * np.pi
    frequency = (np.where(np.arange(n) % 2, 1.0, slow) * np.repeat(np.linspace(0.8, 1.2, n // 2), 2))[:, None]
    t = (np.arange(frames) * interval)[:, None, None]
    argument = 2 * np.pi * frequency * t + phase
    x, v = sites + amplitude * np.sin(argument), 2 * np.pi * frequency * amplitude * np.cos(argument)
    window = Window(interval, x[-200:], v[-200:])
    return Record(t.ravel(), x, v, np.zeros(frames), np.eye(3) * 6.0, np.arange(n) % 2, window=window)


def test_cages_frequencies_and_temperatures_are_compared(meta: TrajectoryMeta) -> None:
    rng = np.random.default_rng(1)
    record = shaken(rng, 1.0)
    reference = observe(record, meta)
    assert reference.k_star > 0
    # Once the oscillators are out of step, <|r(t) - r(0)|^2> = 2 <|r|^2> = 3 A^2.
    row = compare({REFERENCE: reference}, meta, 5, 400)[REFERENCE]
    out_of_step = 1 - np.mean(np.cos(2 * np.pi * np.linspace(0.8, 1.2, 1000) * row["plateau lag A"]))
    assert row["plateau A"] == pytest.approx(3 * 0.04 * out_of_step, rel=0.1)
    assert out_of_step == pytest.approx(1, abs=0.3)
    assert np.abs(reference.slope()).max() < 0.3
    runs = {REFERENCE: reference, SECOND: observe(shaken(rng, 1.0), meta, reference.k_star)}
    runs["slow"] = observe(shaken(rng, 0.5), meta, reference.k_star)
    row = compare(runs, meta, 5, 400)["slow"]
    assert row["spectrum B"] < 0.05  # the type that oscillates as before
    assert row["spectrum A"] == pytest.approx(2, abs=0.2)  # nothing in common
    assert row["temperature A, relative"] == pytest.approx(0.25 - 1, abs=0.02)
    assert row["temperature B, relative"] == pytest.approx(0, abs=0.02)
    assert row["F_s A"] > 5 * row["F_s B"]
    assert row["blown_up"] == 0

    rows = average([compare(runs, meta, 5, 400)])
    verdicts = long_run_verdicts(rows, ("A", "B"))
    assert set(verdicts) == {SECOND, "slow"}
    judged = verdicts["slow"]
    assert "plateau A, relative" in judged
    assert not any(key.startswith("diffusion") for key in judged)
    assert judged["spectrum A"]["verdict"] == "miss"
    assert judged["spectrum B"]["verdict"] == "pass"
    assert judged["temperature A, relative"]["verdict"] == "miss"
    assert judged["g(r) A-A"]["verdict"] == "noise"  # two sets of random sites differ more than by 2%


@pytest.mark.slow
def test_seeds_together_have_less_noise(meta: TrajectoryMeta) -> None:
    rng = np.random.default_rng(4)
    left, right = ([observe(shaken(rng, 1.0, 200), meta, 7.0) for _ in range(6)] for _ in range(2))
    single = compare({REFERENCE: left[0], "OGN": right[0]}, meta, 5, 400)["OGN"]
    together = compare({REFERENCE: pool(left), "OGN": pool(right)}, meta, 5, 400)["OGN"]
    assert together["g(r) A-B"] < 0.6 * single["g(r) A-B"]  # 1 / sqrt(6) = 0.41
    assert np.allclose(pool(left).msd, np.mean([run.msd for run in left], axis=0))
    assert pool(left).momentum.max() == max(run.momentum.max() for run in left)
    lost = observe(Record(**{**vars(shaken(rng, 1.0)), "failure": "lost atoms"}), meta, 7.0)
    assert pool([left[0], lost, left[1]]) is lost


def test_a_drift_of_the_whole_is_no_motion(meta: TrajectoryMeta) -> None:
    record = shaken(np.random.default_rng(3), 1.0)
    wind = np.array([0.3, -0.2, 0.1])
    assert record.window is not None
    blown = Record(**{
        **vars(record),
        "positions": record.positions + record.times[:, None, None] * wind,
        "velocities": record.velocities + wind,
        "window": Window(0.1, record.window.positions + record.times[:200, None, None] * wind,
                         record.window.velocities + wind),
    })  # fmt: skip
    still, moved = observe(record, meta, 7.0), observe(blown, meta, 7.0)
    assert np.allclose(still.msd, moved.msd, atol=1e-9)
    assert np.allclose(still.scattering, moved.scattering, atol=1e-9)
    assert np.allclose(still.spectrum, moved.spectrum, atol=1e-9)
    assert moved.momentum[0] > still.momentum[0]


def test_a_run_that_heats_up_is_blown_up(meta: TrajectoryMeta) -> None:
    record = shaken(np.random.default_rng(2), 1.0)
    hot = record.velocities.copy()
    hot[-1] *= 2
    assert not observe(record, meta, 7.0).blown_up
    assert observe(Record(**{**vars(record), "velocities": hot}), meta, 7.0).blown_up
    assert observe(Record(**{**vars(record), "failure": "lost atoms"}), meta, 7.0).blown_up
    short = Record(**{**vars(record), "window": None, "positions": record.positions[:1],
                      "velocities": record.velocities[:1], "times": record.times[:1],
                      "potential_energy": record.potential_energy[:1], "failure": "at once"})  # fmt: skip
    row = compare({REFERENCE: observe(record, meta, 7.0), "OGN": observe(short, meta, 7.0)}, meta, 5, 400)["OGN"]
    assert np.isnan(row["F_s A"])
    assert np.isnan(row["spectrum A"])
    assert row["completed"] == 0


def test_lengths_that_do_not_fit_are_refused() -> None:
    check_lengths(Settings(steps=0), 10)
    check_lengths(Settings(steps=40, md_substeps=5), 10)
    for settings, said in (
        (Settings(steps=39), "fewer than 4 strides of 10"),
        (Settings(steps=400, md_steps=20), "fewer than 4 strides of 10"),
        (Settings(md_substeps=3), "do not divide the model's stride of 10"),
    ):
        with pytest.raises(VitrifyError, match=said):
            check_lengths(settings, 10)


def test_loss_against_k(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [str(small_model(tmp_path / f"k{k}.pt", stride=k).path) for k in (10, 5)]
    arguments = ["--group", "liquid", str(data), *models, "--pairs", "2", "--out", str(tmp_path)]
    loss_against_k(arguments)
    figure = Path(capsys.readouterr().out.strip())
    assert figure.stat().st_size > 10_000
    rows = json.loads((tmp_path / "results.json").read_text())["liquid"]["rows"]
    assert [row["stride"] for row in rows] == [5, 10]
    with TrajectoryFile(data) as file:
        chosen = list(paths(file, 10, 1, 2))
    ends = [numpy_verlet(p.positions[0], p.velocities[0], p.cell[0, 0], p.types, 10 * DT, 1) for p in chosen]
    expected = np.sqrt(np.mean([(end[0] - p.positions[1]) ** 2 for end, p in zip(ends, chosen, strict=True)]))
    assert rows[1]["methods"]["verlet_stride"]["x_rmse"] == pytest.approx(expected, rel=1e-6)

    changed = figure.read_bytes()
    figure.unlink()
    loss_against_k(["--out", str(tmp_path)])
    assert figure.read_bytes() == changed
    with pytest.raises(SystemExit, match="give a name, a data file and at least one model"):
        loss_against_k(["--group", "liquid", "--out", str(tmp_path)])
