"""Trajectories for the stress of a stride: short, at many temperatures and densities.

    python -m benchmarks.ogn.stress_data cuzr --out runs/stress
    vitrify stress cuzr.ogn.pt runs/stress/cuzr_fit_*.h5 --validation runs/stress/cuzr_test.h5 -o MODEL

Samples are cooled through states that are spread over temperatures and edges, and one more, for the test, through
others. Frames are a quarter of a stride of the shipped model apart. Files that are there are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import vitrify
from vitrify.core.progress import Meter
from vitrify.data.trajectories import TrajectoryMeta, TrajectoryWriter
from vitrify.datagen.trajectories.states import FIRST, HOLD, visit
from vitrify.datagen.trajectories.systems import System, get_system
from vitrify.lammps_library.session import lammps_version

State = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """counts: of each species. edge: of the cell, relative to the system's at the same number of atoms. seed: of the
    trajectory. frames: of each state. states: temperatures, and factors of the edge."""

    counts: tuple[int, ...]
    edge: float
    seed: int
    frames: int
    states: tuple[State, ...]


def scattered(number: int, temperatures: State, length: float, seed: int) -> tuple[State, ...]:
    """States from hot to cold, with edges up to `length` longer or shorter."""
    random = np.random.default_rng(seed)
    falling = np.sort(random.uniform(*temperatures, number))[::-1]
    return tuple((float(t), 1.0 + float(random.uniform(-length, length))) for t in falling)


_CUZR_GRID = (
    (2000.0, 0.005), (2000.0, -0.02), (1500.0, -0.015), (1500.0, 0.02), (1200.0, 0.015), (1200.0, 0.0), (900.0, -0.02),
    (900.0, 0.02), (600.0, 0.01), (600.0, -0.01), (300.0, -0.02), (300.0, 0.0),
)  # fmt: skip
# For each system: base steps between frames, step of the integration, samples of the fit and of the test.
SAMPLES: dict[str, tuple[int, float, tuple[Sample, ...], Sample]] = {
    "cuzr": (
        10, 0.001,
        (
            Sample((64, 36), 1.0, 1, 161, scattered(16, (280.0, 2100.0), 0.022, 7)),
            Sample((50, 50), 1.022, 11, 161, scattered(8, (280.0, 2100.0), 0.022, 77)),
            Sample((322, 178), 1.0, 1, 241, tuple((t, 1.0 + length) for t, length in _CUZR_GRID)),
        ),
        Sample((322, 178), 1.0, 3, 41, scattered(8, (300.0, 2000.0), 0.018, 5)),
    ),
    "si": (
        5, 0.001,
        (Sample((100,), 1.0, 1, 161, scattered(20, (1500.0, 2500.0), 0.015, 7)),),
        Sample((500,), 1.0, 2, 81, scattered(6, (1600.0, 2400.0), 0.012, 8)),
    ),
    "kalj": (
        5, 0.001,
        (Sample((80, 20), 1.0, 1, 121, scattered(16, (2.0, 4.0), 0.015, 7)),),
        Sample((400, 100), 1.0, 2, 81, scattered(6, (2.2, 3.8), 0.012, 8)),
    ),
}  # fmt: skip


def system_of(name: str, sample: Sample, timestep: float) -> System:
    """The recipe with the atoms and the cell of a sample."""
    plain = get_system(name).with_settings(md_timestep=timestep)
    box = plain.box * (sum(sample.counts) / plain.n_atoms) ** (1 / 3) * sample.edge
    return replace(plain, counts=sample.counts, box=box)


def describe(name: str, sample: Sample) -> tuple[System, TrajectoryMeta]:
    """The system of a sample, and the metadata of its file."""
    every, timestep, _, _ = SAMPLES[name]
    system = system_of(name, sample, timestep)
    recipe = {
        **system.recipe(), "stages": [], "settle": HOLD, "first": FIRST, "frames": sample.frames,
        "states": [list(state) for state in sample.states],
    }  # fmt: skip
    meta = TrajectoryMeta(
        system=name, units=system.units, species=system.species, masses=system.masses,
        base_timestep=system.base_timestep, md_timestep=system.md_timestep, frame_interval=every, recipe=recipe,
        seed=sample.seed, versions={"vitrify": vitrify.__version__, "lammps": lammps_version()},
    )  # fmt: skip
    return system, meta


def write(name: str, sample: Sample, path: Path) -> None:
    """Simulates the states of a sample into a file."""
    system, meta = describe(name, sample)
    total = FIRST + HOLD * (len(sample.states) - 1) + len(sample.states) * (sample.frames - 1) * meta.frame_interval
    with TrajectoryWriter(path, meta) as writer, Meter(total, path.name, "step") as meter:
        for run in visit(system, sample.states, sample.frames, meta.frame_interval, sample.seed, meter.update):
            writer.append(run)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=SAMPLES)
    parser.add_argument("--out", type=Path, default=Path("runs/stress"), help="folder of the files")
    chosen = parser.parse_args(arguments)
    _, _, fit, test = SAMPLES[chosen.system]
    named = {f"{chosen.system}_fit_{k}": sample for k, sample in enumerate(fit)} | {f"{chosen.system}_test": test}
    for label, sample in named.items():
        path = chosen.out / f"{label}.h5"
        if not path.exists():
            write(chosen.system, sample, path)
        print(path, flush=True)


if __name__ == "__main__":
    main()
