"""Predictions of a native engine in another process, under other settings of the environment; and how two compare."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

INSTRUCTION_SETS = {"default": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512vl", "avx512bw"}}
SCRIPT = """
import pickle, sys
from pathlib import Path
from {module} import {engine}
from vitrify.engines.native import instruction_set

case, native = pickle.loads(Path(sys.argv[2]).read_bytes()), {engine}(sys.argv[1])
native.predict(*case)
found = native.predict(*case)
Path(sys.argv[2]).write_bytes(pickle.dumps(found))
print(instruction_set(), "torch" in sys.modules)
"""


def predict_elsewhere(
    engine: type, model: Path, case: tuple[np.ndarray, ...], folder: Path, **environment: str
) -> tuple[Any, str]:
    """The second prediction of a new process, and its instruction set and whether it imported torch."""
    (folder / "case").write_bytes(pickle.dumps(case))
    script = SCRIPT.format(module=engine.__module__, engine=engine.__name__)
    done = subprocess.run(
        [sys.executable, "-c", script, str(model), str(folder / "case")],
        env={**os.environ, **environment}, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return pickle.loads((folder / "case").read_bytes()), done.stdout.strip()


def skip_without(name: str) -> None:
    """Skips the test where the processor has not this instruction set."""
    if not INSTRUCTION_SETS[name] <= set(Path("/proc/cpuinfo").read_text().split()):
        pytest.skip(f"this processor has no {name}")


def deviation(got: Iterable[np.ndarray], expected: Iterable[np.ndarray]) -> float:
    """The largest deviation of any array from the expected one, relative to the rms of that one."""
    return max(float(np.abs(a - b).max() / np.sqrt(np.mean(np.square(b)))) for a, b in zip(got, expected, strict=True))
