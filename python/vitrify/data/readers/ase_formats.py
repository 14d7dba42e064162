"""Formats that ASE reads: POSCAR, CIF, OUTCAR, vasprun.xml, PDB, traj and many others, read in a process apart."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.data.readers.frame import RawFrame, Wanted

_CHILD = "vitrify.data.readers.ase_child"


def read_by_ase(path: Path, wanted: Wanted) -> Iterator[RawFrame]:
    """Every frame of a file whose format ASE knows by its name or its content."""
    from ase.data import chemical_symbols

    with np.load(io.BytesIO(_run(path)), allow_pickle=False) as found:
        for number, info in enumerate(json.loads(str(found["info"]))):
            own = {name.partition(" ")[2]: name for name in found.files if name.startswith(f"{number} ")}
            columns = {name.removeprefix("column "): own[name] for name in own if name.startswith("column ")}
            chosen = wanted.chosen(columns)
            pbc = found[own["pbc"]].tolist()
            yield RawFrame(
                positions=found[own["positions"]],
                cell=found[own["cell"]],
                kinds=np.array(chemical_symbols)[found[own["numbers"]]],
                columns={name: found[columns[name]] for name in chosen},
                known=tuple(columns),
                has_columns=bool(columns),
                info=info,
                pbc=(pbc[0], pbc[1], pbc[2]),
                unused=tuple(f"the column {name}" for name in columns if name not in chosen),
            )


def _run(path: Path) -> bytes:
    """The npz that the process of ASE writes; VitrifyError if it fails, runs too long or takes too much memory."""
    package = str(Path(vitrify.__file__).parent.parent)
    known = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(known)}
    # -P: no module from the folder in which the user works.
    done = subprocess.run(
        [sys.executable, "-P", "-m", _CHILD, str(path)], env=environment, capture_output=True, stdin=subprocess.DEVNULL
    )
    if done.returncode == 0:
        return done.stdout
    told = done.stderr.decode(errors="replace").strip().splitlines()
    reason = told[-1] if done.returncode == 3 and told else "it took too long, or too much memory"
    raise VitrifyError(
        f"{path} is in no format that is read here, or damaged ({reason}): write extended XYZ or a LAMMPS data file"
    )
