"""Whole numbers as people and programs give them."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def whole_number(value: object) -> int | None:
    """`value` as an integer if it is a whole number of any type (3, 3.0, numpy's), else None; True is none."""
    if isinstance(value, bool) or not isinstance(value, Integral | Real):
        return None
    # numpy's classes are registered with these, which mypy does not know.
    number: Any = value
    if isinstance(value, Integral):
        return int(number)
    return int(number) if math.isfinite(number) and number == int(number) else None
