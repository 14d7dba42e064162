"""Input scripts for create_glass, and the atoms that it made."""

from __future__ import annotations

import numpy as np

from lammps_runner import Array, Result

ORIGIN = np.array([-3.0, 1.5, 20.0])
DUMP = """\
write_dump all custom out.dump id type x y z modify sort id format float %24.16e
"""


def script(
    command: str, cell: Array, n_types: int = 2, after: str = DUMP, units: str = "metal", before: str = "",
    style: str = "atomic", boundary: str = "p p p",
) -> str:  # fmt: skip
    """An empty box with a corner at ORIGIN, and the command."""
    _, (xy, _, _), (xz, yz, _) = cell.tolist()
    low, high = ORIGIN.tolist(), (ORIGIN + np.diag(cell)).tolist()
    edges = " ".join(f"{a!r} {b!r}" for a, b in zip(low, high, strict=True))
    shape = f"prism {edges} {xy!r} {xz!r} {yz!r}" if xy or xz or yz else f"block {edges}"
    return f"""\
units        {units}
atom_style   {style}
boundary     {boundary}
region       box {shape}
create_box   {n_types} box
mass         * 28.085
{before}
create_glass {command}
{after}
"""


def atoms_of(result: Result, name: str = "out.dump") -> tuple[Array, Array, Array]:
    """IDs, types from 0, and positions in the cell (N, 3) in the order of IDs."""
    rows = result.rows(name)
    return rows[:, 0].astype(int), rows[:, 1].astype(int) - 1, rows[:, 2:5] - ORIGIN


def apart(a: Array, b: Array, cell: Array) -> float:
    fractional = (a - b) @ np.linalg.inv(cell)
    return float(np.abs((fractional - np.round(fractional)) @ cell).max())
