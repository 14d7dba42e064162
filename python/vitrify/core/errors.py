"""The one error that users of vitrify see."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VitrifyError(ValueError):
    """Bad input: the message says what was given, what was wanted, and the remedy."""


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """Returns " (did you mean 'x'?)" for the closest of `choices`, or ""."""
    close = difflib.get_close_matches(given, list(choices), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
