"""The second line of a frame of extended XYZ: keys and values, with the types that ASE and QUIP give them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

_CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
_WORDS = re.compile(r"[^\s,\[\]{}]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLS = {
    "T": True,
    "F": False,
    "true": True,
    "false": False,
    "True": True,
    "False": False,
    "TRUE": True,
    "FALSE": False,
}


def parse_values(text: str) -> dict[str, Any]:
    """Values by key: bool, int, float, arrays and lists of them, text, or whatever JSON behind "_JSON" is.

    A key without a value is True. Raises ValueError for a quote or a bracket that is not closed, a value without a key,
    and a key that is there twice with different values.
    """
    found: dict[str, Any] = {}
    place = _blanks(text, 0)
    while place < len(text):
        key, place = _word(text, place, "=")
        if not key:
            raise ValueError("a value has no key")
        after = _blanks(text, place)
        value: Any = True
        if text[after : after + 1] == "=":
            word, place = _word(text, _blanks(text, after + 1), "")
            value = _typed(word)
        if key in found and str(found[key]) != str(value):
            raise ValueError(f"the key {key} is there twice")
        found[key] = value
        place = _blanks(text, place)
    return found


def _blanks(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _word(text: str, place: int, end: str) -> tuple[str, int]:
    """The word that begins at a place, without its quotes or brackets, and the place behind it. end: also ends it."""
    opening = text[place : place + 1]
    start = place
    if opening not in _CLOSING:
        while place < len(text) and not text[place].isspace() and text[place] != end:
            place += 1
        return text[start:place], place
    closing, depth = _CLOSING[opening], 0
    while place < len(text):
        sign = text[place]
        if sign == "\\":
            place += 1
        elif sign == closing and (opening != closing or place > start):
            depth -= opening != closing
            if depth == 0:
                inside = text[start + 1 : place]
                return re.sub(r"\\(.)", r"\1", inside) if opening == closing else inside, place + 1
        elif sign == opening:
            depth += opening != closing
        place += 1
    raise ValueError(f"a {opening} is not closed")


def _typed(word: str) -> Any:
    """A value with its type."""
    if word.startswith("_JSON "):
        try:
            return json.loads(word.removeprefix("_JSON "))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"what follows _JSON is no JSON ({error})") from None
    words = _WORDS.findall(word)
    if not words:
        return word
    if all(_INTEGER.fullmatch(part) for part in words):
        numbers = np.array([int(part) for part in words], np.int64)
        return int(numbers[0]) if len(words) == 1 else numbers
    try:
        if not any("_" in part for part in words):
            reals = np.array([float(part) for part in words])
            return float(reals[0]) if len(words) == 1 else reals
    except ValueError:
        pass
    if all(part in _BOOLS for part in words):
        return _BOOLS[words[0]] if len(words) == 1 else [_BOOLS[part] for part in words]
    return word
