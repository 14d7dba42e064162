"""Trajectories for the stress of a stride: short, at many temperatures and densities.

    python -m benchmarks.ogn.stress_data cuzr --out runs/stress
    vitrify stress cuzr.ogn.pt runs/stress/cuzr_fit_*.h5 --validation runs/stress/cuzr_test_00.h5 ... -o MODEL

The stress is a function of positions and velocities, whatever the history of the structure, so that the melt is brought
to its temperature in a few picoseconds. States are spread evenly over the ranges of RANGES; those of the test are
others, in larger cells. Frames are a stride of the shipped model apart. Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitrify.datagen.trajectories.campaign import generate
from vitrify.datagen.trajectories.systems import Stage, System, get_system

STRIDES = 40  # of a trajectory


@dataclass(frozen=True)
class Range:
    """temperature: lowest and highest. length: largest change of an edge, relative. every: base steps of a stride.
    atoms: of a cell of the fit and of the test. states: of the fit and of the test, for each composition. counts:
    compositions, as numbers of atoms of each species. timestep: of the integration. melt: base steps of the melt, of
    the cooling, and at the temperature."""

    temperature: tuple[float, float]
    length: float
    every: int
    atoms: tuple[int, int]
    states: tuple[int, int]
    counts: tuple[tuple[int, ...], ...]
    timestep: float
    melt: tuple[int, int, int] = (1000, 1000, 1500)


RANGES = {
    "cuzr": Range((300.0, 2000.0), 0.02, 40, (245, 500), (16, 6), ((158, 87), (122, 123)), 0.001),
    "si": Range((1600.0, 2400.0), 0.015, 20, (128, 512), (24, 8), ((128,),), 0.001),
    "sio2": Range((3000.0, 4200.0), 0.015, 10, (363, 501), (16, 6), ((121, 242),), 0.0005),
    "kalj": Range((2.0, 4.0), 0.02, 10, (265, 500), (16, 6), ((212, 53),), 0.001),
}


def states(number: int, ranges: Range, first: int) -> Iterator[tuple[float, float]]:
    """Temperatures, and factors of an edge: a sequence that fills the plane evenly from any number `first` on."""
    low, high = ranges.temperature
    for index in range(first, first + number):
        a, b = (0.5 + index * 0.7548776662466927) % 1.0, (0.5 + index * 0.5698402909980532) % 1.0
        yield low + a * (high - low), 1.0 + (2.0 * b - 1.0) * ranges.length


def systems(name: str) -> Iterator[tuple[str, System]]:
    """The system of each trajectory, with the name of its file."""
    ranges, plain = RANGES[name], get_system(name)
    hot = 1.25 * ranges.temperature[1]
    for part, atoms, number, first in zip(("fit", "test"), ranges.atoms, ranges.states, (0, 100), strict=True):
        for place, counts in enumerate(ranges.counts):
            mixed = replace(plain, counts=counts).with_settings(atoms, ranges.timestep)
            for index, (temperature, length) in enumerate(states(number, ranges, first + 50 * place)):
                stages = tuple(
                    Stage(steps, *ends)
                    for steps, ends in zip(ranges.melt, ((hot, hot), (hot, temperature), ()), strict=True)
                )
                label = f"{name}_{part}_{place * number + index:02d}"
                yield label, replace(mixed, box=mixed.box * length, temperature=temperature, stages=stages, settle=200)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=RANGES)
    parser.add_argument("--out", type=Path, default=Path("runs/stress"), help="folder of the files")
    chosen = parser.parse_args(arguments)
    for seed, (label, system) in enumerate(systems(chosen.system), 1):
        path = chosen.out / f"{label}.h5"
        generate(
            system, path, trajectories=1, frames=STRIDES + 1, every=RANGES[chosen.system].every, seed=seed,
            workers=1, progress=False,
        )  # fmt: skip
        print(f"{path}  T {system.temperature:.4g}, {system.n_atoms} atoms, edge {system.box:.4g}", flush=True)


if __name__ == "__main__":
    main()
