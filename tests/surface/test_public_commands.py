"""Commands print and write what they did when `record.py` wrote it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import command_outputs
import model_outputs
from public_surface import KINDS
from surface_records import check, load, without_numbers

RECORDED = load("outputs")
EXACT = model_outputs.machine() == RECORDED["machine"]
TOLERANCE = 1e-3  # of what four steps of training in float32 lead to


def test_info_shows_what_it_did_and_files_are_the_same() -> None:
    check(RECORDED["info"], command_outputs.info())


def told(line: str) -> str:
    return line if EXACT and "torch" not in line else without_numbers(line)


@pytest.mark.slow  # it replays every shipped model
def test_doctor_finds_what_it_did(tmp_path: Path) -> None:
    """Errors of reference cases among it, in Python and in LAMMPS; those of torch may differ by processor."""
    assert [*map(told, command_outputs.doctor(tmp_path))] == [*map(told, RECORDED["doctor"])]


def printed(found: dict[str, Any]) -> dict[str, Any]:
    """Digests of files hold on machines like the recorded one."""
    return {name: {**one, "files": one["files"] if EXACT else list(one["files"])} for name, one in found.items()}


@pytest.mark.slow
def test_generate_writes_the_same_structures(tmp_path: Path) -> None:
    check(printed(RECORDED["generate"]), printed(command_outputs.generate(tmp_path)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_train_export_and_evaluate_write_the_same_files_columns_and_keys(kind: str, tmp_path: Path) -> None:
    check(load("workflows")[kind], command_outputs.workflow(kind, tmp_path), TOLERANCE)
