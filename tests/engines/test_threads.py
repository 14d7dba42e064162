"""The threads of the native engine: how many OMP_NUM_THREADS asks for, and where the system gives fewer."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lammps_runner import BIN
from vitrify import open_model

MODEL = "kalj.ogn.pt"
CRYSTAL = """\
units        lj
lattice      fcc 1.2
region       box block 0 4 0 4 0 4
create_box   2 box
create_atoms 1 box
set          group all type/fraction 2 0.2 1
mass         1 1.0
mass         2 1.0
velocity     all create 1.0 1
fix          1 all ogn kalj.ogn.pt A B guard no engine native
timestep     0.05
run          2
print        "the energy is $(ke)"
"""


def stride(model: str = MODEL) -> np.ndarray:
    rng = np.random.default_rng(1)
    system = rng.random((64, 3)) * 4, rng.normal(size=(64, 3)), 4 * np.eye(3), rng.integers(2, size=64)
    return np.concatenate(open_model(model, "native").predict(*system))


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Sums of float32 over other parts of the pairs."""
    return np.allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize(
    ("variable", "count"),
    [
        ("1", 1),
        ("3", 3),
        (" 3", 3),
        ("4,2", 4),
        ("64", 64),
        ("1024", 1024),
        ("1025", 1),
        ("100000", 1),
        ("99999999999999999999", 1),
        ("0", 1),
        ("-3", 1),
        ("abc", 1),
        ("", 1),
        (None, 1),
    ],
)
def test_the_number_of_threads_follows_one_rule(
    variable: str | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    expected = stride()
    monkeypatch.delenv("OMP_NUM_THREADS") if variable is None else monkeypatch.setenv("OMP_NUM_THREADS", variable)
    before = threads()
    model = open_model(MODEL, "native")
    assert threads() - before == count - 1
    del model
    assert threads() == before
    assert same(stride(), expected)


LIMITED = """\
import os, resource, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_threads import MODEL, open_model, same, stride, threads
os.environ["OMP_NUM_THREADS"] = "1"
expected = stride()
before = threads()
if sys.argv[2] == "memory":
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (400 << 20),) * 2)
else:
    resource.setrlimit(resource.RLIMIT_NPROC, (int(sys.argv[3]),) * 2)
    os.setuid(int(sys.argv[4]))
os.environ["OMP_NUM_THREADS"] = "1000"
model = open_model(MODEL, "native")
assert same(stride(), expected)  # beside a team that has all it can get
print(threads() - before + 1)
"""


@pytest.mark.parametrize("limit", ["memory", "processes"])
def test_fewer_threads_run_where_there_are_no_more(limit: str, tmp_path: Path) -> None:
    if limit == "processes" and os.geteuid() != 0:
        pytest.skip("needs root, which becomes a user without processes")
    command = [sys.executable, "-c", LIMITED, str(Path(__file__).parent), limit, "40", "64321"]
    helpers = os.pathsep.join([str(Path(__file__).parents[1] / "helpers"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": helpers, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 1 < int(done.stdout) < 1000


@pytest.mark.lmp
@pytest.mark.parametrize("variable", ["1000", "0", "abc"])
def test_lmp_runs_where_there_are_no_more_threads(variable: str, tmp_path: Path) -> None:
    """LAMMPS's own OpenMP ends with one line where it lacks threads, so that those get small stacks here."""
    (tmp_path / "in.test").write_text(CRYSTAL)
    done = subprocess.run(
        [str(BIN / "lmp"), "-in", "in.test", "-log", "none"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": variable, "OMP_STACKSIZE": "64k", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30,) * 2),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the energy is" in done.stdout
