"""Targets for a model, and whether it meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vitrify.ogn.evaluate.results import REFERENCE, SECOND, OneStep, pair_label, pairs_of
from vitrify.ogn.evaluate.settings import CONTROLS

LOST = 0.9  # of v_std: with a larger velocity error, nothing is known about the velocities
POSITION_BAR, VELOCITY_BAR = 0.25, 0.2  # of Verlet's errors at the same stride
LOST_BAR = 0.25  # of v_std, where Verlet at the same stride has lost the velocities
DIFFUSIVE = 0.8  # logarithmic slope of the MSD from which a run determines D
PASS, MISS, NOISE = "pass", "miss", "noise"

_LIMITS = {
    "g(r)": (0.02, "relative L2 distance"),
    "temperature": (0.02, "relative"),
    "diffusion": (0.1, "relative"),
    "plateau": (0.05, "relative"),
    "F_s": (0.02, "largest difference"),
    "spectrum": (0.05, "area between the spectra"),
    "momentum": (1e-6, "of the thermal momentum"),
    "blown_up": (0.0, ""),
}


def one_step_verdict(one: OneStep) -> dict[str, Any]:
    """Model over Verlet, with exact forces, over one stride: below 1 the model is better.

    Where Verlet has lost the velocities (error beyond 0.9 v_std, or no finite numbers), there is no ratio
    for them. Against Verlet at the same stride there are bars: a quarter of its position error; a fifth of its
    velocity error, or 0.25 v_std where it is lost.
    """
    model, found = one.metrics["model"], {}
    for name in ("verlet_stride", "verlet_half_stride"):
        other = one.metrics[name]
        lost = bool(other["lost"]) or not other["v_rmse_over_v_std"] <= LOST
        found[name] = {
            "x_ratio": model["x_rmse"] / other["x_rmse"],
            "v_ratio": None if lost else model["v_rmse"] / other["v_rmse"],
            "verlet_lost": lost,
        }
    same = found["verlet_stride"]
    velocity = model["v_rmse_over_v_std"] if same["verlet_lost"] else same["v_ratio"]
    whole = not model["lost"]  # errors say nothing about starts from which there were no finite numbers
    same["x_passed"] = whole and bool(same["x_ratio"] <= POSITION_BAR)
    same["v_passed"] = whole and bool(velocity <= (LOST_BAR if same["verlet_lost"] else VELOCITY_BAR))
    return found


def long_run_verdicts(averages: Mapping[str, Any], species: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """For every run but MD: target -> {value, limit, noise, verdict}. averages: as `long_run.average` gives them.

    `noise` is the difference of two exact runs. The verdict is "noise" where it exceeds the limit, so that these runs
    cannot decide. Where the MSD of MD has a logarithmic slope below 0.8, the plateau of the MSD counts and not D.
    """
    return {
        run: {key: _judge(key, row, averages[SECOND]) for key in _targets(averages, species, run)}
        for run, row in averages.items()
        if run != REFERENCE
    }


def _targets(averages: Mapping[str, Any], species: tuple[str, ...], run: str) -> Iterator[str]:
    yield "blown_up"
    for pair in pairs_of(species):
        yield f"g(r) {pair_label(pair, species)}"
    for name in species:
        moves = averages[REFERENCE][f"slope {name}"]["mean"] >= DIFFUSIVE
        yield f"temperature {name}, relative"
        yield f"{'diffusion' if moves else 'plateau'} {name}, relative"
        yield f"F_s {name}"
        yield f"spectrum {name}"
    if run != CONTROLS["langevin"]:  # whose noise is not meant to conserve it
        yield "momentum"


def _judge(key: str, row: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    limit = _LIMITS[key.partition(" ")[0]][0]
    value, noise = abs(row[key]["mean"]), abs(second[key]["mean"])
    verdict = PASS if value <= limit else NOISE if noise > limit else MISS
    return {"value": row[key]["mean"], "limit": limit, "noise": second[key]["mean"], "verdict": verdict}


def limit_note() -> str:
    """The targets in words."""
    return "; ".join(f"{name} {limit:g} {what}".strip() for name, (limit, what) in _LIMITS.items())
