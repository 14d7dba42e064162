"""Annealing with a model's own potential until the inherent energy of a structure lies in the window asked for.

A decoder places atoms as in the data, except for defects that only time removes: minima of its structures have higher
energies than those of a simulation. Molecular dynamics with the model's potential lowers them: it cools, a copy is
minimised at regular intervals, and it stops when the energy of the minimum lies in the window.

Dynamics in a potential with errors prefers structures whose energy the potential underestimates: at temperature T,
energies are too low by var / kT for each atom, where var is the variance of the error of a cell over its number of
atoms (first order of free energy perturbation). Inherent energies are corrected by that.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from scipy.optimize import minimize

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.core.units import get_units
from vitrify.data.ase_atoms import types_of
from vitrify.engines.interface import EnergyPredictor

_SIGMA, _EPSILON, _MASS = 2.7, 0.15, 63.546  # A, eV, u: of reduced units, as in Cu-Zr
_ITERATIONS = 1000  # of a minimisation at most
_STARTS = 5  # of a minimisation: its line search may fail where atoms are close


@dataclass(frozen=True)
class Anneal:
    """Times, temperatures and tolerances of an anneal, in the units of the model.

    These defaults are for metal units; `for_units` scales them. Raises VitrifyError for values out of range.
    """

    time: float = 250.0  # ps, at most
    start: float = 950.0  # K, from which the temperature falls linearly
    end: float = 800.0  # K, at `time`
    look: float = 2.0  # ps between two minimisations
    timestep: float = 0.008  # ps
    damping: float = 1.0  # ps, of the thermostat
    force: float = 0.02  # eV/A, largest component of a force at which a minimisation ends
    drawn: float = 0.002  # eV/atom: largest difference from the energy that was drawn for a structure
    margin: float = 0.15  # share of the window left free at either side, for the error of the potential

    def __post_init__(self) -> None:
        for name in ("time", "start", "end", "look", "timestep", "damping", "force", "drawn"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise VitrifyError(f"an anneal with {name} {value:g}: give a number above 0")
        if not 0 <= self.margin < 0.5:
            raise VitrifyError(f"an anneal with margin {self.margin:g}: give a share below 0.5")

    @classmethod
    def for_units(cls, units: str, **changes: Any) -> Anneal:
        """The defaults in the LAMMPS units `metal` or `lj`.

        Scaled as `vitrify.datagen.barriers.artn.ARTnSettings.for_units` does: a sigma of 2.7 A and an epsilon of 0.15
        eV give a Kob-Andersen liquid the spacing and the glass temperature of Cu-Zr; the mass of
        copper makes the unit of time 0.57 ps.
        """
        found = cls()
        if units == "lj":
            metal = get_units("metal")
            time = _SIGMA * (_MASS * metal.mvv2e / _EPSILON) ** 0.5
            powers = {
                **dict.fromkeys(("time", "look", "timestep", "damping"), 1 / time),
                **dict.fromkeys(("start", "end"), metal.boltz / _EPSILON),
                "force": _SIGMA / _EPSILON,
                "drawn": 1 / _EPSILON,
            }
            found = replace(found, **{name: getattr(found, name) * factor for name, factor in powers.items()})
        return replace(found, **changes)

    def temperature(self, time: float) -> float:
        """K, at a time in ps."""
        return self.start + (self.end - self.start) * min(time / self.time, 1.0)


def anneal(atoms: Atoms, model: EnergyPredictor, window: tuple[float, float], settings: Anneal, seed: int) -> Atoms:
    """The first minimum whose energy for each atom lies in the window, else the one that comes nearest.

    The cell stays. `info["inherent_energy"]` is that energy, corrected, `info["annealed"]` the time that it took,
    `info["energy_reached"]` whether that energy lies in the window; if it does not, there is a warning, too.

    Raises VitrifyError if the atoms fly apart.
    """
    low, high = window
    if not low < high:
        raise VitrifyError(f"the energies {low:g} to {high:g} leave nothing between them: give the lower one first")
    free = settings.margin * (high - low)
    best, nearest = atoms, np.inf
    variance = model.metadata.metrics.get("energy_variance", 0.0) / get_units(model.metadata.units).boltz
    for time, positions, energy in descent(atoms, model, settings, seed):
        energy += variance / settings.temperature(time) if time else 0.0
        miss = max(low + free - energy, energy - (high - free), 0.0)
        if miss < nearest:
            nearest, best = miss, Atoms(atoms)
            best.positions = positions
            best.info = {**atoms.info, "inherent_energy": energy, "annealed": round(time, 6)}
        if miss == 0.0:
            break
    best.wrap()  # type: ignore[no-untyped-call]
    _judge(best, window, settings, model.metadata.units)
    return best


def _judge(atoms: Atoms, window: tuple[float, float], settings: Anneal, units: str) -> None:
    """Sets `info["energy_reached"]`, and warns if the structure missed its window."""
    energy, (low, high), unit = atoms.info.get("inherent_energy", np.nan), window, get_units(units)
    atoms.info["energy_reached"] = bool(low <= energy <= high)
    if atoms.info["energy_reached"]:
        return
    which = f"structure of seed {atoms.info['seed']}" if "seed" in atoms.info else "structure"
    warnings.warn(
        f"the {which} missed the energy {low:.6g} to {high:.6g} {unit.energy}/atom: its inherent energy is "
        f"{energy:.6g} after {settings.time:g} {unit.time}, give a longer anneal or another energy",
        VitrifyWarning,
        stacklevel=4,
    )


def descent(
    atoms: Atoms, model: EnergyPredictor, settings: Anneal, seed: int
) -> Iterator[tuple[float, np.ndarray, float]]:
    """Minima along cooling dynamics: time, positions (N, 3) and energy for each atom; the first at time 0."""
    units, metadata = get_units(model.metadata.units), model.metadata
    types = types_of(list(atoms.symbols), metadata, None)
    cell, masses = atoms.cell.array, np.array(metadata.masses)[types][:, None]
    random = np.random.default_rng([seed, 11])
    still, energy = _model_minimum(model, atoms.positions, cell, types, settings.force)
    yield 0.0, still, energy
    x = still.copy()
    v = random.normal(size=x.shape) * units.thermal_velocity(masses, settings.start)
    v -= (masses * v).sum(0) / masses.sum()
    dt, scale = settings.timestep, units.ftm2v / masses
    steps, looks = max(1, round(settings.look / dt)), max(1, round(settings.time / settings.look))
    keep = np.exp(-dt / settings.damping)
    kick = dt * scale * model.predict(x, cell, types).forces
    for look in range(1, looks + 1):
        heat = np.sqrt(1.0 - keep**2) * units.thermal_velocity(masses, settings.temperature(look * steps * dt))
        for _ in range(steps):
            v += 0.5 * kick
            x += 0.5 * dt * v
            v = keep * v + heat * random.normal(size=x.shape)
            x += 0.5 * dt * v
            kick = dt * scale * model.predict(x, cell, types).forces
            v += 0.5 * kick
        still, energy = _model_minimum(model, x, cell, types, settings.force)
        yield look * steps * dt, still, energy


def _model_minimum(
    model: EnergyPredictor, positions: np.ndarray, cell: np.ndarray, types: np.ndarray, force: float
) -> tuple[np.ndarray, float]:
    """The nearest minimum (N, 3), and its energy for each atom."""

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        found = model.predict(flat.reshape(-1, 3), cell, types)
        return found.energy, -found.forces.ravel()

    options = {"gtol": force, "ftol": 0.0, "maxiter": _ITERATIONS}
    x = positions.ravel()
    for _ in range(_STARTS):
        found = minimize(both, x, jac=True, method="L-BFGS-B", options=options)
        x = found.x
        if np.abs(found.jac).max() <= force:
            break
    energy = float(found.fun) / len(positions)
    if not np.isfinite(energy):
        raise VitrifyError("the annealed atoms fly apart: give a shorter timestep or a lower temperature")
    return found.x.reshape(-1, 3), energy
