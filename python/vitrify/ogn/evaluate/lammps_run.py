"""Runs of the real `lmp`: input scripts, progress, errors, and reading the dumps and logs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path, make_folder, own_content, sha256, writing
from vitrify.core.lmp_process import LOG, follow_lmp
from vitrify.core.lmp_process import available_cores as available_cores
from vitrify.core.lmp_process import program as program
from vitrify.data.trajectories import TrajectoryMeta
from vitrify.lammps_library.session import expand
from vitrify.ogn.evaluate.runs import Record, Start, Tick, Window
from vitrify.ogn.evaluate.steppers import open_session

Frame = tuple[int, np.ndarray, np.ndarray]  # step, cell, table of atoms
DUMP, WINDOW, DATA, DONE = "run.lammpstrj", "window.lammpstrj", "start.data", "done.json"


def run_lmp(
    script: Path,
    folder: Path,
    variables: Mapping[str, object] | None = None,
    ranks: int = 1,
    tick: Tick = lambda steps: None,
) -> None:
    """Runs `lmp -in script` in `folder` on some MPI ranks; thermo output tells `tick` how many steps were done.

    Raises VitrifyError with LAMMPS's own error.
    """
    last = 0

    def hear(line: str) -> None:
        nonlocal last
        first = line.split(maxsplit=1)[:1]
        if first and first[0].isdigit() and _is_thermo(line):
            tick(max(0, int(first[0]) - last))
            last = int(first[0])

    reason = follow_lmp(script, folder, hear, variables, ranks)
    if reason:
        raise VitrifyError(f"lmp failed on {script.name}: {reason} (log: {folder / LOG})")


def run_lmp_once(
    script: Path,
    folder: Path,
    inputs: Sequence[Path],
    variables: Mapping[str, object] | None = None,
    ranks: int = 1,
    tick: Tick = lambda steps: None,
    any_ranks: bool = False,
) -> tuple[float, bool]:
    """`run_lmp`, unless `folder` holds that very run already: same script, variables, ranks (or `any_ranks`) and
    input files.

    Returns the seconds that the run took, now or then, and whether it ran now.
    """
    values = {name: str(value) for name, value in (variables or {}).items()}
    wanted = [0 if any_ranks else ranks, values, *map(sha256, [script, *inputs])]
    done = folder / DONE
    if done.exists():
        with own_content(done, "the record of a run of vitrify evaluate"):
            found = json.loads(done.read_text())
            if found["run"] == wanted:
                return float(found["seconds"]), False
    for old in (done, folder / WINDOW):
        with writing(old):
            old.unlink(missing_ok=True)
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
    window: tuple[int, int] | None = None,
) -> Path:
    """Writes start.data and in.lammps: `steps` time steps with the given `fixes`, dumped every `every` steps.

    timestep: in the unit of time of the data. window: (frames, interval in time steps) of a second dump, which ends
    with the run.
    """
    make_folder(folder)
    with open_session(meta, start.cell, start.types) as session:
        session.set_state(start.positions, start.velocities)
        session.run_commands(f'write_data "{(folder / DATA).resolve()}" nocoeff')
    commands = [
        f"units           {meta.units}",
        f"atom_style      {'charge' if meta.recipe.get('charges') else 'atomic'}",
        f"read_data       {DATA}",
        "suffix          opt",
        *(expand(command) for command in meta.recipe["commands"]),
        "neigh_modify    every 1 delay 0 check yes",
        f"timestep        {timestep!r}",
        *fixes,
        "thermo_style    custom step temp pe ke etotal",
        "thermo_modify   norm no flush yes format float %.12g",
        f"thermo          {every}",
        *_dump(1, every, DUMP, 12),
    ]
    if window:
        frames, interval = window
        commands += _dump(2, interval, WINDOW, 9)
        commands.append(f"dump_modify     2 delay {(steps // interval - frames + 1) * interval}")
    script = folder / "in.lammps"
    with atomic_path(script) as work:
        work.write_text("\n".join([*commands, f"run             {steps}"]) + "\n")
    return script


def _dump(number: int, every: int, name: str, digits: int) -> list[str]:
    return [
        f"dump            {number} all custom {every} {name} id type xu yu zu vx vy vz",
        f"dump_modify     {number} sort id format float %.{digits}g",
    ]


def read_run(folder: Path, timestep: float, failure: str = "") -> Record:
    """The last run in `folder` of a LAMMPS script that `write_input` wrote, or of one with such dumps and thermo
    output."""
    energy = read_thermo(folder / LOG, "PotEng")
    frames = [frame for frame in _frames(folder / DUMP) if frame[0] in energy]
    if not frames:
        raise VitrifyError(f"{folder / DUMP} holds no frame: {failure or 'the run wrote nothing'}")
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
        window=_read_window(folder / WINDOW, timestep),
    )


def _read_window(path: Path, timestep: float) -> Window | None:
    frames = list(_frames(path)) if path.exists() else []
    if len(frames) < 2:
        return None
    atoms = np.array([values for _, _, values in frames])
    return Window((frames[1][0] - frames[0][0]) * timestep, atoms[:, :, 2:5], atoms[:, :, 5:8])


def _frames(path: Path) -> Iterator[Frame]:
    """Step, cell and table of atoms (sorted by id) of every frame of a text dump.

    Ends at the first incomplete frame or number that is not finite, which runs leave that died or blew up.
    """
    with path.open() as file:
        while file.readline():  # ITEM: TIMESTEP
            step, _, number = (file.readline().strip() for _ in range(3))
            box = "".join(islice(file, 4))
            file.readline()  # ITEM: ATOMS
            if not number.isdigit():
                return
            table = np.fromstring("".join(islice(file, int(number))), sep=" ")
            if len(table) != 8 * int(number) or not np.isfinite(table).all():
                return
            yield int(step), _cell(box), table.reshape(-1, 8)


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
