"""The one error that users of vitrify see, and how its text is shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VitrifyError(ValueError):
    """Bad input: the message, made `one_line`, says what was given, what was wanted, and the remedy."""

    def __init__(self, *arguments: object) -> None:
        # Texts of files and of other libraries come with all sorts of characters.
        super().__init__(*(one_line(word) if isinstance(word, str) else word for word in arguments))


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """Returns " (did you mean 'x'?)" for the closest of `choices`, or ""."""
    close = difflib.get_close_matches(given, list(choices), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def shown(value: object, width: int = 80) -> str:
    """A value as Python writes it, in one line of at most `width` characters, for a message."""
    try:
        text = repr(value)
    # What prints itself may raise anything; a whole number of thousands of digits raises ValueError.
    except Exception:
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    text = one_line(text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def one_line(text: str) -> str:
    """The text in one line of characters that any terminal shows; control characters and wrong bytes are escaped."""
    words = text if text.isprintable() else " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)


class VitrifyWarning(UserWarning):
    """What a user should know although the work goes on; the command line shows it as one line."""
