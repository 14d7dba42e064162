"""The benchmarks of saddle searches: their statistics against known ones, a dimer beside a search, their pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.artn.cost import RESULTS, dimer, measure
from benchmarks.artn.cost import main as artn_cost
from benchmarks.artn.labels import compare, correlation
from lj_glass import POTENTIAL, lj_glass, save
from vitrify.data.label_files import LabelFile
from vitrify.datagen.barriers.artn import ARTnSettings, search
from vitrify.datagen.barriers.campaign import find_barriers
from vitrify.datagen.barriers.region import Boxes


def test_the_interval_of_a_correlation_holds_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(100):
        a = rng.normal(size=60)
        b = 0.6 * a + 0.8 * rng.normal(size=60)
        r, low, high = correlation(a, b, draws=300)
        assert low < r < high
        inside += low < 0.6 < high
    assert 85 <= inside <= 99


@pytest.mark.slow
def test_searches_and_dimers_from_the_same_starts() -> None:
    boxes, settings = Boxes(lj_glass(60, seed=3), 1.8, 0.1), ARTnSettings.for_units("lj")
    ours, dimers = (measure(boxes, way, settings, [0, 7], 4) for way in (search, dimer))
    for found in (ours, dimers):
        assert found["searches"] == 8 == sum(found["outcomes"].values())
        assert found["shared_calls"] >= 0.5 * found["median_calls"] > 0
    boxes.close()


@pytest.mark.slow
def test_our_labels_are_compared_for_the_atoms_that_have_some(tmp_path: Path) -> None:
    out = find_barriers(
        save(lj_glass(60, seed=3), tmp_path / "glass.npz"), tmp_path / "labels.h5", potential=POTENTIAL, ids="1:6",
        searches=6, species=("A", "B"), units="lj", radius=1.8, progress=False,
    )  # fmt: skip
    with LabelFile(out) as file:
        labels = file.labels()
    found = compare(out, np.where(np.isfinite(labels["barrier"]), 2.0 * labels["barrier"] + 1.0, 1.0))
    assert found["pearson"] == pytest.approx(1.0) and found["atoms"] == (labels["accepted"] >= 2).sum()
    assert found["searches"] == 36 and found["accepted"] == labels["accepted"].sum()


def test_the_page_of_costs_is_that_of_its_numbers(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "cost.json", tmp_path)
    assert artn_cost(["--report", "--results", str(tmp_path)]) == 0
    assert (tmp_path / "cost.md").read_text() == (RESULTS / "cost.md").read_text()
    found = json.loads((tmp_path / "cost.json").read_text())["searches"]
    ours, others = found["`vitrify artn`"], found["ASE's dimer"]
    assert ours["median_calls"] < others["median_calls"] and ours["shared_calls"] < others["shared_calls"]
