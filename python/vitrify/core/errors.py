"""The one error that users of vitrify see, and how its text is shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VitrifyError(ValueError):
    """Bad input: the message says what was given, what was wanted, and the remedy."""


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """Returns " (did you mean 'x'?)" for the closest of `choices`, or ""."""
    close = difflib.get_close_matches(given, list(choices), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def escaped(text: str, keep: str = "") -> str:
    """The text with what no terminal should get as \\x1b, \\u202e or \\udcff: control characters, and half characters
    that stand for bytes which are no UTF-8. keep: characters that stay, such as the ends of lines."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)
