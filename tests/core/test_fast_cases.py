"""Which cases of large tests the fast set keeps."""

from __future__ import annotations

import pytest

from fast_cases import TABLE, spread, table


@pytest.mark.parametrize(
    ("number", "of", "expected"),
    [(1, 9, {0}), (3, 9, {0, 3, 6}), (2, 5, {0, 2}), (4, 4, {0, 1, 2, 3}), (7, 2, {0, 1}), (3, 0, set())],
)
def test_cases_are_spread_evenly_and_begin_with_the_first(number: int, of: int, expected: set[int]) -> None:
    assert spread(number, of) == expected


def test_the_table_names_tests_that_are_there() -> None:
    for name in table():
        file, _, function = name.partition("::")
        assert f"def {function}(" in (TABLE.parent.parent / file).read_text(), name
