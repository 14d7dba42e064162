"""Short trajectories of one sample at many temperatures and densities, one after the other.

What is a function of positions and velocities, such as the stress of a stride, is learned from many states and needs no
long history: each state begins where the one before ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vitrify.data.trajectories import Trajectory
from vitrify.datagen.trajectories.campaign import canonical, record, remove_overlaps
from vitrify.datagen.trajectories.systems import System

FIRST, HOLD = 3000, 1000  # base steps at the temperature of a state before its frames: of the first one, and of others


def visit(
    system: System,
    states: Sequence[tuple[float, float]],
    frames: int,
    every: int,
    seed: int,
    tick: Callable[[int], None] = lambda steps: None,
) -> Iterator[Trajectory]:
    """A trajectory of `frames` microcanonical frames for each state, `every` base steps apart.

    system: the atoms, the potential and the cell to which the states refer. states: temperature, and the factor of the
    edges of the cell; the first one starts from random positions. tick: takes the number of base steps that are done.
    """
    rng = np.random.default_rng(seed)
    positions, velocities = rng.random((system.n_atoms, 3)) * system.box, np.zeros((0, 3))
    edge = system.box
    for number, (temperature, factor) in enumerate(states):
        here = replace(system, box=system.box * factor, temperature=temperature)
        positions = positions * (here.box / edge)
        edge = here.box
        with here.session(positions) as session:
            if number == 0:
                remove_overlaps(session, here)
                positions, velocities = session.state().positions, rng.normal(size=positions.shape)
            else:
                session.run_commands(*here.commands)
            session.set_state(positions, velocities)
            session.run_commands("velocity all zero linear", f"velocity all scale {temperature!r}", "fix nve all nve")
            canonical(session, here, rng, tick, HOLD if number else FIRST, here.substeps, None, None)
            found = record(session, here, frames, every, tick)
        yield found
        positions, velocities = found.positions[-1], found.velocities[-1]
