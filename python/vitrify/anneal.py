"""Annealing with a model's own potential until a structure at rest has the energy that is asked for.

A decoder places atoms as the data do, but for defects that only time removes: at rest its structures lie above those of
a simulation. The model's potential is the way down: molecular dynamics that cools, with a look at the nearest minimum
every so often, passes one window of energies after another and stops in the one that is wanted.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.optimize import FIRE

from vitrify.errors import VitrifyError

_FRICTION = 0.02  # 1/fs
_ITERATIONS = 500  # of a minimisation at most


@dataclass(frozen=True)
class Anneal:
    """How long and how hot.

    time: ps at most. start, end: K, between which the logarithm of the temperature falls evenly. look: ps between two
    looks at the minimum. timestep: ps. force: eV/A, at which a minimisation ends. margin: share of the window that is
    left free at either side, as the potential has its error.
    """

    time: float = 50.0
    start: float = 1300.0
    end: float = 700.0
    look: float = 1.0
    timestep: float = 0.004
    force: float = 0.02
    margin: float = 0.15

    def __post_init__(self) -> None:
        for name in ("time", "start", "end", "look", "timestep", "force"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise VitrifyError(f"an anneal with {name} {value:g}: give a number above 0")
        if not 0 <= self.margin < 0.5:
            raise VitrifyError(f"an anneal with margin {self.margin:g}: give a share below 0.5")


def anneal(atoms: Atoms, calculator: Calculator, window: tuple[float, float], settings: Anneal, seed: int) -> Atoms:
    """The first minimum whose energy (eV/atom, of `calculator`) lies in the window, else the one that comes nearest.

    The cell stays. `info["inherent_energy"]` is that energy, `info["annealed"]` the time (ps) that it took.

    Raises VitrifyError if the atoms fly apart.
    """
    low, high = window
    if not low < high:
        raise VitrifyError(f"the energies {low:g} to {high:g} leave nothing between them: give the lower one first")
    rest = settings.margin * (high - low)
    aim = low + rest, high - rest
    walker = Atoms(atoms)
    walker.calc = calculator
    random = np.random.default_rng([seed, 11])
    best, miss = _at_rest(walker, settings, 0.0, aim)
    walker.positions = best.positions
    MaxwellBoltzmannDistribution(walker, temperature_K=settings.start, rng=random)
    Stationary(walker)
    motion = Langevin(
        walker, settings.timestep * 1e3 * units.fs, temperature_K=settings.start, friction=_FRICTION / units.fs,
        rng=random,
    )  # fmt: skip
    steps = max(1, round(settings.look / settings.timestep))
    time = 0.0
    while miss > 0 and time < settings.time - 1e-9:
        time += steps * settings.timestep
        share = min(time / settings.time, 1.0)
        motion.set_temperature(temperature_K=settings.start * (settings.end / settings.start) ** share)
        motion.run(steps)
        found, wrong = _at_rest(walker, settings, time, aim)
        if wrong < miss:
            best, miss = found, wrong
    best.calc = None
    return best


def _at_rest(walker: Atoms, settings: Anneal, time: float, aim: tuple[float, float]) -> tuple[Atoms, float]:
    """The nearest minimum, and how far its energy is from the aim."""
    found = Atoms(walker)
    found.info = dict(walker.info)
    found.calc = walker.calc
    FIRE(found, logfile=None).run(fmax=settings.force, steps=_ITERATIONS)
    energy = found.get_potential_energy() / len(found)
    if not np.isfinite(energy):
        raise VitrifyError("the annealed atoms fly apart: give a shorter timestep or a lower temperature")
    found.info |= {"inherent_energy": float(energy), "annealed": round(time, 6)}
    return found, max(aim[0] - energy, energy - aim[1], 0.0)
