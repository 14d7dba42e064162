"""Inputs that do all that must not happen: they test the fuzzer."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.harness import Disagreement
from vitrify import VitrifyError

KINDS = ("accepted", "refused", "crash", "hang", "traceback", "memory", "code run", "disagreement")


def fault(rng: random.Random, folder: Path) -> Callable[[], Any]:
    """A fault of one of KINDS, drawn at random."""
    return {
        "accepted": lambda: None,
        "refused": lambda: _raise(VitrifyError("no")),
        "crash": os.abort,
        "hang": lambda: time.sleep(1000),
        "traceback": lambda: _raise(KeyError("x")),
        "memory": lambda: np.ones(3 * 1024**3, np.uint8).sum(),
        "code run": lambda: Path("ran").touch(),
        "disagreement": lambda: _raise(Disagreement("yes; no")),
    }[kind_of(rng)]


def kind_of(rng: random.Random) -> str:
    return rng.choice(KINDS)


def _raise(error: Exception) -> None:
    raise error
