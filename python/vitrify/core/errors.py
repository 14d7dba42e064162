"""The one error that users of vitrify see, and how its text is shown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# What moves the cursor, ends a line or turns the direction of a text: it could forge what a terminal shows. Half a
# surrogate pair stands for a byte of a file name that is no UTF-8. The same set is in cpp/base/error.cpp.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class VitrifyError(ValueError):
    """Bad input: the message says what was given, what was wanted, and the remedy."""


def printable(text: str) -> str:
    """The text on one line: control characters, and bytes that are no UTF-8, become escapes such as \\x1b."""
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    point = ord(found[0])
    if 0xDC80 <= point <= 0xDCFF:  # as os.fsdecode writes such a byte
        return f"\\x{point - 0xDC00:02x}"
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


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
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words)
