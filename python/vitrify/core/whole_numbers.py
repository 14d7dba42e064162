"""Whole numbers as people and programs give them."""

from __future__ import annotations

import math
from numbers import Integral, Real


def whole_number(value: object) -> int | None:
    """`value` as an integer if it is a whole number of any type (3, 3.0, numpy's), else None; True is none."""
    if isinstance(value, Integral):
        return None if isinstance(value, bool) else int(value)
    if isinstance(value, Real) and math.isfinite(value) and value == int(value):
        return int(value)
    return None
