"""Recorded values in `tests/surface/expected`: read, written so that people can read them, and compared."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EXPECTED = Path(__file__).parents[1] / "surface" / "expected"
_SHORT = re.compile(r"\[\s+([^][{}]*?)\s+\]")
_DIGITS = re.compile(r"\d[\d.]*(e[+-]\d+)?")


def load(name: str) -> Any:
    """What was recorded under a name."""
    return json.loads((EXPECTED / f"{name}.json").read_text())


def save(name: str, values: Any, folder: Path = EXPECTED) -> Path:
    """Writes a record; short lists stand on one line."""
    text = json.dumps(values, indent=1, ensure_ascii=False)
    text = _SHORT.sub(lambda found: _one_line(found[0]), text)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(text + "\n")
    return path


def _one_line(text: str) -> str:
    short = re.sub(r"\s*\n\s*", " ", text).replace("[ ", "[").replace(" ]", "]")
    return short if len(short) < 110 and "\\n" not in short else text


def without_numbers(text: str) -> str:
    """For texts whose numbers depend on the processor."""
    return _DIGITS.sub("#", text)


def check(then: Any, now: Any, tolerance: float = 0.0) -> None:
    """Fails with every one of the `differences`, a line for each."""
    found = differences(then, now, tolerance)
    if found:
        raise AssertionError("\n".join([f"{len(found)} differences from the record", *found]))


def differences(then: Any, now: Any, tolerance: float = 0.0, place: str = "") -> list[str]:
    """What differs, one line for each place in nested values; empty if nothing does.

    tolerance: of numbers, relative to the largest of their list, and then digests do not count; 0: all bits do.
    """
    if isinstance(then, dict) and isinstance(now, dict):
        return [line for name in {**then, **now} for line in _entry(then, now, name, tolerance, f"{place}/{name}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        numbers = [abs(value) for value in then if isinstance(value, float)]
        slack = tolerance * max(numbers, default=0.0)
        pairs = enumerate(zip(then, now, strict=True))
        return [line for i, (a, b) in pairs for line in _value(a, b, tolerance, slack, f"{place}/{i}")]
    return list(_value(then, now, tolerance, 0.0, place))


def _entry(then: Any, now: Any, name: str, tolerance: float, place: str) -> list[str]:
    if name not in now:
        return [f"{place} is gone, was {_brief(then[name])}"]
    if name not in then:
        return [f"{place} is new: {_brief(now[name])}"]
    if name == "sha256" and tolerance:
        return []
    if name == "first" and tolerance:
        slack = tolerance * max(then["rms"], 1e-9)
        pairs = zip(then[name], now[name], strict=True)
        return [line for a, b in pairs for line in _value(a, b, 0.0, slack, place)]
    return differences(then[name], now[name], tolerance, place)


def _value(then: Any, now: Any, tolerance: float, slack: float, place: str) -> Iterator[str]:
    if isinstance(then, dict | list) and type(then) is type(now) and len(then) == len(now):
        yield from differences(then, now, tolerance, place)
        return
    if isinstance(then, float) and isinstance(now, float):
        near = math.isclose(then, now, rel_tol=tolerance, abs_tol=max(slack, 1e-9 if tolerance else 0.0))
        if near or (math.isnan(then) and math.isnan(now)):
            return
    elif then == now and type(then) is type(now):
        return
    yield f"{place} was {_brief(then)}, is {_brief(now)}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]} ..."
