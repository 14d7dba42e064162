"""Environments of other languages, for processes that tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

_POINT = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.localeconv()['decimal_point'])"
_COMMA = "de_DE", "fr_FR", "cs_CZ", "pl_PL", "sv_SE"


def environment(language: str, folder: Path | None = None) -> dict[str, str]:
    """The environment of this process in another language. folder: of locales that the system lacks."""
    other = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHONUTF8"))}
    return {**other, "LC_ALL": language, **({"LOCPATH": str(folder)} if folder else {})}


def _has_comma(given: dict[str, str]) -> bool:
    found = subprocess.run([sys.executable, "-c", _POINT], env=given, capture_output=True, text=True)
    return found.stdout.strip() == ","


@cache
def with_comma(folder: Path, charmap: str = "UTF-8") -> dict[str, str]:
    """The environment of a language that writes 2,5 for 2.5, which is made in `folder` where the system has none.

    The test is skipped if the system cannot make it.
    """
    for name in _COMMA:
        if _has_comma(given := environment(f"{name}.{charmap}")):
            return given
    for name in _COMMA:
        language = f"{name}.{charmap}"
        made = folder / language
        try:
            subprocess.run(["localedef", "-i", name, "-f", charmap, str(made)], capture_output=True)
        except OSError:
            break
        if _has_comma(given := environment(language, folder)):
            return given
    pytest.skip("no language with a decimal comma here, and localedef cannot make one: apt-get install locales")
