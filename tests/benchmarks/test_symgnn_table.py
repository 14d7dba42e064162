"""The table of SymGNN variants on small glasses: the same command as for the real ones, reduced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.symgnn import table as symgnn_table
from labelled_glass import glass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    for k in range(3):
        glass(folder / f"sample{k}.npz", seed=k, n=150)
    rows = [f"{n} {r:.8f} {(8 - r) ** 4 / 2000:.10f} 0.0" for n, r in enumerate(np.linspace(1.0, 8.0, 400), 1)]
    sections = [f"{pair}\nN 400\n\n" + "\n".join(rows) for pair in ("Cu-Cu", "Cu-Zr", "Zr-Zr")]
    (folder / "psi.table").write_text("\n\n".join(sections))
    return folder


def test_variants_are_trained_scored_and_listed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = {name: (*row[:2], min(row[2], 6)) for name, row in symgnn_table.VARIANTS.items()}
    monkeypatch.setattr(symgnn_table, "VARIANTS", shorter)
    command = [
        "barriers", "--data", str(data), "--potential", str(data / "psi.table"), "--variants", "exact", "schnet",
        "--folds", "2", "--seeds", "1", "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results"),
    ]  # fmt: skip
    assert symgnn_table.main(command) == 0
    for name in ("exact", "schnet"):
        (seed,) = json.loads((tmp_path / "results" / f"barriers-{name}.json").read_text())["seeds"]
        assert set(seed["without"]) == {"sample1", "sample2"} and seed["steps"] == [6, 6]
    table = (tmp_path / "results" / "table.md").read_text()
    assert "| exact | 2 | 1 |" in table and "| schnet | 2 | 1 |" in table
    assert "Stated standard deviations of `exact`" in table
    before = (tmp_path / "work" / "barriers" / "exact" / "fold1-seed1" / "predictions.npz").stat().st_mtime_ns
    assert symgnn_table.main(command) == 0  # what is there is not made again
    assert (tmp_path / "work" / "barriers" / "exact" / "fold1-seed1" / "predictions.npz").stat().st_mtime_ns == before


def test_calibration_of_errors_that_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    stated = rng.uniform(0.1, 1.0, 20_000)
    found = symgnn_table.calibration(stated * rng.standard_normal(20_000), stated)
    assert found["rms_over_stated"] == pytest.approx(1, abs=0.03)
    assert found["within_one"] == pytest.approx(0.683, abs=0.02)
    assert found["within_two"] == pytest.approx(0.954, abs=0.01)
    assert found["rank_correlation"] > 0.4
