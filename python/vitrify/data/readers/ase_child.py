"""Reads a file by ASE in a process of its own, whose time and memory are limited: python -m ... PATH.

ASE has readers for eighty formats. Few of them were written for damaged files: they believe the counts that a file
claims, and raise whatever happens. The frames go to stdout as one npz; an error is one line on stderr, and status 3.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# Those that are read elsewhere, speak to a database, or unpickle.
REFUSED = ("extxyz", "xyz", "lammps-data", "lammps-dump-text", "lammps-dump-binary", "db", "mysql", "postgresql",
           "bundletrajectory", "trj", "gpw", "cmdft", "gpumd")  # fmt: skip
_MEMORY, _GROWTH = 3 << 30, 60  # bytes, and bytes for each byte of the file
_SECONDS, _RATE = 30, 2e5  # and bytes of the file in a second


def _limit(size: int) -> None:
    import resource

    memory = _MEMORY + _GROWTH * size
    seconds = int(_SECONDS + size / _RATE)
    for kind, wanted in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        soft, hard = resource.getrlimit(kind)
        allowed = [wanted, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
        resource.setrlimit(kind, (min(allowed), hard))


def _read(path: Path, folder: str) -> bytes:
    import warnings

    from ase.io import iread
    from ase.io.formats import filetype

    warnings.simplefilter("ignore")
    # Under another name, since ASE takes "@" and patterns in names for something else; and apart from its neighbours.
    link = Path(folder) / "".join(sign if sign.isalnum() or sign in "._-+" else "_" for sign in path.name)
    link.symlink_to(path)
    kind = filetype(str(link))
    if kind in REFUSED:
        raise ValueError(f"its format {kind} is not read here")
    return _packed([_plain(atoms) for atoms in iread(str(link), index=":", format=kind)])


def _plain(atoms: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays of a frame, and what JSON can hold."""
    import numpy as np

    occupied = atoms.info.get("occupancy") or {}
    if any(share < 1 for site in occupied.values() for share in site.values()):
        raise ValueError("sites are shared by several atoms (occupancies below 1), so that no structure is given")
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    arrays = {
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": np.asarray(atoms.cell[:]),
        "pbc": atoms.pbc,
    }
    info = {}
    for name, value in {**atoms.info, **atoms.arrays, **results}.items():
        found = np.asarray(value) if isinstance(value, int | float | str | list | np.ndarray | np.generic) else None
        if found is None or name in arrays or found.dtype.kind not in "fiubU":
            continue
        if found.ndim and len(found) == len(atoms) and found.dtype.kind in "fiu" and name not in atoms.info:
            arrays[f"column {name}"] = found
        elif found.size <= 100:
            info[str(name)] = found.tolist()
    return arrays, info


def _packed(frames: list[tuple[dict[str, Any], dict[str, Any]]]) -> bytes:
    import numpy as np

    held = {f"{number} {name}": array for number, (arrays, _) in enumerate(frames) for name, array in arrays.items()}
    text = json.dumps([info for _, info in frames])
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, info=np.array(text), **held)
    return buffer.getvalue()


def main() -> int:
    """Reads the file that the first argument names."""
    path = Path(sys.argv[1]).resolve()
    _limit(path.stat().st_size)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = _read(path, folder)
    except BaseException as error:  # ASE raises whatever there is
        told = " ".join(str(error).split())[:200]
        print(f"{type(error).__name__}: {told}" if told else type(error).__name__, file=sys.stderr)
        return 3
    with os.fdopen(os.dup(1), "wb") as out:
        out.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
