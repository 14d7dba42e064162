"""The native engine of OGN in several builds of vitrify beside one another, by shipped model and instruction set.

    python -m benchmarks.native_engine_versions old=OTHER/.venv/bin/python new=.venv/bin/python
    python -m benchmarks.native_engine_versions old=... new=... --atoms 1000 --models cuzr si --sets avx2

Each build is named and given by the Python of an environment that has it. The builds take turns of a few predictions of
one liquid, so that whatever else the machine does slows them all down. Shown are the least time of each, the median of
the ratios of the first build's time to its own in the same round, and how far its answer is from the first build's,
relative to the root mean square.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:  # run by its path, so that the repository is not on sys.path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import paths
from benchmarks.common.output import page, write_json, write_text
from benchmarks.common.predictions import jittered_lattice
from benchmarks.native_engine import INSTRUCTION_SETS, SYSTEMS
from vitrify.datagen.trajectories.systems import get_system

RESULTS = paths.RESULTS / "native_engine_versions"
TITLES = ["model", "instructions", "build", "us for each atom", "times as fast", "dr off by", "dv off by"]

WORKER = """
import sys
import numpy as np
from vitrify.ogn.native import NativeOGN
model, case, answer = NativeOGN(sys.argv[1]), dict(np.load(sys.argv[2])), sys.argv[3]
np.save(answer, model.predict(**case))
print(model.bytes, flush=True)
for line in sys.stdin:
    seconds = []
    for _ in range(int(line)):
        model.predict(**case)
        seconds.append(model.seconds[1])
    print(min(seconds), flush=True)
"""


class Build:
    """A process that predicts with one build of vitrify when it is asked to."""

    def __init__(self, name: str, python: str, model: Path, case: Path, instructions: str, folder: Path) -> None:
        answer = folder / f"{name}.npy"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "VITRIFY_SIMD": instructions}
        self.name = name
        self.process = subprocess.Popen(
            [python, "-c", WORKER, str(model), str(case), str(answer)],
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.bytes = self.read()
        self.answer = np.load(answer)
        self.times: list[float] = []

    def read(self) -> float:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the build {self.name} does not run: see above")
        return float(line)

    def turn(self, predictions: int) -> None:
        assert self.process.stdin
        print(predictions, file=self.process.stdin, flush=True)
        self.times.append(self.read())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def liquid(name: str, atoms: int, path: Path) -> int:
    """Writes a jittered lattice at the density and the temperature of a system; returns the number of atoms."""
    system, rng = get_system(name), np.random.default_rng(0)
    positions, cell = jittered_lattice(atoms, system.n_atoms / system.box**3, rng)
    types = rng.integers(0, len(system.species), len(positions))
    boltzmann = 1.0 if system.units == "lj" else 0.8314  # A^2 g/mol / ps^2 / K
    speeds = np.sqrt(boltzmann * system.temperature / np.array(system.masses))[types]
    velocities = speeds[:, None] * rng.standard_normal(positions.shape)
    np.savez(path, positions=positions, velocities=velocities, cell=cell, types=types)
    return len(types)


def compare(name: str, instructions: str, builds: dict[str, str], atoms: int, turns: int) -> list[dict[str, Any]]:
    """Times of all builds with one model and instruction set."""
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.npz"
        n = liquid(name, atoms, case)
        model = paths.POTENTIALS / f"{name}.ogn.pt"
        running = [Build(build, python, model, case, instructions, Path(folder)) for build, python in builds.items()]
        for _ in range(turns):
            for build in running:
                build.turn(3)
        for build in running:
            build.close()
    first = running[0]
    size = np.sqrt(np.mean(first.answer**2, axis=(1, 2)))
    rows = []
    for build in running:
        off = np.sqrt(np.mean((build.answer - first.answer) ** 2, axis=(1, 2))) / size
        rows.append({
            "model": name, "instructions": instructions, "build": build.name, "atoms": n,
            "us_per_atom": 1e6 * min(build.times) / n, "ratio": float(np.median(np.divide(first.times, build.times))),
            "bytes_per_atom": build.bytes / n, "dr_off": float(off[0]), "dv_off": float(off[1]),
        })  # fmt: skip
    return rows


def usable(python: str, sets: Sequence[str]) -> list[str]:
    """Those of the instruction sets that this processor has."""
    asked = "import json; from vitrify import _core; print(json.dumps(_core.usable_instruction_sets()))"
    done = subprocess.run([python, "-c", asked], text=True, capture_output=True)
    known = json.loads(done.stdout) if done.returncode == 0 else list(INSTRUCTION_SETS)
    return [name for name in sets if name in known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="+", metavar="NAME=PYTHON", help="two or more; the first is compared with")
    parser.add_argument("--atoms", type=int, default=4096, help="atoms of each liquid, about")
    parser.add_argument("--turns", type=int, default=25, help="turns of three predictions of each build")
    parser.add_argument("--models", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--sets", nargs="+", choices=INSTRUCTION_SETS, default=INSTRUCTION_SETS)
    arguments = parser.parse_args()
    builds = dict(build.split("=", 1) for build in arguments.builds)
    rows = []
    for name in arguments.models:
        for instructions in usable(next(iter(builds.values())), arguments.sets):
            for row in compare(name, instructions, builds, arguments.atoms, arguments.turns):
                rows.append(row)
                print({key: round(value, 9) if isinstance(value, float) else value for key, value in row.items()})
    write_json(RESULTS.with_suffix(".json"), {"load_average": os.getloadavg()[0], "rows": rows})
    cells = [
        [row["model"], row["instructions"], row["build"], f"{row['us_per_atom']:.2f}", f"{row['ratio']:.2f}",
         f"{row['dr_off']:.0e}", f"{row['dv_off']:.0e}"]
        for row in rows
    ]  # fmt: skip
    command = f"python -m benchmarks.native_engine_versions {' '.join(f'{name}=PYTHON' for name in builds)}"
    title = f"Builds of the native engine side by side, {arguments.atoms:,} atoms, one thread"
    write_text(RESULTS.with_suffix(".md"), page(title, command, TITLES, cells))
    print(f"\n{RESULTS.with_suffix('.md').relative_to(paths.ROOT)}")


if __name__ == "__main__":
    main()
