"""The evaluation against independent numbers: numpy's Verlet, exact models, MD in another process."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation_data import PerfectModel, md_run, numpy_verlet, small_model, write_kalj
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.core.options import from_options
from vitrify.data.trajectories import TrajectoryFile, TrajectoryMeta
from vitrify.engines.open import open_model
from vitrify.modelfile.metadata import Provenance
from vitrify.ogn.evaluate import EVALUATION
from vitrify.ogn.evaluate.lammps_run import read_run, run_lmp, write_input
from vitrify.ogn.evaluate.long_run import compare
from vitrify.ogn.evaluate.measure import check_system
from vitrify.ogn.evaluate.observe import observe
from vitrify.ogn.evaluate.one_step import one_step
from vitrify.ogn.evaluate.results import REFERENCE
from vitrify.ogn.evaluate.rollout import rollout
from vitrify.ogn.evaluate.runs import Start, prepare, python_run
from vitrify.ogn.evaluate.sampling import paths
from vitrify.ogn.evaluate.settings import Settings
from vitrify.ogn.evaluate.steppers import Ballistic, GuardedStepper, ModelStepper, Verlet
from vitrify.ogn.evaluate.verdicts import one_step_verdict
from vitrify.ogn.torchscript import TorchOGN
from vitrify.report.html import number, percent

DT = 0.005


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kalj(tmp_path_factory.mktemp("data") / "kalj.h5")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    return small_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.fixture(scope="module")
def meta(data: Path) -> TrajectoryMeta:
    with TrajectoryFile(data) as file:
        return file.meta


class Still:
    """Loses every start but the first."""

    def __init__(self) -> None:
        self.calls = 0

    def step(self, positions: np.ndarray, velocities: np.ndarray, cell: Any, types: Any) -> Any:
        self.calls += 1
        return (positions if self.calls == 1 else positions * np.nan), velocities


class Squeeze:
    """Pushes the atoms into each other, so that their potential energy alone exceeds the total of the start."""

    def step(self, positions: np.ndarray, velocities: np.ndarray, cell: Any, types: Any) -> Any:
        return 0.7 * positions, velocities


@pytest.mark.slow
def test_verlet_errors_are_those_of_numpy(data: Path, meta: TrajectoryMeta) -> None:
    with TrajectoryFile(data) as file:
        chosen = list(paths(file, 5, 1, 24))
        one = one_step(
            {"full": Verlet(meta, 5 * DT), "half": Verlet(meta, 2.5 * DT, 2)}, chosen, meta.species, meta.masses
        )
        far = one_step({"full": Verlet(meta, 10 * DT)}, paths(file, 10, 1, 24), meta.species, meta.masses)
    for name, timestep, steps in (("full", 5 * DT, 1), ("half", 2.5 * DT, 2)):
        ends = [numpy_verlet(p.positions[0], p.velocities[0], p.cell[0, 0], p.types, timestep, steps) for p in chosen]
        x = np.sqrt(np.mean([(end[0] - p.positions[1]) ** 2 for end, p in zip(ends, chosen, strict=True)]))
        v = np.sqrt(np.mean([(end[1] - p.velocities[1]) ** 2 for end, p in zip(ends, chosen, strict=True)]))
        v_std = np.sqrt(np.mean([p.velocities[1] ** 2 for p in chosen]))
        assert one.metrics[name]["x_rmse"] == pytest.approx(x, rel=1e-6)
        assert one.metrics[name]["v_rmse_over_v_std"] == pytest.approx(v / v_std, rel=1e-6)
    # Measured independently for this liquid at T = 3: 8.1e-3 sigma and 0.53 v_std; rare hard collisions
    # dominate v.
    assert one.metrics["full"]["x_rmse"] == pytest.approx(8.1e-3, rel=0.1)
    assert 0.4 < one.metrics["full"]["v_rmse_over_v_std"] < 0.8
    assert far.metrics["full"]["x_rmse"] == pytest.approx(5.2e-2, rel=0.1)
    assert not far.metrics["full"]["v_rmse_over_v_std"] < 0.9


def test_free_flight_species_and_spread(data: Path, meta: TrajectoryMeta) -> None:
    with TrajectoryFile(data) as file:
        chosen = list(paths(file, 5, 1, 6))
    one = one_step({"flight": Ballistic(5 * DT)}, chosen, meta.species, meta.masses)
    errors = [(p.positions[0] + 5 * DT * p.velocities[0] - p.positions[1], p) for p in chosen]
    found = one.metrics["flight"]
    for s, name in enumerate(meta.species):
        expected = np.sqrt(np.mean(np.concatenate([e[p.types == s] for e, p in errors]) ** 2))
        assert found["species"][name]["x_rmse"] == pytest.approx(expected, rel=1e-12)
    each = [np.sqrt(np.mean([e**2 for e, p in errors if p.trajectory == t])) for t in range(3)]
    assert found["x_rmse_stderr"] == pytest.approx(np.std(each, ddof=1) / np.sqrt(3), rel=1e-9)
    before, after = (np.array([np.sum(p.velocities[i] ** 2) for p in chosen]) for i in (0, 1))
    assert found["kinetic_energy_change"] == pytest.approx(np.mean(before / after - 1), rel=1e-9)
    assert found["momentum_change"] < 1e-12


def test_a_perfect_model_has_no_error(data: Path, meta: TrajectoryMeta, opened: TorchOGN) -> None:
    model: Any = PerfectModel.like(opened, meta)
    steppers = {"model": ModelStepper(model, meta.species), "flight": Ballistic(5 * DT)}
    with TrajectoryFile(data) as file:
        one = one_step(steppers, paths(file, 5, 1, 6), meta.species, meta.masses)
        rolled = rollout(steppers, paths(file, 5, 20, 3), 5 * DT, {"flight": (1e-3, 0.0)})
    assert one.metrics["model"]["x_rmse"] < 1e-12
    assert one.metrics["model"]["v_rmse_over_v_std"] < 1e-11
    assert rolled.starts == 3
    assert rolled.times[-1] == pytest.approx(100 * DT)
    assert rolled.x["model"].max() < 1e-8
    # The kicked start is off by its kick; free flight is off by what one_step says after one stride.
    assert rolled.x["flight"][0] == pytest.approx(1e-3, rel=0.1)
    assert rolled.x["flight"][1] == pytest.approx(one.metrics["flight"]["x_rmse"], rel=0.1)
    assert np.all(np.diff(rolled.x["flight"]) > 0)


def test_lost_starts_are_counted_and_end_a_path(data: Path, meta: TrajectoryMeta) -> None:
    with TrajectoryFile(data) as file:
        one = one_step({"model": Still()}, paths(file, 5, 1, 3), meta.species, meta.masses)
        rolled = rollout({"still": Still()}, list(paths(file, 5, 4, 1))[:1], 5 * DT)
    assert one.metrics["model"]["lost"] == 2
    assert np.isfinite(one.metrics["model"]["x_rmse"])
    for name in ("verlet_stride", "verlet_half_stride"):
        one.metrics[name] = one.metrics["model"]
    assert one_step_verdict(one)["verlet_stride"] == {
        "x_ratio": 1.0, "v_ratio": None, "verlet_lost": True, "x_passed": False, "v_passed": False,
    }  # fmt: skip
    assert np.isfinite(rolled.x["still"][:2]).all()
    assert np.isnan(rolled.x["still"][2:]).all()


def test_verlet_survives_atoms_on_top_of_each_other(data: Path, meta: TrajectoryMeta) -> None:
    with TrajectoryFile(data) as file:
        frame = file.load(0, slice(0, 1))
    verlet = Verlet(meta, DT)
    x, v = frame.positions[0], frame.velocities[0]
    broken = x.copy()
    broken[1] = broken[0]
    verlet.step(broken, v, frame.cell, frame.types)
    assert np.isnan(verlet.step(x * np.nan, v, frame.cell, frame.types)[0]).all()
    after, _ = verlet.step(x, v, frame.cell, frame.types)
    assert np.allclose(after, numpy_verlet(x, v, frame.cell[0, 0], frame.types, DT, 1)[0], atol=1e-10)


@pytest.fixture(scope="module")
def start(data: Path, meta: TrajectoryMeta) -> Start:
    with TrajectoryFile(data) as file:
        return prepare(meta, file.load(0), 500, [3], relax=1000)[0]


def test_prepare_makes_a_larger_liquid_of_the_same_energy(data: Path, meta: TrajectoryMeta, start: Start) -> None:
    with TrajectoryFile(data) as file:
        original = file.load(0)
    assert len(start.types) == 530
    assert np.bincount(start.types).tolist() == [424, 106]
    assert np.linalg.det(start.cell) == pytest.approx(2 * np.linalg.det(original.cell))
    assert np.abs(start.velocities.mean(axis=0)).max() < 1e-12
    record = md_run(meta, start, 400, 5, DT)
    # The energy of the small file and of this short run fluctuate, by about sqrt(C_V / N) T = 0.2 for each atom.
    energy = (record.kinetic_energy(meta) + record.potential_energy)[0] / 530
    assert energy == pytest.approx(original.total_energy.mean() / 265, abs=0.5)
    assert start.temperature == 3.0
    assert record.temperature(meta)[20:].mean() == pytest.approx(3.0, rel=0.06)
    # The copies must have parted: the displacement between them is no cell vector any more.
    apart = start.positions[265:] - start.positions[:265]
    assert apart.std(axis=0).min() > 0.05


def test_lmp_moves_the_liquid_as_the_library_does(tmp_path: Path, meta: TrajectoryMeta, start: Start) -> None:
    shear = np.eye(3) + np.array([[0.0] * 3, [0.05, 0, 0], [-0.02, 0.04, 0]])
    sheared = replace(start, cell=start.cell @ shear, positions=start.positions @ shear)
    folder = tmp_path / "a folder"
    script = write_input(folder, meta, sheared, ["fix 1 all nve"], DT, 20, 10)
    heard: list[int] = []
    run_lmp(script, folder, tick=heard.append)
    record = read_run(folder, DT)
    expected = md_run(meta, sheared, 20, 10, DT)
    assert sum(heard) == 20
    assert np.allclose(record.cell, sheared.cell)
    assert np.array_equal(record.types, sheared.types)
    assert np.allclose(record.times, expected.times)
    assert np.allclose(record.positions, expected.positions, atol=1e-8)
    assert np.allclose(record.velocities, expected.velocities, atol=1e-7)
    assert np.allclose(record.potential_energy, expected.potential_energy, rtol=1e-9)


def test_lmp_errors_say_what_lammps_said(tmp_path: Path, meta: TrajectoryMeta, start: Start) -> None:
    script = write_input(tmp_path, meta, start, ["fix 1 all nonsense"], DT, 1, 1)
    with pytest.raises(VitrifyError, match=r"lmp failed on in\.lammps: ERROR: Unrecognized fix style 'nonsense'"):
        run_lmp(script, tmp_path)


def test_python_run_follows_the_stepper_and_holds_energy(meta: TrajectoryMeta, start: Start) -> None:
    exact = Verlet(meta, DT / 5, 25)
    free = python_run(meta, exact, 5, start, 50, 10, lambda steps: None)
    md = md_run(meta, start, 50, 10, DT / 5)
    assert np.allclose(free.positions, md.positions, atol=1e-7)
    assert np.allclose(free.potential_energy, md.potential_energy, rtol=1e-7)
    held = python_run(meta, Verlet(meta, 2.5 * DT, 2), 5, start, 50, 10, lambda steps: None, rescale=True)
    energy = held.kinetic_energy(meta) + held.potential_energy
    assert np.abs(energy / energy[0] - 1).max() < 1e-9
    assert held.momentum(meta).max() < 1e-12
    lost = python_run(meta, Still(), 5, start, 50, 10, lambda steps: None)
    assert "prediction 2" in lost.failure


def test_a_stride_that_the_guard_refuses_ends_the_run_as_in_lammps(meta: TrajectoryMeta, start: Start) -> None:
    model = open_model("kalj.ogn.pt")
    close = start.positions.copy()
    close[1] = close[0] + [0.1, 0.2, 0.2]
    stepper = GuardedStepper(model, meta.species)
    record = python_run(meta, stepper, 5, replace(start, positions=close), 50, 10, lambda steps: None)
    assert re.search(r"atoms 1 and 2 \(.*\) are 0.3 apart, below 0.9 times .* at step 1", record.failure)
    assert np.array_equal(record.positions, close[None])


def test_an_energy_that_cannot_be_held_ends_the_run_and_keeps_what_was_seen(meta: TrajectoryMeta, start: Start) -> None:
    record = python_run(meta, Squeeze(), 5, start, 50, 10, lambda steps: None, rescale=True)
    assert "cannot hold the total energy" in record.failure
    assert np.array_equal(record.positions[0], start.positions)


@pytest.mark.slow
def test_compare_finds_cooling_and_structure(meta: TrajectoryMeta, start: Start) -> None:
    record = md_run(meta, start, 400, 5, DT)
    # Each stride of 5 base steps takes 0.1% of the kinetic energy away: what a shrinking model does.
    damping = 0.999 ** (np.arange(len(record.times)) / 2)
    cooled = replace(record, velocities=record.velocities * damping[:, None, None])
    rows = compare({REFERENCE: observe(record, meta), "OGN": observe(cooled, meta)}, meta, 5, 400)
    assert rows[REFERENCE]["completed"] == pytest.approx(1.0)
    assert abs(rows[REFERENCE]["energy_rate_per_stride"]) < 2e-5
    assert rows["OGN"]["energy_rate_per_stride"] == pytest.approx(-1e-3, rel=0.1)
    settled = damping[len(damping) // 10 :] ** 2
    assert rows["OGN"]["temperature A, relative"] == pytest.approx(settled.mean() - 1, abs=2e-3)
    assert rows["OGN"]["g(r) A-A"] == 0.0
    assert rows[REFERENCE]["diffusion B"] > rows[REFERENCE]["diffusion A"] > 0.03


@pytest.mark.parametrize(
    ("value", "plain", "share"),
    [(1.0, "1", "100%"), (0.01234, "0.0123", "1.2%"), (-2e-5, "-2.00e-05", "-0.002%"), (np.nan, "–", "–")],
)
def test_numbers_in_tables(value: float, plain: str, share: str) -> None:
    assert number(value) == plain
    assert percent(value) == share


class Outside(HTMLParser):
    """Collects whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        for name, value in attrs:
            if name in ("src", "href") and not (value or "").startswith("data:image/png;base64,"):
                self.found.append(f"{tag} {name} {value}")
        if tag in ("link", "script", "iframe"):
            self.found.append(tag)


@pytest.mark.slow
def test_a_whole_evaluation(tmp_path: Path, data: Path, meta: TrajectoryMeta, opened: TorchOGN) -> None:
    settings = Settings(
        pairs=6, starts=3, horizon=100, steps=100, atoms=265, seeds=(1, 2), controls=("none", "rescale"),
        engine="python", relax=50, reversal=(1, 3), transfer=("density",), reference=tmp_path / "kept",
    )  # fmt: skip
    model: Any = PerfectModel.like(opened, meta)
    report = EVALUATION.run(model, data, tmp_path, settings, progress=False)
    page = report.read_text()
    outside = Outside()
    outside.feed(page)
    assert outside.found == []
    assert not re.search(r"url\(|@import", page)
    assert outside.images == 8
    metrics = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert metrics["one_step"]["methods"]["model"]["x_rmse"] < 1e-12
    assert metrics["one_step"]["verdict"]["verlet_stride"]["x_ratio"] < 1e-9
    assert metrics["rollout"]["at_100_base_steps"]["model"]["x_rmse"] < 1e-7
    assert metrics["data"]["sha256"] == sha256(data)
    assert abs(metrics["long_run"]["OGN, free"]["energy_rate_per_stride"]["mean"]) < 1e-4
    assert metrics["long_run"]["OGN, free"]["g(r) A-A"]["std"] >= 0
    assert metrics["long_run"]["OGN, free"]["F_s A"]["mean"] < 0.2
    assert metrics["long_run_reference"]["timestep"] == DT
    assert metrics["long_run_verdicts"]["OGN, free"]["blown_up"]["verdict"] == "pass"
    assert max(metrics["reversal"]["methods"]["model"]["x_rmse"]) < 1e-9
    assert set(metrics["transfer"]) == {"0.95 of the density", "1.05 of the density"}
    for state in metrics["transfer"].values():
        assert state["methods"]["model"]["x_rmse"] < 1e-9 < 1e-4 < state["methods"]["verlet_stride"]["x_rmse"]
    assert str(tmp_path) not in (tmp_path / "metrics.json").read_text()
    for name in (
        "one_step_scatter", "rollout_rmse", "reversal", "rdf", "msd", "scattering", "vibrations", "series",
    ):  # fmt: skip
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    assert not list(tmp_path.glob(".*"))


def test_an_evaluation_in_lammps(tmp_path: Path, data: Path, opened: TorchOGN) -> None:
    settings = Settings(
        pairs=3, starts=1, horizon=10, steps=40, atoms=265, relax=20, ranks=1, reversal=(), transfer=(),
        controls=("none", "rescale", "csvr", "langevin"),
    )  # fmt: skip
    report = EVALUATION.run(opened, data, tmp_path, settings, progress=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())["long_run"]
    for name in ("MD, another start", "OGN, free", "OGN, fix temp/csvr", "OGN, langevin"):
        assert metrics[name]["completed"]["mean"] == pytest.approx(1.0)
        assert metrics[name]["momentum"]["mean"] < (0.5 if "langevin" in name else 1e-5)
        assert 0 <= metrics[name]["spectrum A"]["mean"] < 2
    # This model lets atoms fly through each other; the report must say how that ended.
    assert metrics["OGN, energy rescale"]["blown_up"]["mean"] == 1
    assert metrics["OGN, energy rescale"]["completed"]["mean"] < 1
    assert "fix ogn: energy rescale cannot hold the total energy" in report.read_text()

    # Started again, as after a kill, it keeps the runs that were finished.
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("log.lammps")}
    EVALUATION.run(opened, data, tmp_path, settings, progress=False)
    assert json.loads((tmp_path / "metrics.json").read_text())["long_run"] == metrics
    kept = [path.parent.name for path, time in finished.items() if path.stat().st_mtime_ns == time]
    assert len(kept) == 5
    assert {"csvr", "none", "langevin"} < set(kept)


def test_what_does_not_fit_is_refused(data: Path, opened: TorchOGN, tmp_path: Path) -> None:
    def changed(**values: Any) -> TorchOGN:
        return replace(opened, metadata=opened.metadata.model_copy(update=values))

    with TrajectoryFile(data) as file:
        check_system(opened, file)
        for values, said in (
            ({"units": "metal"}, "units"),
            ({"masses": (1.0, 2.0)}, "masses"),
            ({"base_timestep": 0.002}, "base timestep"),
            ({"species": ("A", "C")}, "species A, B"),
            ({"provenance": Provenance(data=({"sha256": sha256(data)},))}, "was used to train"),
        ):
            with pytest.raises(VitrifyError, match=said):
                EVALUATION.run(changed(**values), data, tmp_path)
        with pytest.raises(VitrifyError, match="--every 1"):
            list(paths(file, 3, 1, 1))
        with pytest.raises(VitrifyError, match="at least 31 frames"):
            list(paths(file, 5, 30, 1))
    for changes, said in (
        ({"seeds": "1,b"}, "integers"),
        ({"reversal": "0"}, "must be positive"),
        ({"controls": "non"}, "did you mean 'none'"),
        ({"engine": "natif"}, "did you mean 'native'"),
        ({"engine": "python"}, "csvr runs in LAMMPS"),
        ({"transfer": "densities"}, "did you mean 'density'"),
        ({"pairs": 0}, "pairs is 0"),
        ({"steps": -1}, "must not be negative"),
        ({"reference": data}, "is not a folder"),
    ):
        with pytest.raises(VitrifyError, match=said):
            from_options(Settings, changes)
    given = {"seeds": "3,4", "transfer": "none", "reversal": "none", "controls": "none", "ranks": None, "steps": 50}
    chosen = from_options(Settings, given)
    assert (chosen.seeds, chosen.transfer, chosen.reversal, chosen.controls) == ((3, 4), (), (), ("none",))
    assert chosen.md_steps == 50
