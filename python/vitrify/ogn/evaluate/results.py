"""The results of an evaluation of models of dynamics: what `measure` finds and the report shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from vitrify.analysis import RDF, logarithmic_slope
from vitrify.data.trajectories import TrajectoryMeta
from vitrify.ogn.evaluate.settings import Settings
from vitrify.ogn.interface import MotionPredictor

MARK = 100  # base steps after which errors of roll-outs are compared, as in the paper
REFERENCE, SECOND = "MD", "MD, another start"  # the names of the exact long runs
_HOT = 1.5  # times the temperature of the start: no run that is meant to be at equilibrium gets there


@dataclass
class OneStep:
    """Errors of several methods over one stride, from the same starts.

    `metrics[method]`: x_rmse and v_rmse (per component, absolute), v_rmse / v_std with v_std the spread of the true
    velocities, these numbers for each species, the standard error over trajectories, the mean change of the kinetic
    energy against the truth (relative; negative for a method that damps motion), and the largest momentum change over
    the thermal momentum of the cell. `lost` counts the starts from which a method gave no finite numbers; they are left
    out of its errors. `scatter[method]`: true and predicted components of dr and dv for a figure.
    """

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    scatter: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    v_std: float = 0.0
    pairs: int = 0


@dataclass
class Rollout:
    """Errors by time: `x[method]`, `v[method]` (F,), root mean squares over components, atoms and starts.

    times (F,): from 0; `*_stderr`: standard errors over starts. NaN from the time at which a method lost a path.
    """

    times: np.ndarray
    starts: int = 0
    v_std: float = 0.0
    x: dict[str, np.ndarray] = field(default_factory=dict)
    v: dict[str, np.ndarray] = field(default_factory=dict)
    x_stderr: dict[str, np.ndarray] = field(default_factory=dict)
    v_stderr: dict[str, np.ndarray] = field(default_factory=dict)

    def at(self, time: float) -> dict[str, dict[str, float]]:
        """Errors of every method at the time nearest to `time`."""
        i = int(np.argmin(np.abs(self.times - time)))
        return {
            name: {"time": float(self.times[i]), "x_rmse": float(self.x[name][i]), "v_rmse": float(self.v[name][i]),
                   "v_rmse_over_v_std": float(self.v[name][i] / self.v_std)}
            for name in self.x
        }  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """Measurements on one run of `atoms` atoms, in the units of the data.

    times, energy (per atom), temperature, momentum (T,): along the run. temperatures, diffusion (n_species,).
    rdf: over the settled part. lags (L,) in time, msd and scattering F_s(k_star, lag) (n_species, L):
    short ones from the window, long ones from the whole run. frequencies (F,), spectrum (n_species, F): from
    the window, empty without one. kinetic_energy: of the start, per atom. failure: why the run ended early, or "".
    """

    atoms: int
    times: np.ndarray
    energy: np.ndarray
    temperature: np.ndarray
    momentum: np.ndarray
    temperatures: np.ndarray
    rdf: RDF
    lags: np.ndarray
    msd: np.ndarray
    diffusion: np.ndarray
    k_star: float
    scattering: np.ndarray
    frequencies: np.ndarray
    spectrum: np.ndarray
    kinetic_energy: float
    failure: str

    @property
    def blown_up(self) -> bool:
        """Ended early, or became much hotter than it was."""
        return bool(self.failure) or not bool(np.all(self.temperature < _HOT * self.temperature[0]))

    def slope(self) -> np.ndarray:
        """(n_species,) d ln MSD / d ln t at the longest lag that has one: 1 for diffusion, 0 in a cage."""
        found = []
        for row in self.msd[:, 1:]:
            slope = logarithmic_slope(self.lags[1:], row)
            finite = slope[np.isfinite(slope)]
            found.append(float(finite[-1]) if len(finite) else np.nan)
        return np.array(found)

    def plateau_lags(self) -> np.ndarray:
        """(n_species,) the lag at which the logarithmic slope of the MSD is nearest to 0: where the cage shows."""
        found = []
        for row in self.msd[:, 1:]:
            slope = np.abs(logarithmic_slope(self.lags[1:], row, span=4.0))  # wide, for the MSD may overshoot
            found.append(float(self.lags[1 + np.nanargmin(slope)]) if np.isfinite(slope).any() else np.nan)
        return np.array(found)


def pair_label(pair: tuple[int, int], species: tuple[str, ...]) -> str:
    """The name of a pair of types, as in A-B."""
    return f"{species[pair[0]]}-{species[pair[1]]}"


def pairs_of(species: tuple[str, ...]) -> list[tuple[int, int]]:
    """All pairs of types, a <= b."""
    return list(combinations_with_replacement(range(len(species)), 2))


@dataclass(frozen=True)
class OGNResults:
    """All that was measured. long_runs: for each seed, a run by its name."""

    opened: MotionPredictor
    meta: TrajectoryMeta
    settings: Settings
    one_step: OneStep
    rollout: Rollout
    long_runs: list[dict[str, Observed]]
    metrics: dict[str, Any]
