"""Calculators and models in copies, threads, forked and spawned processes, and pools of joblib and Dask."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "helpers" / "pools" / "answers.py"
HANGS = 300  # s, on the slowest machine
FAST = [*((form, "native") for form in ("deepcopy", "pickle", "threads", "pool", "busy", "spawn")), ("pool", "torch")]
FORMS = (
    *("copy", "deepcopy", "pickle", "threads", "fork", "spawn", "forkserver", "pool", "grandchild", "busy"),
    *("loky", "threading", "dask"),
)
CASES = [(form, engine) for engine in ("native", "torch") for form in FORMS]


@pytest.mark.parametrize(
    ("form", "engine"), [case if case in FAST else pytest.param(*case, marks=pytest.mark.slow) for case in CASES]
)
def test_every_property_is_the_same_elsewhere(form: str, engine: str) -> None:
    """With two threads for each model, which do not survive a fork."""
    if form in ("loky", "threading") and not find_spec("joblib"):
        pytest.skip("needs joblib")
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(SCRIPT), form, engine]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) == 12
