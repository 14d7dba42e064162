"""Changes of bytes, lines, numbers and JSON documents, drawn from one random generator, so that a seed repeats them."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from typing import Any

Bytes = Callable[[random.Random, bytes], bytes]

ODD_NUMBERS = (
    "0", "-1", "1", "2", "-0.0", "1e-320", "1e-30", "0.05", "3", "1e6", "2147483647", "2147483648", "-2147483649",
    "4294967296", "9223372036854775807", "18446744073709551616", "1e30", "1e308", "1e999", "-1e999", "nan", "inf",
    "-inf", "NaN", "0x10", "1_000", "1,5", "١٢", "²", "1e", "--1", "", "9" * 400,
)  # fmt: skip
ODD_WORDS = (
    "", " ", "\t", "\x00", "\x1b[31m", "\ufeff", "ÄÖ", "日本", "NULL", "None", "null", "true", "Si", "Xx", "Cu Zr", "*",
    "../..", "/dev/null", "~", "%s", "{}", "${x}", "$(x)", "`x`", "'", '"', "\\", "#", ";", "&", "=", "a" * 5000,
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 1.5, -0.0, 1e-320, 1e-30, 1e30, 1e308, 10**6, 2**31, 2**63, 2**64, 10**400,
    "", "x", "Si", "nan", "\x1b[2J", "\ud800", "é" * 300, [], {}, [[]], [0], [1e9] * 3, {"a": {"b": []}}, [None],
    ["A"] * 500,
)  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def of_bytes(rng: random.Random, content: bytes) -> bytes:
    """Some bytes are others, are gone, are there twice, or the end is missing."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        if not changed:
            break
        at, length = rng.randrange(len(changed)), rng.choice((1, 1, 2, 8, 64, 1000))
        match rng.randrange(5):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case _:
                if rng.random() < 0.2:
                    del changed[at:]
                else:
                    changed[at : at + length] = rng.randbytes(min(length, 16))
    return bytes(changed)


def of_numbers(rng: random.Random, content: bytes) -> bytes:
    """One or two numbers of a text are odd ones."""
    for _ in range(rng.choice((1, 1, 2))):
        found = list(_NUMBER.finditer(content))
        if not found:
            return content
        # The first lines hold counts and headers.
        one = rng.choice(found[:12] if rng.random() < 0.5 else found)
        content = content[: one.start()] + rng.choice(ODD_NUMBERS).encode() + content[one.end() :]
    return content


def of_words(rng: random.Random, content: bytes) -> bytes:
    """One word of a text is another one."""
    words = list(re.finditer(rb"\S+", content))
    if not words:
        return content
    one = rng.choice(words[:30] if rng.random() < 0.5 else words)
    word = rng.choice(ODD_WORDS).encode("utf-8", "surrogatepass")
    return content[: one.start()] + word + content[one.end() :]


def of_lines(rng: random.Random, content: bytes) -> bytes:
    """Lines are gone, are there twice, are empty or have changed places."""
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 3))):
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(6):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(other, lines[at])
            case 2:
                lines[at] = b""
            case 3:
                lines[at], lines[other] = lines[other], lines[at]
            case 4:
                lines[at] = lines[at] + b" " + lines[other]
            case _:
                del lines[max(1, at) :]
    return b"\n".join(lines)


TEXT: tuple[Bytes, ...] = (of_bytes, of_numbers, of_numbers, of_words, of_lines)


def of_text(rng: random.Random, content: bytes) -> bytes:
    return rng.choice(TEXT)(rng, content)


def of_document(rng: random.Random, document: Any) -> Any:
    """A copy of a JSON document with one to three of its values replaced, removed, added or wrapped."""
    changed = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key]]
            case 2:
                holder[key] = {"x": holder[key]}
            case 3 if isinstance(holder[key], int | float):
                holder[key] *= rng.choice((-1, 0, 10, 1e-9, 1e9, 1e200))
            case 4 if isinstance(holder[key], list) and holder[key]:
                holder[key] = holder[key] * rng.choice((0, 2, 50)) if len(holder[key]) < 50 else holder[key][:-1]
            case _:
                holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return changed


def _places(value: Any, depth: int = 0) -> Any:
    """Each (container, key) of a document, of long lists the first three."""
    keys = list(value) if isinstance(value, dict) else range(min(3, len(value))) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth < 8:
            yield from _places(value[key], depth + 1)
