"""Styles in LAMMPS take the keywords, print the lines and compute the numbers that `record.py` wrote down.

Numbers are compared bit for bit on machines like the recorded one; elsewhere, and with torch, to 1e-4.
"""

from __future__ import annotations

from typing import Any

import pytest

import attached_models
import model_outputs
from lammps_surface import RUNS, SIMD, outcome
from surface_records import check, load, without_numbers

RECORDED = load("lammps")
EXACT = model_outputs.machine() == RECORDED["machine"] and RECORDED["simd"] == SIMD
TOLERANCE = 1e-4  # of what float32 leaves of sums that cancel


def numberless(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "lines": [without_numbers(line) for line in found["lines"]]}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_prints_and_computes_what_it_did(name: str) -> None:
    then, now = RECORDED["runs"][name], outcome(RUNS[name])
    if EXACT and not RUNS[name].torch:
        check(then, now)
    else:
        check(numberless(then), numberless(now), TOLERANCE)


def test_attached_models_answer_what_they_did() -> None:
    now = attached_models.in_process(SIMD)
    check(RECORDED["attached"], now, 0.0 if EXACT else TOLERANCE)


def test_every_recorded_run_is_made() -> None:
    assert list(RUNS) == list(RECORDED["runs"])
