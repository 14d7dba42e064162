"""The comparison of network shapes: what a shape means, its bars, and the whole of it in small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import benchmarks.ogn_shapes as command
from benchmarks.ogn import shape_report
from benchmarks.ogn.shape_runs import over_bars
from benchmarks.ogn.shapes import TARGETS, TEST, TRAIN, VALIDATION, Part, Shape, Target
from vitrify.models import parse_model_config


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_every_shape_is_a_network_that_its_data_serve(target: Target) -> None:
    names = [shape.name for shape in target.shapes]
    assert len(set(names)) == len(names) and names[0] == "shipped"
    assert target.network(Shape()) == target.config()["model"]
    for shape in target.shapes:
        parse_model_config("ogn", target.network(shape))
        assert target.stride(shape) % target.every == 0
    used = [(part.state, part.temperature, part.seed) for part in target.parts]
    assert len(set(used)) == len(used), "two parts hold the same trajectories"
    assert {part.use for part in target.parts} == {TRAIN, VALIDATION, TEST}


def test_a_longer_stride_widens_what_an_atom_sees_in_proportion() -> None:
    found = TARGETS["cuzr"].network(Shape(80, {"inner": 4.6}))
    shipped = TARGETS["cuzr"].config()["model"]
    assert (found["reach"], found["cutoff"], found["inner"]) == pytest.approx((0.8, 8.0, 5.0))
    # The filters, which end at cutoff - reach, keep their range.
    assert found["cutoff"] - found["reach"] == pytest.approx(shipped["cutoff"] - shipped["reach"])
    assert "inner" not in TARGETS["si"].network(Shape(40))


def test_a_potential_outside_the_wheel_must_be_given(tmp_path: Path) -> None:
    target = TARGETS["cuzr-2009"]
    assert target.located(None) is None and TARGETS["si"].located(None) is TARGETS["si"]
    located = target.located(tmp_path / "Cu-Zr_2.eam.fs")
    assert located and str(tmp_path / "Cu-Zr_2.eam.fs") in located.system("cuzr").commands[1]


def test_errors_are_counted_in_bars() -> None:
    """A quarter of Verlet's position error; a fifth of its velocity error, or 0.25 where it has lost the velocities."""
    model = {"x_rmse": 0.02, "v_rmse": 0.3, "v_rmse_over_v_std": 0.1, "lost": 0}
    verlet = {"x_rmse": 0.04, "v_rmse": 1.5, "v_rmse_over_v_std": 0.5, "lost": 0}
    assert over_bars(model, verlet) == pytest.approx({"dr_over_bar": 2.0, "dv_over_bar": 1.0})
    lost = {**verlet, "v_rmse_over_v_std": 1.3}
    assert over_bars(model, lost) == pytest.approx({"dr_over_bar": 2.0, "dv_over_bar": 0.4})


def row(shape: Shape, error: float, us: float, stride: int) -> dict[str, Any]:
    errors = {"dr": 0.01, "dv_over_v_std": 0.1, "lost": 0, "dr_over_bar": error, "dv_over_bar": 0.1}
    timing = {"us": us, "us_per_time": us / stride, "atoms": 8, "instructions": "avx2"}
    return {"system": "cuzr", "shape": shape.name, "stride": stride, "budget_cpu_s": 9.0, "steps": 5,
            "errors": {"cuzr": {**errors, "dr_over_bar": 0.2}, "cuzr-glass": errors}, "timing": timing}  # fmt: skip


def test_the_best_shape_is_the_cheapest_within_the_bars_of_all_states(tmp_path: Path) -> None:
    rows = [row(Shape(), 0.5, 8.0, 40), row(Shape(60), 0.9, 9.0, 60), row(Shape(80), 1.1, 10.0, 80)]
    text = shape_report.best(rows)
    assert text.startswith("**cuzr: 60 steps**, 0.15 us for each fs and atom, 1.33 times as fast")
    assert text in shape_report.page(rows)
    assert shape_report.best([*rows[2:], row(Shape(), 2.0, 8.0, 40)]) == "**cuzr: no shape meets the bars.**"
    del rows[2]["errors"], rows[2]["steps"], rows[2]["budget_cpu_s"]  # timed, not trained
    assert shape_report.best(rows) == text
    assert "| 80 steps | 80 fs | - | - | - | - | 10.00 | 0.125 |" in shape_report.page(rows)
    assert "had 9 processor seconds" in shape_report.page(rows)
    untrained = {key: value for key, value in rows[0].items() if key not in ("errors", "steps", "budget_cpu_s")}
    assert "No shape has been trained yet" in shape_report.page([untrained]) and not shape_report.best([untrained])
    rows[1]["errors"]["cuzr"]["lost"] = 1
    assert shape_report.best(rows).startswith("**cuzr: shipped**")


@pytest.mark.slow
def test_shapes_are_trained_once_and_timed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = tuple(Part(use, "kalj", 1, seed) for seed, use in enumerate((TRAIN, VALIDATION, TEST), 1))
    shapes = (Shape(), Shape(15, {"layers": 3}))
    small = replace(TARGETS["kalj"], parts=parts, atoms=32, frames=20, md_timestep=0.005, shapes=shapes)
    monkeypatch.setattr(command, "TARGETS", {"kalj": small})
    monkeypatch.setattr(shape_report, "TARGETS", {"kalj": small})
    places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    sizes = ["--budget", "1", "--atoms", "200", "--rounds", "2"]
    command.main(["kalj", *places, *sizes, "--time-only"])
    assert not (tmp_path / "out" / "shapes.png").exists(), "there is no error to draw yet"
    command.main(["kalj", *places, *sizes])
    results = tmp_path / "out" / "results.json"
    first = json.loads(results.read_text())
    assert [one["shape"] for one in first] == ["shipped", "15 steps, layers 3"]
    assert [one["model"]["layers"] for one in first] == [6, 3] and [one["stride"] for one in first] == [10, 15]
    assert len(results.read_text().splitlines()) == 2 + len(first), "one line for each shape"
    assert first[0]["timing"]["ratio"] == 1 and all(one["steps"] > 0 for one in first)
    assert (tmp_path / "out" / "shapes.png").stat().st_size > 0
    assert "15 steps, layers 3" in (tmp_path / "out" / "table.md").read_text()
    capsys.readouterr()
    command.main(["kalj", *places, *sizes])
    command.main(["kalj", *places, *sizes, "--time-only"])
    assert "steps, kalj" not in capsys.readouterr().out, "a shape was trained again"
    again = json.loads(results.read_text())
    assert [one["errors"] for one in again] == [one["errors"] for one in first]


def test_an_unknown_system_is_one_line() -> None:
    with pytest.raises(SystemExit, match="iron is none of the systems cuzr"):
        command.main(["iron"])
