"""One-step error: how far from the truth each method is after one stride."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.ogn.evaluate.results import OneStep
from vitrify.ogn.evaluate.sampling import Path
from vitrify.ogn.evaluate.steppers import Stepper

_SCATTER = 20_000  # components kept for the figure of true against predicted


@dataclass
class _Sums:
    """Sums of squares over the atoms of one species in one trajectory."""

    x: float = 0.0
    v: float = 0.0
    v_true: float = 0.0
    n: int = 0


def one_step(
    steppers: Mapping[str, Stepper],
    paths: Iterable[Path],
    species: tuple[str, ...],
    masses: tuple[float, ...],
    tick: Callable[[], None] = lambda: None,
) -> OneStep:
    """Steps every start once with every method and compares with the frame one stride later."""
    accounts = {name: _Account(species, np.asarray(masses)) for name in steppers}
    result = OneStep()
    for path in paths:
        x, v = path.positions[0], path.velocities[0]
        for name, stepper in steppers.items():
            accounts[name].add(path, *stepper.step(x, v, path.cell, path.types))
        result.pairs += 1
        tick()
    for name, account in accounts.items():
        result.metrics[name] = account.metrics()
        result.scatter[name] = {
            key: np.concatenate(parts)[:_SCATTER] for key, parts in account.scatter.items() if parts
        }
        result.v_std = float(np.nanmax([result.v_std, account.v_std()]))
    return result


class _Account:
    """Collects the errors of one method."""

    def __init__(self, species: tuple[str, ...], masses: np.ndarray) -> None:
        self.species, self.masses = species, masses
        self.sums: dict[tuple[int, int], _Sums] = {}
        self.kinetic_change: list[float] = []
        self.momentum: list[float] = []
        self.lost = 0
        self.scatter: dict[str, list[np.ndarray]] = {"dr_true": [], "dr": [], "dv_true": [], "dv": []}

    def add(self, path: Path, x: np.ndarray, v: np.ndarray) -> None:
        if not (np.isfinite(x).all() and np.isfinite(v).all()):
            self.lost += 1
            return
        x_true, v_true = path.positions[1], path.velocities[1]
        for s in range(len(self.species)):
            mine = path.types == s
            sums = self.sums.setdefault((path.trajectory, s), _Sums())
            sums.x += float(np.sum((x - x_true)[mine] ** 2))
            sums.v += float(np.sum((v - v_true)[mine] ** 2))
            sums.v_true += float(np.sum(v_true[mine] ** 2))
            sums.n += 3 * int(mine.sum())
        m = self.masses[path.types][:, None]
        true_energy = np.sum(m * v_true**2)
        self.kinetic_change.append(float(np.sum(m * v**2) / true_energy - 1))
        # Thermal momentum of the cell: the root of <P^2> if the atoms were independent.
        thermal = np.sqrt(np.sum(m**2 * v_true**2))
        self.momentum.append(float(np.linalg.norm(np.sum(m * (v - path.velocities[0]), axis=0)) / thermal))
        if sum(map(len, self.scatter["dr"])) < _SCATTER:
            changes = {
                "dr_true": x_true - path.positions[0], "dr": x - path.positions[0],
                "dv_true": v_true - path.velocities[0], "dv": v - path.velocities[0],
            }  # fmt: skip
            for key, change in changes.items():
                self.scatter[key].append(change.ravel())

    def _rmse(self, which: Callable[[int, int], bool]) -> dict[str, float]:
        chosen = [sums for (trajectory, s), sums in self.sums.items() if which(trajectory, s)]
        n = sum(sums.n for sums in chosen) or np.nan
        x, v, v_true = (float(np.sqrt(sum(getattr(s, key) for s in chosen) / n)) for key in ("x", "v", "v_true"))
        return {"x_rmse": x, "v_rmse": v, "v_rmse_over_v_std": v / v_true}

    def v_std(self) -> float:
        n = sum(sums.n for sums in self.sums.values()) or np.nan
        return float(np.sqrt(sum(sums.v_true for sums in self.sums.values()) / n))

    def metrics(self) -> dict[str, Any]:
        trajectories = sorted({trajectory for trajectory, _ in self.sums})
        each = [self._rmse(lambda t, s, wanted=wanted: t == wanted) for wanted in trajectories]  # type: ignore[misc]
        total: dict[str, Any] = self._rmse(lambda t, s: True)
        for key in list(total):
            spread = np.std([one[key] for one in each], ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
            total[f"{key}_stderr"] = float(spread)
        present = [s for s in range(len(self.species)) if any(s == k and sums.n for (_, k), sums in self.sums.items())]
        total["species"] = {
            self.species[s]: self._rmse(lambda t, k, wanted=s: k == wanted)  # type: ignore[misc]
            for s in present
        }
        total["kinetic_energy_change"] = float(np.mean(self.kinetic_change)) if self.kinetic_change else np.nan
        total["momentum_change"] = max(self.momentum, default=np.nan)
        total["lost"] = self.lost
        return total
