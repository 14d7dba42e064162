"""The fuzzer finds each fault there is, and finds none in vitrify."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import harness
from tests.fuzz.families import FAMILIES, SHARES
from tests.fuzz.faults import KINDS, kind_of
from tests.fuzz.harness import GOOD, run_family


@pytest.mark.slow
def test_every_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "HANG", 30.0)
    wanted: dict[str, int] = {}
    for number in range(100):
        wanted.setdefault(kind_of(random.Random(f"faults 1 {number}")), number)
    assert set(wanted) == set(KINDS)
    for what, number in wanted.items():
        (verdict,) = run_family("faults", range(number, number + 1), seed=1)
        assert verdict.what == what


@pytest.mark.slow
@pytest.mark.parametrize("family", SHARES)
def test_no_input_is_at_fault(family: str) -> None:
    verdicts = list(run_family(family, range(10 * SHARES[family]), seed=7))
    assert {verdict.what for verdict in verdicts} <= set(GOOD), [v for v in verdicts if v.what not in GOOD]


@pytest.mark.parametrize("family", ["metadata", "structures"])
def test_no_input_of_the_cheap_families_is_at_fault(family: str) -> None:
    verdicts = list(run_family(family, range(30), seed=3))
    assert {verdict.what for verdict in verdicts} <= set(GOOD), [v for v in verdicts if v.what not in GOOD]
    assert any(verdict.what == "refused" for verdict in verdicts)


def test_all_families_have_a_share() -> None:
    assert set(SHARES) == set(FAMILIES) - {"faults"}
