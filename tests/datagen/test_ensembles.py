"""Ensembles of samples: the same file for any workers, resumed after a kill, extended, refused, and what they hold."""

from __future__ import annotations

import gzip
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.spacegroup import crystal
from typer.testing import CliRunner

from child_processes import wait_until
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.datagen.structures import campaign as ensembles
from vitrify.datagen.structures.campaign import Sample, SampleSimulator, make_ensemble, make_recipe
from vitrify.datagen.structures.elastic import relaxed
from vitrify.datagen.structures.recipes import RECIPES, Aluminosilicate, Silica, SiliconLiquid

pytestmark = pytest.mark.slow

TINY: dict[str, Any] = {"atoms": 24, "rate": 2e16, "melt_time": 0.1, "hold": 0.1, "every": 0.02, "frames": 2}
runner = CliRunner()


def tiny(out: Path, count: int = 3, **options: Any) -> Path:
    return make_ensemble("si-glass", out, count=count, progress=False, **{"workers": 1, **TINY, **options})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("ensembles") / "glass.extxyz.gz")


def test_the_file_does_not_depend_on_the_workers(made: Path, tmp_path: Path) -> None:
    again = tiny(tmp_path / "again.extxyz.gz", workers=2)
    assert again.read_bytes() == made.read_bytes()
    assert tiny(tmp_path / "other.extxyz.gz", seed=2).read_bytes() != made.read_bytes()


def test_frames_hold_the_sample_and_its_properties_and_the_recipe_stands_beside(made: Path) -> None:
    frames = ase.io.read(made, ":")
    assert [atoms.info["sample"] for atoms in frames] == [0, 0, 1, 1, 2, 2]
    assert all(len(atoms) == 24 and atoms.pbc.all() and set(atoms.symbols) == {"Si"} for atoms in frames)
    assert all(atoms.info["log10_cooling_rate"] == pytest.approx(np.log10(2e16)) for atoms in frames)
    assert len({atoms.info["inherent_energy"] for atoms in frames}) == 3
    assert not np.allclose(frames[0].positions, frames[1].positions)
    recipe = json.loads(made.with_name("glass.extxyz.gz.json").read_text())
    assert recipe["system"] == "si-glass" and recipe["seed"] == 1 and recipe["count"] == 3 and recipe["frames"] == 6
    assert recipe["settings"]["rate"] == 2e16 and recipe["settings"]["timestep"] == 0.002
    assert recipe["property_units"] == {"log10_cooling_rate": "log10(K/s)", "inherent_energy": "eV/atom"}
    assert recipe["cpu_seconds_per_sample"] > 0 and set(recipe["versions"]) == {"vitrify", "lammps"}
    assert not made.with_name("glass.extxyz.gz.part").exists()


def test_the_inherent_energy_is_that_of_a_minimum_near_the_last_frame(made: Path) -> None:
    last = ase.io.read(made, "1")
    energy = relaxed(last, RECIPES["si-glass"].commands, ["Si"], relax_cell=False)[1]
    assert last.info["inherent_energy"] == pytest.approx(energy, abs=2e-3)


def test_a_larger_count_goes_on_and_keeps_what_is_there(made: Path, tmp_path: Path) -> None:
    path = tiny(tmp_path / "few.extxyz", count=1)
    before = path.read_text()
    assert tiny(path, count=3) == path
    assert path.read_text().startswith(before)
    assert [a.info["sample"] for a in ase.io.read(path, ":")] == [0, 0, 1, 1, 2, 2]
    assert path.read_text() == gzip.decompress(made.read_bytes()).decode()


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out, options, count = tmp_path / "glass.extxyz.gz", [], 12
    for name, value in TINY.items():
        options += ["--set", f"{name}={value}"]
    command = [sys.executable, "-m", "vitrify.cli", "data", "structures", "si-glass", "--count", f"{count}", *options]
    run = subprocess.Popen([*command, "--workers", "1", "--out", str(out)], stderr=subprocess.DEVNULL)
    journal = tmp_path / "glass.extxyz.gz.part"
    wait_until(lambda: run.poll() is not None or (journal.exists() and journal.read_bytes().count(b"\n") >= 4))
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists()
    kept = [json.loads(line) for line in journal.read_bytes().rpartition(b"\n")[0].splitlines()[1:]]
    assert 3 <= len(kept) < count
    with journal.open("ab") as file:
        file.write(b'{"index": 11, "te')  # what a kill may leave
    done = gzip.decompress(tiny(out, count=count).read_bytes()).decode()
    sampler = SampleSimulator((make_recipe("si-glass", TINY), 1))
    assert done == "".join(sampler(index).text for index in range(count))
    seconds = {s["index"]: s["cpu_seconds"] for s in json.loads(Path(f"{out}.json").read_text())["samples"]}
    assert len(seconds) == count
    assert all(seconds[sample["index"]] == sample["cpu_seconds"] for sample in kept)


def test_files_of_other_settings_and_files_without_a_recipe_are_kept(made: Path, tmp_path: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(VitrifyError, match=r"other settings \(rate 2e\+16, not 1e\+16; seed 1, not 3\)"):
        tiny(made, rate=1e16, seed=3)
    assert made.read_bytes() == before
    stranger = tmp_path / "mine.extxyz"
    stranger.write_text("0\n\n")
    with pytest.raises(VitrifyError, match=r"its recipe mine\.extxyz\.json is not"):
        tiny(stranger)


def test_samples_that_fail_are_left_out_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = SampleSimulator((make_recipe("si-glass", TINY), 1))

    def half(make: Any, setup: Any, tasks: Any, *, record: Any, **_: Any) -> None:
        for index in tasks:
            record(index, sampler(index) if index != 1 else Sample(1, "", 0.1, 0.0, "the cell keeps a stress"))

    monkeypatch.setattr(ensembles, "run_tasks", half)
    path = tiny(tmp_path / "some.extxyz")
    assert [atoms.info["sample"] for atoms in ase.io.read(path, ":")] == [0, 0, 2, 2]
    samples = json.loads(Path(f"{path}.json").read_text())["samples"]
    assert [sample["failure"] for sample in samples] == [None, "the cell keeps a stress", None]


def test_a_simulation_that_blows_up_is_one_failure_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="no sample of si-glass has come to its end; the first: LAMMPS refused"):
        tiny(tmp_path / "bad.extxyz", count=1, timestep=0.1, melt_time=20.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["si-glas"], "system 'si-glas' is unknown (did you mean 'si-glass'?): use si-liquid, si-glass, sio2, meg"),
        (["si-glass", "--count", "0"], "count is 0, but must be at least 1"),
        (["si-glass", "--rate", "0"], "rate is 0, but must be above 0"),
        (["si-liquid", "--rate", "1e13"], "si-liquid has no setting 'rate'"),
        (["si-glass", "--set", "hod=2"], "no setting 'hod' (did you mean 'hold'?)"),
        (["si-glass", "--set", "hold"], "--set 'hold': wanted NAME=VALUE, as in melt_time=20"),
        (["si-glass", "--set", "frames=1.5"], "frames is 1.5, but must be a whole number"),
        (["sio2", "--set", "least_pressure=11"], "least_pressure 11 and most_pressure 10 GPa must rise"),
        (["sio2", "--set", "largest=70"], "no multiple of 3 lies between smallest 80 and largest 70"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = runner.invoke(app, ["data", "structures", *arguments, "--out", str(tmp_path / "x.extxyz")])
    assert result.exit_code == 1 and message in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match=r"ends with \.extxyz"):
        tiny(tmp_path / "x.data")


def test_liquid_silicon_has_the_density_of_its_potential() -> None:
    recipe = SiliconLiquid(atoms=64, equilibration=3.0, frames=40, every=0.1)
    _, frames = recipe.simulate(np.random.default_rng(3))
    density = np.mean([len(atoms) / atoms.get_volume() for atoms in frames])
    assert density == pytest.approx(0.0518, rel=0.03)  # atoms per A^3, of long runs with half the time step


def test_silica_is_stoichiometric_and_has_its_properties() -> None:
    recipe = Silica(smallest=35, largest=49, melt_time=0.5, hold=0.2)
    samples = [SampleSimulator((recipe, 4))(index) for index in range(3)]
    good = [sample for sample in samples if sample.failure is None]
    assert good, [sample.failure for sample in samples]
    for sample in good:
        atoms = ase.io.read(io.StringIO(sample.text), format="extxyz")
        symbols = list(atoms.symbols)
        assert len(symbols) in (36, 39, 42, 45, 48) and 2 * symbols.count("Si") == symbols.count("O")
        assert 0 < atoms.info["shear_modulus"] < 60 and 2 < atoms.info["ring_size"] < 12
        assert -6.6 < atoms.info["inherent_energy"] < -5.0  # eV/atom; cristobalite has less than -6.5


def test_silica_of_a_compressed_melt_stays_denser() -> None:
    def density(pressure: float) -> float:
        recipe = Silica(72, 74, melt_time=1.0, hold=0.2, least_pressure=pressure, most_pressure=pressure)
        _, frames = recipe.simulate(np.random.default_rng(5))
        return len(frames[-1]) / frames[-1].get_volume()

    assert density(10.0) > 1.15 * density(0.0)


def test_compositions_of_aluminosilicates_are_neutral_and_as_wide_as_they_should_be() -> None:
    recipe = Aluminosilicate()
    rng = np.random.default_rng(1)
    counts = np.array([recipe.counts(rng) for _ in range(300)])
    assert np.abs(counts @ Aluminosilicate.charges).max() < 1e-9
    assert counts.sum(1).min() >= 80 and counts.sum(1).max() <= 100
    lithium, aluminium = counts[:, 2] / 2, counts[:, 1] / 2
    shares = np.stack([lithium, aluminium]) / (counts[:, 0] + lithium + aluminium)
    assert shares.sum(0).max() < 0.5 and shares.max() > 0.37 and shares.min() == 0.0


# Crystals as measured at room temperature: space group, cell (A, degrees), sites; and how far the volume of the
# potential may be from the measured one.
CRYSTALS: dict[str, tuple[int, list[float], dict[str, tuple[float, float, float]], float]] = {
    "quartz": (
        154, [4.9137, 4.9137, 5.4047, 90, 90, 120], {"Si": (0.4697, 0, 2 / 3), "O": (0.4135, 0.2669, 0.7858)}, 0.02,
    ),
    "cristobalite": (
        92, [4.9717, 4.9717, 6.9223, 90, 90, 90], {"Si": (0.3003, 0.3003, 0), "O": (0.2392, 0.1044, 0.1787)}, 0.03,
    ),
    "corundum": (167, [4.7589, 4.7589, 12.991, 90, 90, 120], {"Al": (0, 0, 0.3522), "O": (0.3062, 0, 0.25)}, 0.07),
    "lithium oxide": (225, [4.619, 4.619, 4.619, 90, 90, 90], {"Li": (0.25, 0.25, 0.25), "O": (0, 0, 0)}, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", CRYSTALS)
def test_crystals_have_their_volume_with_the_potential_of_the_aluminosilicates(name: str) -> None:
    group, cell, sites, tolerance = CRYSTALS[name]
    unit = crystal(list(sites), list(sites.values()), spacegroup=group, cellpar=cell)
    atoms = unit.repeat((2, 2, 1 if name == "corundum" else 2))
    still, energy = relaxed(atoms, Aluminosilicate.commands, Aluminosilicate.species, Aluminosilicate.charges)
    assert still.get_volume() == pytest.approx(atoms.get_volume(), rel=tolerance)
    np.testing.assert_allclose(still.cell.angles(), atoms.cell.angles(), atol=0.1)
    assert energy < -4.0
