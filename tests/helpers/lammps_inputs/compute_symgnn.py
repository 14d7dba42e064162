"""Input scripts for compute symgnn/atom, and the values that it found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lammps_runner import Array, Result

ELEMENTS = {"metal": "Cu Zr", "lj": "A B"}
ZERO = "pair_style zero 1.0\npair_coeff * *"
DUMP = """\
dump         out all custom 1 out.dump id type xu yu zu c_b[1] c_b[2]
dump_modify  out sort id format float %24.16e
"""


class Frame(NamedTuple):
    """The last frame of a dump in the order of IDs: types 0-based, unwrapped positions, both columns of the compute."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    positions: Array
    values: Array
    deviations: Array


def frame(result: Result, name: str = "out.dump") -> Frame:
    rows = result.rows(name)
    return Frame(rows[:, 0].astype(int), rows[:, 1].astype(int) - 1, rows[:, 2:5], rows[:, 5], rows[:, 6])


def script(
    words: str = "",
    units: str = "metal",
    pair: str = ZERO,
    before: str = "",
    after: str = "run 0",
    group: str = "all",
    dump: str = DUMP,
) -> str:
    return f"""\
units        {units}
atom_style   atomic
read_data    data.test
{pair}
{before}
compute      b {group} symgnn/atom {words or "toy.pt " + ELEMENTS[units]}
{dump}
{after}
"""
