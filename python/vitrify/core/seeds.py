"""The rule for seeds, which all commands, settings and hosts share (cpp/rules/seed.h)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError, shown
from vitrify.core.whole_numbers import whole_number


def check_seed(seed: object, name: str = "seed", count: int = 1) -> int:
    """The seed as an integer from 1 to 2^31 - 1; `count` seeds from it on must lie in this range.

    name: begins the message. Raises VitrifyError for anything else.
    """
    value = whole_number(seed)
    if value is None or abs(value) >= 2**63:
        given = seed.item() if hasattr(seed, "item") else seed  # of numpy
        raise VitrifyError(_core.describe_wrong_seed(shown(given), name))
    return int(_core.checked_seed(value, name, count))


def read_seed(word: str, name: str = "seed") -> int:
    """The seed that a word of a command is; name and VitrifyError as in `check_seed`."""
    if re.fullmatch(r"[-+]?[0-9]{1,18}", word):
        return check_seed(int(word), name)
    raise VitrifyError(_core.describe_wrong_seed(word, name))


def later_seed(seed: int, offset: int = 1) -> int:
    """A seed of its own for the `offset`-th of several uses of one; after the largest comes the first."""
    return (int(seed) + offset - 1) % int(_core.LARGEST_SEED) + 1


def _checked(seed: object) -> int:
    try:
        return check_seed(seed)
    except VitrifyError as error:
        raise ValueError(str(error)) from None


Seed = Annotated[int, BeforeValidator(_checked)]
