"""A LAMMPS that Python drives, with a shipped model attached: what can be asked of it, and the numbers on one rank.

VITRIFY_SIMD=avx2 python tests/surface/attached_models.py       # prints JSON
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import lammps_runner
from lammps_runner import Configuration
from model_outputs import ROOT, metadata_of, structure, summary

# What documents and docstrings name, of what attach returns.
ASKED = {
    "kalj.ogn.pt": ("run", "work"),
    "Cu64Zr36.symgnn.pt": ("update", "values", "deviations", "outside", "ids"),
    "Cu50Zr50.glassvae.pt": ("detach",),
}


def attached(name: str) -> dict[str, Any]:
    """One model: the parameters of what can be called, numbers of what can be read, and atoms after a run."""
    from vitrify.lammps import attach, lammps

    metadata = metadata_of(ROOT / "potentials" / name)
    cell, positions, types, velocities = structure(metadata)
    masses = tuple(metadata.get("masses", [1.0] * len(metadata["species"])))
    lmp = lammps()
    with tempfile.TemporaryDirectory() as folder:
        Configuration(cell, positions, velocities, types, masses).write_data(Path(folder) / "data.test")
        timestep = metadata.get("timestep", 0.001)
        lmp.commands_string(
            f"units {metadata['units']}\natom_style atomic\natom_modify map array\nread_data {folder}/data.test\n"
            f"pair_style zero 2.5\npair_coeff * *\ntimestep {timestep}\n"
        )
    options = {"force": True} if metadata["kind"] == "symgnn" else {}  # the structure is a lattice
    model = attach(lmp, name, metadata["species"], **options)
    found: dict[str, Any] = {}
    if metadata["kind"] == "ogn":
        model.run(2)
    elif metadata["kind"] == "symgnn":
        lmp.command("velocity all set 0 0 0")
        model.update()
    else:
        lmp.command("run 0")
        found["pe"] = lmp.get_thermo("pe")
    for asked in ASKED[name]:
        value = getattr(model, asked)
        found[asked] = [*inspect.signature(value).parameters] if callable(value) else summary(value)
    order = np.argsort(lmp.numpy.extract_atom("id")[: len(positions)])
    for quantity in ("x", "v", "f") if metadata["kind"] == "glassvae" else ("x", "v"):
        found[f"atoms, {quantity}"] = summary(lmp.numpy.extract_atom(quantity)[: len(positions)][order])
    return found


def in_process(instructions: str) -> dict[str, Any]:
    """All of them, in a process of its own."""
    helpers = str(Path(lammps_runner.__file__).parent)
    environment = {
        **os.environ,
        "VITRIFY_SIMD": instructions,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [helpers, os.environ.get("PYTHONPATH", "")])),
    }
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps({name: attached(name) for name in ASKED}))
