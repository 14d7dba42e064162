"""The comparison with MD: its statistics against known ones, its measurements on the real lmp, its tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import lmp
from benchmarks.glassvae.random_start import main as random_start
from benchmarks.ogn.cases import CASES, fast_verlet, head, start, verlet
from benchmarks.ogn.matching import LIMITS, Observatory, check, checks, energy_error, largest
from benchmarks.ogn.timing import BASE, MATCHED, NATIVE, copies, ratios
from benchmarks.ogn_vs_md import main as ogn_vs_md
from benchmarks.readme_tables import main as readme_tables
from lammps_runner import Configuration
from model_files import export

pytestmark = pytest.mark.slow


def test_noise_explains_the_distance_of_equal_distributions() -> None:
    """For samples of one distribution the mean square of the deviation is that of the noise."""
    rng = np.random.default_rng(1)
    found = [check("g", 0.02, *(1 + 0.1 * rng.normal(size=(2, 6, 40)))) for _ in range(400)]
    ratio = np.mean([c.deviation**2 for c in found]) / np.mean([c.noise**2 for c in found])
    assert ratio == pytest.approx(1, abs=0.06)
    expected = np.sqrt(2 * 0.1**2 / 6)  # variance 0.01 for each of 40 bins of height 1, over 6 samples, twice
    assert np.sqrt(np.mean([c.noise**2 for c in found])) == pytest.approx(expected, rel=0.05)


def test_a_true_difference_is_found_below_the_noise_of_a_bin() -> None:
    rng = np.random.default_rng(2)
    shift = 0.03 * np.sin(np.arange(400))
    a, b = 1 + 0.05 * rng.normal(size=(2, 12, 400))
    found = check("g", 0.02, a + shift, b)
    true = np.linalg.norm(shift) / np.linalg.norm(np.ones(400))
    assert found.beyond == pytest.approx(true, rel=0.1) and found.deviation > found.beyond
    assert not found.passed and check("g", 0.03, a + shift, b).passed


@pytest.mark.parametrize(
    ("good", "wanted"),
    [({1, 2, 3, 5, 8}, 8), ({1, 2, 3, 5}, 5), ({1, 2, 8}, 2), ({1}, 1), (set(), 1), ({1, 2, 3, 5, 8, 13}, 13)],
)
def test_a_step_counts_if_the_next_smaller_one_passes_too(good: set[float], wanted: float) -> None:
    assert largest((1, 2, 3, 5, 8, 13), lambda factor: factor in good) == wanted


def test_loops_are_read_with_their_processor_time(tmp_path: Path) -> None:
    commands = ["lattice fcc 0.8", "region b block 0 4 0 4 0 4", "create_box 1 b", "create_atoms 1 box", "mass 1 1.0"]
    commands += [
        "pair_style lj/cut 2.5",
        "pair_coeff 1 1 1.0 1.0",
        "velocity all create 3.0 1",
        "fix 1 all nve",
        "run 10",
        "run 2000",
    ]
    finished = lmp.run(commands, tmp_path)
    assert [(loop.steps, loop.atoms, loop.ranks) for loop in finished.loops] == [(10, 256, 1), (2000, 256, 1)]
    loop = finished.loops[1]
    assert 0 < loop.core_seconds < 1.1 * loop.seconds and loop.seconds < finished.wall
    assert finished.processor > 0.9 * loop.core_seconds and 2**24 < finished.memory < 2**32
    assert 0 < loop.lists < 1
    assert lmp.run(commands, ranks=2).loops[1].ranks == 2
    with pytest.raises(lmp.LammpsError, match="Unknown command: nonsense"):
        lmp.run(["nonsense"])


@pytest.mark.slow
def test_an_ideal_gas_has_its_known_structure_and_temperature(tmp_path: Path) -> None:
    """Free flight: g(r) = 1 and the temperature of the thermostat, through all of the machinery."""
    case = replace(CASES["kalj"], time=40.0, r_max=2.0, shell=0.25)
    rng, types = np.random.default_rng(3), np.repeat([0, 1], [320, 80])
    gas = Configuration(np.eye(3) * 7.0, 7.0 * rng.random((400, 3)), np.zeros((400, 3)), types, (1.0, 1.0))
    gas.write_data(tmp_path / "gas.data")
    drive = ["pair_style zero 1.0", "pair_coeff * *", "fix integrate all nve"]
    observatory = Observatory(case, tmp_path / "gas.data", tmp_path / "kept")
    found = observatory.observe(drive, 0.05, 5)
    assert found.rdf.shape == (8, 3, 8)
    assert found.rdf.mean(axis=0)[:2] == pytest.approx(np.ones((2, 8)), abs=0.15)
    assert found.temperature.mean(axis=0) == pytest.approx([3.0, 3.0], rel=0.1)
    other = observatory.observe(drive, 0.05, 6)
    lines = {line.name: line for line in checks(replace(case, liquid=False), other, found)}
    assert set(lines) == {"g(r) A-A", "g(r) A-B", "g(r) B-B", "T A", "T B"}
    assert lines["g(r) A-A"].limit == LIMITS["g"] and lines["g(r) A-A"].deviation < 3 * lines["g(r) A-A"].noise
    kept = list((tmp_path / "kept").iterdir())
    again = observatory.observe(drive, 0.05, 5)
    assert again.heat == found.heat and list((tmp_path / "kept").iterdir()) == kept


@pytest.mark.slow
def test_energy_error_of_verlet_is_of_second_order(tmp_path: Path) -> None:
    case = replace(CASES["kalj"], atoms=265)
    data = start(case, tmp_path)
    fine, coarse = (energy_error(case, data, step, 4.0) for step in (0.002, 0.004))
    assert 3 < coarse / fine < 5
    assert energy_error(case, data, 0.1, 4.0) == float("inf")


def test_cells_grow_evenly() -> None:
    assert copies(1000, 1000) == (1, 1, 1)
    assert copies(1000, 10_000) == (3, 2, 2)
    assert copies(1000, 1_000_000) == (10, 10, 10)


def test_ratios_are_between_neighbours_in_time() -> None:
    row = {"core_seconds_per_time": {BASE: [1.0, 10.0, 4.0], NATIVE: [1.0, 5.0, 1.0], MATCHED: []}}
    assert ratios(row, BASE, NATIVE) == (2.0, 1.0, 4.0)
    assert ratios(row, MATCHED, NATIVE) is None


@pytest.mark.slow
def test_the_whole_comparison_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smoke run with an untrained model, which must not match, and is timed all the same."""
    (tmp_path / "models").mkdir()
    export(tmp_path / "models" / "kalj.ogn.pt", masses=(1.0, 1.0))
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(tmp_path / "models"))
    assert ogn_vs_md(["--quick", "--work", str(tmp_path)]) == 0
    results = tmp_path / "quick"
    match = json.loads((results / "match" / "kalj.json").read_text())
    assert match["matched_step"] == 0.005 and not match["ogn"]["passed"] and match["ogn"]["model"] == "kalj.ogn.pt"
    timing = json.loads((results / "results.json").read_text())["timing"]
    assert [row["atoms"] for row in timing] == [265, 530]
    for row in timing:
        assert set(row["core_seconds_per_time"]) >= {BASE, NATIVE}
        assert all(value > 0 for values in row["core_seconds_per_time"].values() for value in values)
    assert "| kalj | 265 | 1 |" in (results / "table.md").read_text()
    assert (results / "speed.png").stat().st_size > 10_000


def test_tables_of_the_readme_follow_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results" / "ogn_vs_md"
    (results / "match").mkdir(parents=True)
    (results / "match" / "si.json").write_text(json.dumps({"ogn": {"passed": True}}))
    row = {"system": "si", "ranks": 1, "atoms": 1000}
    row["core_seconds_per_time"] = {BASE: [2.0], MATCHED: [0.5], NATIVE: [0.125]}
    methods = [{"name": BASE, "timestep": 0.001}, {"name": MATCHED, "timestep": 0.004}]
    methods.append({"name": NATIVE, "timestep": 0.02})
    (results / "results.json").write_text(json.dumps({"methods": {"si": methods}, "timing": [row]}))
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- table: speed -->\nold\n<!-- end -->\nafter\n")
    place = ["--readme", str(readme), "--results", str(tmp_path / "results")]
    assert readme_tables([*place, "--check"]) == 1 and "old" in readme.read_text()
    assert readme_tables(place) == 0 and readme_tables([*place, "--check"]) == 0
    text = readme.read_text()
    assert text.startswith("before\n<!-- table: speed -->\n| system") and text.endswith("|\n<!-- end -->\nafter\n")
    # 2 s of a core for each ps are 2 us for each atom and fs; 20 fs of the model cost 2.5 us
    assert "| 2 | 4 fs | 2.5 | 20 fs | 16 (16 to 16) | **4 (4 to 4)** | yes |" in text
    readme.write_text("<!-- table: nonsense -->\n<!-- end -->\n")
    with pytest.raises(SystemExit, match="nonsense"):
        readme_tables(place)


def test_the_readme_is_up_to_date() -> None:
    assert readme_tables(["--check"]) == 0, "run python -m benchmarks.readme_tables"


@pytest.mark.slow
def test_tables_of_silica_give_the_forces_of_its_formulas(tmp_path: Path) -> None:
    case, data = replace(CASES["sio2"], atoms=363), tmp_path / "start.data"
    system, n = case.system, case.atoms
    rng = np.random.default_rng(4)
    sites = np.stack(np.meshgrid(*[np.arange(8)] * 3), -1).reshape(-1, 3)[rng.permutation(512)[:n]]
    rows = zip(system.types, 2.2 * sites + 0.3 * rng.random((n, 3)), strict=True)
    box = "".join(f"0.0 {system.box} {x}lo {x}hi\n" for x in "xyz")
    masses = "".join(f"{k} {mass}\n" for k, mass in enumerate(system.masses, 1))
    atoms = "".join(f"{i} {t + 1} {system.charges[t]} {x} {y} {z}\n" for i, (t, (x, y, z)) in enumerate(rows, 1))
    data.write_text(f"silica\n\n{n} atoms\n2 atom types\n{box}\nMasses\n\n{masses}\nAtoms # charge\n\n{atoms}")
    forces = []
    for name, drive in (("formulas", verlet(system)), ("tables", fast_verlet(case, data))):
        dump = ["dump 1 all custom 1 dump id fx fy fz", "dump_modify 1 sort id format float %.12g", "run 0"]
        lmp.run([*head(system, data), *drive, *dump], tmp_path / name)
        forces.append(np.loadtxt(tmp_path / name / "dump", skiprows=9)[:, 1:])
    assert np.abs(forces[0] - forces[1]).max() < 1e-3 * np.sqrt(np.mean(forces[0] ** 2))


@pytest.mark.slow
def test_random_starts_become_liquids(tmp_path: Path) -> None:
    """Energy within 2% of the potential that the model was trained on, and no pair that has fallen together."""
    options = ["--atoms", "256", "--time", "3", "--results", str(tmp_path)]
    assert random_start(["Cu50Zr50.glassvae.pt", *options]) == 0
    by_chance, found = json.loads((tmp_path / "random_start.json").read_text())["rows"]
    assert abs(found["difference"]) < 0.02 * abs(found["energy"]) and abs(found["difference"]) < 0.03
    assert found["rdf"] < by_chance["rdf"] + 0.02
    assert found["closest"] > 1.7
    assert "| 256 | glassvae |" in (tmp_path / "random_start.md").read_text()
