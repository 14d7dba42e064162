"""The baseline of a generator: MD from a random start, in the same cell, for the same CPU time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from vitrify.analysis.ensembles import volume
from vitrify.core.progress import counted
from vitrify.generation.relaxation import bond_lengths, correct

TIMESTEPS = (0.001, 0.002, 0.003)  # ps


@dataclass(frozen=True)
class Made:
    """Structures of one method, and the CPU time (s) that each took."""

    samples: list[Atoms]
    cpu_seconds: float


def md_from_random(
    cells: Sequence[np.ndarray],
    counts: Sequence[Mapping[str, int]],
    species: Sequence[str],
    commands: Sequence[str],
    temperature: float,
    steps: int,
    timestep: float | None,
    seed: int,
    *,
    final_temperature: float | None = None,
    iterations: int = 20,
    damping: float = 0.1,
    progress: bool = False,
) -> Made:
    """MD from atoms anywhere: push-off, `iterations` of minimisation, then `steps` at `temperature`, cell fixed.

    With `final_temperature` the MD goes there.

    cells: (3,3) each, with counts of atoms by element; species: in the order of the types of the LAMMPS `commands`
    (metal units); timestep: ps, None for what they bear. The seed of a sample follows from `seed` and its number alone.
    """
    starts = list(random_starts(cells, counts, seed))
    for atoms, _ in starts[:1]:  # loads LAMMPS before the clock runs
        correct(atoms, commands, species=species, push_off=_reach(atoms), iterations=1)
    start = time.process_time()
    samples = [
        correct(
            atoms, commands, species=species, temperature=temperature, steps=steps, timestep=timestep, seed=own,
            final_temperature=final_temperature, iterations=iterations, damping=damping, push_off=_reach(atoms),
        )
        for atoms, own in counted(starts, f"MD, {steps} steps", "sample", progress)
    ]  # fmt: skip
    return Made(samples, (time.process_time() - start) / max(1, len(samples)))


def random_starts(
    cells: Sequence[np.ndarray], counts: Sequence[Mapping[str, int]], seed: int
) -> Iterator[tuple[Atoms, int]]:
    """Atoms at random places in each cell, and a seed for the MD of each."""
    for number, (cell, count) in enumerate(zip(cells, counts, strict=True)):
        rng = np.random.default_rng([seed, number])
        symbols = [symbol for symbol, many in count.items() for _ in range(many)]
        positions = rng.random((len(symbols), 3)) @ np.asarray(cell, float)
        yield Atoms(symbols, positions=positions, cell=cell, pbc=True), int(rng.integers(1, 900_000_000))


def steps_for(cpu_seconds: float, seconds_at_rest: float, seconds_at: float, steps_at: int) -> int:
    """MD steps that end after `cpu_seconds`, from the time without steps and that with `steps_at`; 0 if none fit."""
    each = (seconds_at - seconds_at_rest) / steps_at
    return max(0, int((cpu_seconds - seconds_at_rest) / each)) if each > 0 else 0


def _reach(atoms: Atoms) -> float:
    """Range (A) of the first repulsion: the mean bond, or less where the atoms would not find room."""
    bonds = bond_lengths(sorted(set(atoms.symbols)))
    return float(min(bonds.mean(), 0.9 * (volume(atoms) / len(atoms)) ** (1 / 3)))


# RMSD of RDF and ADF of liquid silicon (256 atoms, 2500 K), and minutes for 10,000 samples on a GPU.
CITATION = "AMShortcut, Table 1: 10,000 samples on a GPU against the training data"
PUBLISHED: dict[str, dict[int, tuple[float, float, float]]] = {
    "material ODE": {
        1: (0.69118, 0.00280, 1.8), 5: (0.39007, 0.00173, 4.6), 10: (0.14917, 0.00073, 9.1),
        25: (0.04876, 0.00051, 22.5), 50: (0.04203, 0.00048, 44.9), 250: (0.03353, 0.00045, 204.0),
    },
    "material SDE": {
        1: (0.68477, 0.00282, 1.2), 5: (0.37975, 0.00188, 4.0), 10: (0.22054, 0.00100, 7.9),
        25: (0.04871, 0.00045, 20.2), 50: (0.02631, 0.00039, 39.8), 250: (0.01905, 0.00035, 192.0),
    },
    "AMShortcut": {
        1: (0.02513, 0.00067, 2.2), 5: (0.04041, 0.00034, 5.6), 10: (0.02244, 0.00032, 10.1),
        25: (0.01618, 0.00029, 24.0), 50: (0.01487, 0.00030, 46.9), 250: (0.01548, 0.00029, 216.0),
    },
}  # fmt: skip
PUBLISHED_SYSTEM = "si-liquid"
