"""Shipped models answer bit for bit as they did when `record.py` wrote it down, in each instruction set that runs here.

Bits are compared on machines like the recorded one; elsewhere, and of torch, numbers to 1e-6 of their root mean square.
"""

from __future__ import annotations

from typing import Any

import pytest

import model_outputs
from surface_records import check, load

RECORDED = load("models")
TOLERANCE = 1e-6


def split(answers: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """The errors of the reference cases, and the rest."""
    errors = {name: found.pop("reference_error") for name, found in answers.items()}
    return errors, answers


@pytest.mark.parametrize("instructions", ["default", "avx2", "avx512"])
def test_native_answers_are_those_of_the_record(instructions: str) -> None:
    if not model_outputs.can_run(instructions):
        pytest.skip(f"this processor has no {instructions}")
    exact = model_outputs.machine() == RECORDED["machine"]
    errors, now = split(model_outputs.in_process("native", instructions))
    known, then = split(load("models")[f"native, {instructions}"])
    check(then, now, 0.0 if exact else TOLERANCE)
    assert errors == known if exact else max(errors.values()) < 1e-5


@pytest.mark.slow
def test_torch_answers_are_those_of_the_record() -> None:
    errors, now = split(model_outputs.in_process("torch"))
    _, then = split(load("models")["torch"])
    check(then, now, TOLERANCE)
    assert max(errors.values()) < 1e-5


def test_every_shipped_model_is_recorded() -> None:
    assert sorted(RECORDED["torch"]) == [path.name for path in model_outputs.models()]
