"""Runs an `lmp` that has Python inside, such as Debian's, on inputs that the tests write."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from child_processes import HANGS
from lammps_runner import Result
from vitrify.hosts.lammps.embedded import python_path

SYSTEM = "/usr/bin:/bin"  # so that PYTHONPATH alone leads to vitrify


@functools.cache
def program() -> str | None:
    """An lmp with the package PYTHON: VITRIFY_PYTHON_LMP, or the system's."""
    for place in (os.environ.get("VITRIFY_PYTHON_LMP"), shutil.which("lmp", path="/usr/bin:/usr/local/bin")):
        if place and "python/move" in subprocess.run([place, "-h"], capture_output=True, text=True).stdout:
            return place
    return None


def mpiexec() -> str | None:
    """The mpiexec that belongs to `program`, which is not the one of this environment."""
    lmp = program()
    if lmp is None:
        return None
    return shutil.which("mpiexec.openmpi", path=str(Path(lmp).parent)) or shutil.which("mpiexec", path="/usr/bin")


needs_python_lmp = pytest.mark.skipif(
    program() is None, reason="no lmp with the package PYTHON here: apt-get install lammps, or set VITRIFY_PYTHON_LMP"
)


def run_python_lmp(script: str, folder: Path, ranks: int = 1) -> Result:
    """Runs `script` in `folder`; it need not succeed, but must end."""
    (folder / "in.python").write_text(script)
    command = [str(program()), "-in", "in.python", "-log", "none", "-nocite"]
    if ranks > 1:
        command = [str(mpiexec()), "--oversubscribe", "-n", str(ranks), *command]
    environment = {
        **os.environ, "PATH": SYSTEM, "PYTHONPATH": python_path(), "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=environment, timeout=HANGS, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, folder)


def python_ok(script: str, folder: Path, ranks: int = 1) -> Result:
    """Runs `script`, which must succeed."""
    result = run_python_lmp(script, folder, ranks)
    assert result.status == 0, result.output
    return result
