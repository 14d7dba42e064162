"""Campaigns of saddle searches: the same searches whatever happens to them, and one clear error for bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from child_processes import wait_until
from lj_glass import POTENTIAL, lj_glass, save
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.data.label_files import LabelFile
from vitrify.datagen.barriers.artn import ARTnSettings
from vitrify.datagen.barriers.campaign import (
    Campaign,
    Searcher,
    chosen_atoms,
    find_barriers,
    parse_settings,
    species_of,
)
from vitrify.datagen.barriers.local_sampling import SamplingSettings
from vitrify.datagen.barriers.summary import summary

SETTINGS = ARTnSettings.for_units("lj")


@pytest.fixture(scope="module")
def structure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(lj_glass(60, seed=3), tmp_path_factory.mktemp("glass") / "glass.npz")


def arguments(structure: Path, out: Path, *more: str) -> list[str]:
    return [
        "artn", str(structure), "--potential", POTENTIAL, "--species", "A,B", "--units", "lj", "--radius", "1.8",
        "--out", str(out), *more,
    ]  # fmt: skip


def contents(path: Path) -> dict[str, np.ndarray]:
    """Everything in a label file but the times that searches took."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    del found["searches/seconds"]
    return found


def assert_same(one: Path, other: Path) -> None:
    a, b = contents(one), contents(other)
    assert a.keys() == b.keys()
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)


@pytest.fixture(scope="module")
def undisturbed(structure: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 searches, 10 of 20 atoms, with one worker."""
    out = tmp_path_factory.mktemp("undisturbed") / "labels.h5"
    return find_barriers(
        structure, out, potential=POTENTIAL, ids="1:20", searches=10, species=("A", "B"), units="lj", radius=1.8,
        workers=1, progress=False,
    )  # fmt: skip


@pytest.mark.slow
def test_searches_find_saddles_and_say_what_became_of_the_others(undisturbed: Path) -> None:
    with LabelFile(undisturbed) as file:
        searches, labels, header = file.searches(), file.labels(), file.header
    assert len(searches) == 200
    accepted = [s for s in searches if s.outcome == "accepted"]
    assert len(accepted) > 60
    for s in accepted:
        assert s.barrier > 0.0 and s.barrier >= s.energy_change > -50.0 and s.curvature < 0.0
        assert 1.0 <= s.participation_ratio <= 60.0
        assert s.saddle_distance > 0.0 and s.minimum_distance > SETTINGS.home
        assert s.saddle.shape == s.minimum.shape == (len(s.moved), 3)
    known = {"accepted", "not activated", "no saddle", "not connected", "same minimum", "not relaxed", "not finite"}
    assert {s.outcome for s in searches} <= known
    one = [s.barrier for s in accepted if s.atom == 4]
    assert labels["barrier"][4] == pytest.approx(np.mean(one))
    assert np.isnan(labels["barrier"][20:]).all()
    assert header["seed"] == 1 and header["settings"]["push"] == SETTINGS.push
    text = summary(undisturbed)
    assert "200 of 20 atoms" in text and f"{len(accepted)} (" in text and "epsilon" in text


@pytest.mark.slow
def test_a_search_does_not_depend_on_those_before_it(undisturbed: Path) -> None:
    campaign = Campaign(lj_glass(60, seed=3), SETTINGS, 1.8, 1)
    with LabelFile(undisturbed) as file:
        known = {s.key: s for s in file.searches()}
    # (read from a file, the structure has the same bits)
    searcher = Searcher(campaign)
    for task in [(7, 3), (2, 1), (7, 2), (19, 9)]:
        found, wanted = searcher(task), known[task]
        assert (found.outcome, found.force_calls) == (wanted.outcome, wanted.force_calls)
        np.testing.assert_array_equal([found.barrier, found.curvature], [wanted.barrier, wanted.curvature])
        np.testing.assert_array_equal(found.saddle, wanted.saddle)


@pytest.mark.slow
def test_a_killed_campaign_ends_with_the_same_set(structure: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.h5"
    journal = tmp_path / "labels.h5.part"
    command = [sys.executable, "-m", "vitrify.cli", *arguments(structure, out, "--ids", "1:20", "--searches", "10")]
    rng = np.random.default_rng(time.time_ns())
    seen = 0
    for workers in ("2", "1"):
        process = subprocess.Popen([*command, "--workers", workers], stderr=subprocess.DEVNULL, start_new_session=True)
        enough = seen + int(rng.integers(5, 60))
        wait_until(
            lambda p=process, n=enough: (
                p.poll() is not None or (journal.exists() and journal.read_bytes().count(b"\n") > n)
            )
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not out.exists()
        seen = journal.read_bytes().count(b"\n") - 1
        assert 0 < seen < 200
    finished = subprocess.run([*command, "--workers", "2"], capture_output=True, text=True, check=True)
    assert f"{seen}/200" not in finished.stdout and "200 of 20 atoms" in finished.stdout
    assert not journal.exists() and out.with_suffix(".png").exists()
    assert_same(out, undisturbed)


@pytest.mark.slow
def test_a_dask_cluster_finds_the_same(structure: Path, undisturbed: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        out = find_barriers(
            structure, tmp_path / "labels.h5", potential=POTENTIAL, ids="1:4", searches=10, species=("A", "B"),
            units="lj", radius=1.8, scheduler=cluster.scheduler_address, progress=False,
        )  # fmt: skip
    with LabelFile(out) as file, LabelFile(undisturbed) as known:
        for found, wanted in zip(file.searches(), known.searches(), strict=False):
            assert found.key == wanted.key and found.outcome == wanted.outcome
            np.testing.assert_array_equal(found.saddle, wanted.saddle)
        assert len(file) == 40


@pytest.mark.slow
def test_more_atoms_and_searches_extend_a_campaign(structure: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.h5"
    for ids, searches in (("1:2", 3), ("1:2", 10), ("1:20", 2)):
        result = CliRunner().invoke(app, arguments(structure, out, "--ids", ids, "--searches", str(searches)))
        assert result.exit_code == 0, result.output
    with LabelFile(out) as file, LabelFile(undisturbed) as known:
        wanted = {s.key: s for s in known.searches()}
        found = file.searches()
    assert len(found) == 2 * 10 + 18 * 2
    assert all(s.barrier == wanted[s.key].barrier for s in found if s.outcome == "accepted")


def test_local_sampling_reaches_other_minima(structure: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.h5"
    hot = ["--method", "local-sampling", "--set", "steps=300", "--set", "temperature=3"]
    result = CliRunner().invoke(app, arguments(structure, out, "--ids", "1:4", "--searches", "5", *hot))
    assert result.exit_code == 0, result.output
    with LabelFile(out) as file:
        searches = file.searches()
    accepted = [s for s in searches if s.outcome == "accepted"]
    assert accepted and {s.outcome for s in searches} <= {"accepted", "no transition"}
    assert all(s.barrier >= max(s.energy_change, 0.0) for s in accepted)
    assert SamplingSettings.for_units("lj", steps=300).steps == 300


@pytest.mark.parametrize(("changes", "message"), [
    (["--ids", "61"], "structure has 1 to 60"),
    (["--ids", ""], "give ids and ranges"),
    (["--ids", "5:2"], "select no atom"),
    ([], "either --ids"),
    (["--ids", "1", "--number", "2"], "either --ids"),
    (["--number", "0"], "draw 1 to 60"),
    (["--ids", "1", "--searches", "0"], "at least 1"),
    (["--ids", "1", "--method", "nart"], "did you mean 'artn'"),
    (["--ids", "1", "--set", "force_tolerence=1"], "did you mean 'force_tolerance'"),
    (["--ids", "1", "--set", "push=-1"], "give a positive float"),
    (["--ids", "1", "--species", "A"], "1 species are named"),
    (["--ids", "1", "--units", "real"], "use lj or metal"),
    (["--ids", "1", "--potential", "pair_coeff 1 1"], "no pair_style"),
    (["--ids", "1", "--potential", "pair_style lj/kut 2.5"], "Unrecognized pair style 'lj/kut'"),
    (["--ids", "1", "--potential", "pair_style lj/cut 2.5; pair_coeff * * 1.0 0.8"], "not at an energy minimum"),
])  # fmt: skip
def test_bad_input_is_one_clear_error(structure: Path, tmp_path: Path, changes: list[str], message: str) -> None:
    out = tmp_path / "labels.h5"
    result = CliRunner().invoke(app, arguments(structure, out, *changes))
    assert result.exit_code == 1 and message in result.output, result.output
    assert result.output.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_potential_that_returns_no_numbers(tmp_path: Path) -> None:
    glass = lj_glass(60, seed=3)
    twice = np.concatenate([glass.positions[:1], glass.positions[:-1]])
    np.savez(tmp_path / "glass.npz", positions=twice, cell=glass.cell, types=glass.types + 1)
    result = CliRunner().invoke(app, arguments(tmp_path / "glass.npz", tmp_path / "labels.h5", "--ids", "1"))
    assert result.exit_code == 1 and "no numbers" in result.output and result.output.count("\n") == 1


def test_a_structure_off_its_minimum_can_be_minimised(tmp_path: Path) -> None:
    glass = lj_glass(60, seed=3)
    shaken = glass.positions + 0.003 * np.random.default_rng(1).normal(size=(60, 3))
    np.savez(tmp_path / "glass.npz", positions=shaken, cell=glass.cell, types=glass.types + 1)
    asked = arguments(tmp_path / "glass.npz", tmp_path / "labels.h5", "--ids", "1", "--searches", "2")
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1 and "--minimize" in refused.output
    result = CliRunner().invoke(app, [*asked, "--minimize"])
    assert result.exit_code == 0, result.output
    with LabelFile(tmp_path / "labels.h5") as file:
        np.testing.assert_allclose(file.structure.positions, glass.positions, atol=0.02)


def test_other_settings_are_refused_for_a_file_that_is_there(structure: Path, tmp_path: Path) -> None:
    asked = arguments(structure, tmp_path / "labels.h5", "--ids", "1", "--searches", "1")
    assert CliRunner().invoke(app, asked).exit_code == 0
    refused = CliRunner().invoke(app, [*asked, "--set", "push=0.1", "--seed", "2"])
    assert refused.exit_code == 1 and "settings.push" in refused.output and "seed" in refused.output


def test_atoms_are_chosen_as_lammps_does() -> None:
    assert chosen_atoms("1:3, 7 9:13:2", None, 20, 1) == [0, 1, 2, 6, 8, 10, 12]
    assert chosen_atoms("all", None, 3, 1) == [0, 1, 2]
    drawn = chosen_atoms(None, 5, 20, 1)
    assert len(set(drawn)) == 5 and drawn == sorted(drawn) == chosen_atoms(None, 5, 20, 1)
    assert drawn != chosen_atoms(None, 5, 20, 2)


def test_species_and_settings_from_texts() -> None:
    assert species_of(["pair_style eam/fs", "pair_coeff * * Cu-Zr_2.eam.fs Cu Zr"]) == ["Cu", "Zr"]
    with pytest.raises(VitrifyError, match="--species"):
        species_of(["pair_style lj/cut 2.5", "pair_coeff * * 1.0 1.0"])
    assert parse_settings("artn", ["most_pushes=5", "push=0.3"]) == {"most_pushes": 5, "push": 0.3}
