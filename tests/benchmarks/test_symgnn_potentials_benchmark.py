"""The measurement of what another potential does to barriers, from end to end on a small structure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.symgnn import potentials as symgnn_potentials
from benchmarks.symgnn.potentials import compare, main, random_alloy
from toy_symgnn import write_toy
from vitrify.data.structures import LabelledStructure
from vitrify.lammps_library.session import potential_file

SHIPPED = "CuZr_mm.eam.fs"


def jittered_alloy() -> LabelledStructure:
    alloy = random_alloy(3, 0.36, 1)
    moved = alloy.positions + np.random.default_rng(1).normal(scale=0.05, size=alloy.positions.shape)
    return LabelledStructure("small", moved, alloy.cell, alloy.types, moved[:, 0])


@pytest.mark.slow
def test_the_whole_measurement_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same potential under two names: rows agree, and a second run finds its structures."""
    monkeypatch.setattr(symgnn_potentials, "MELT_STEPS", 50)
    small, copy = jittered_alloy(), tmp_path / "copy.eam.fs"
    copy.write_bytes(Path(potential_file(SHIPPED)).read_bytes())
    np.savez(
        tmp_path / "small.npz", positions=small.positions, box=np.diag(small.cell), types=small.types + 1,
        barrier=small.labels,
    )  # fmt: skip
    command = ["--data", str(tmp_path), "--glasses", "small", "--potentials", SHIPPED, str(copy), "--cells", "3"]
    command += ["--seeds", "1", "--rate", "1e16", "--work", str(tmp_path / "kept"), "--results", str(tmp_path)]
    command += ["--model", str(write_toy(tmp_path / "toy.symgnn.pt"))]
    assert main(command) == 0
    found = json.loads((tmp_path / "potentials.json").read_text())
    given, kept, free, *others = found["relaxed"]
    assert (given["pearson"], given["shift"], given["rms"]) == (pytest.approx(1), 0, 0)
    assert kept["density"] == pytest.approx(0) and abs(free["density"]) > 0.5
    assert kept["before"] == free["before"] and abs(kept["after"]) > 1 and abs(free["after"]) < 0.1
    assert [row["rms"] for row in others] == [kept["rms"], free["rms"]] and kept["rms"] > 0
    assert [row["relaxed with"] for row in found["quenched"]] == [SHIPPED, copy.name, SHIPPED]
    assert {round(row["mean"], 2) for row in found["quenched"]} == {round(found["quenched"][0]["mean"], 2)}
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    page = (tmp_path / "potentials.md").read_text()
    assert page.count(f"| {SHIPPED} |") == 6 and str(tmp_path) not in page
    assert main(command) == 0 and (tmp_path / "potentials.md").read_text() == page
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} == files
    with pytest.raises(SystemExit):
        main([*command, "--potentials", "none.eam.fs"])
    assert "there is no file none.eam.fs" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"absent\.npz"):
        main([*command, "--glasses", "absent"])


def test_displacements_leave_out_the_box_and_its_images() -> None:
    small = jittered_alloy()
    shifts = np.random.default_rng(2).integers(-1, 2, small.positions.shape) @ small.cell
    step = np.where(small.types[:, None] == 1, [0.3, 0, 0], 0.0)
    end = LabelledStructure(
        "end", 1.02 * (small.positions + shifts + 0.7) + step, 1.02 * small.cell, small.types, small.labels
    )
    row = compare(small, end, small.labels, small.labels + 0.25)
    assert row["displacement"] == pytest.approx(step[:, 0].std())
    assert row["density"] == pytest.approx(100 * (1.02**-3 - 1)) and row["shift"] == row["rms"] == pytest.approx(0.25)
