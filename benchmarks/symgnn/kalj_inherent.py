"""Inherent structures of Kob-Andersen configurations, and the table of their potential, for `table.py propensity`.

    python -m benchmarks.symgnn.kalj_inherent --data DIR --out runs/kalj_inherent
    python -m benchmarks.symgnn.table propensity --data runs/kalj_inherent --potential runs/kalj_inherent/kalj.table

Every configuration config*.npz of DIR (positions, box, types, propensity; reduced units) is minimised with LAMMPS at
fixed box; everything else in the file stays as it is. Ten configurations of 4,096 atoms take half a minute of a core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path
from vitrify.datagen.trajectories.systems import get_system
from vitrify.lammps_library.session import LammpsSession

KALJ = get_system("kalj")
RANGE = "2000 r 0.5 2.5"


def session(positions: np.ndarray, box: np.ndarray, types: np.ndarray) -> LammpsSession:
    """LAMMPS with the atoms; types from 0."""
    return LammpsSession(
        units=KALJ.units, cell=np.diag(box), types=types, masses=KALJ.masses, positions=positions,
        commands=KALJ.commands,
    )  # fmt: skip


def minimise(path: Path, out: Path) -> None:
    """One configuration."""
    with np.load(path) as saved:
        arrays = {name: saved[name] for name in saved}
    box = np.asarray(arrays["box"], float)
    with session(np.asarray(arrays["positions"], float), box, arrays["types"] - 1) as lammps:
        lammps.minimise(1e-6, 10000, norm="inf")
        lammps.run(0)
        arrays["positions"] = lammps.state().positions
    with atomic_path(out / path.name) as work, work.open("wb") as file:
        np.savez(file, **arrays)


def write_table(path: Path) -> None:
    """The pair functions, as LAMMPS has them."""
    far = np.array([[0.5, 0.5, 0.5], [3.0, 3.0, 3.0]])
    with atomic_path(path) as work, session(far, np.full(3, 8.0), np.array([0, 1])) as lammps:
        for a in range(2):
            for b in range(a, 2):
                names = f"{KALJ.species[a]}-{KALJ.species[b]}"
                lammps.run_commands(f'pair_write {a + 1} {b + 1} {RANGE} "{work}" {names}')


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with config*.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the minimised ones")
    chosen = parser.parse_args(arguments)
    paths = sorted(chosen.data.glob("config*.npz"))
    if not paths:
        parser.error(f"{chosen.data} holds no config*.npz")
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        write_table(chosen.out / "kalj.table")
        for path in tqdm(paths, disable=None):
            minimise(path, chosen.out)
    except VitrifyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
