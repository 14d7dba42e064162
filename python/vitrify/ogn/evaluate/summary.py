"""What an evaluation of a model of dynamics comes to, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrify.ogn.evaluate.results import OGNResults
from vitrify.ogn.evaluate.verdicts import LOST_BAR, MISS, NOISE, PASS, POSITION_BAR, VELOCITY_BAR
from vitrify.report.html import number
from vitrify.report.verdicts import Verdict


def summarise(results: OGNResults) -> list[Verdict]:
    """The errors over one stride against Verlet's, and the long runs against MD."""
    one, model = results.metrics["one_step"]["verdict"]["verlet_stride"], results.one_step.metrics["model"]
    lost = one["verlet_lost"]
    velocity = model["v_rmse_over_v_std"] if lost else one["v_ratio"]
    bar = f"Verlet is lost; {LOST_BAR:g} of the spread" if lost else f"Verlet's error; at most {VELOCITY_BAR:g}"
    rows = [
        Verdict(
            "position error of a stride", number(one["x_ratio"]), f"Verlet's error; at most {POSITION_BAR:g}",
            PASS if one["x_passed"] else MISS,
        ),
        Verdict("velocity error of a stride", number(velocity), bar, PASS if one["v_passed"] else MISS),
    ]  # fmt: skip
    return rows + [_run(name, judged) for name, judged in results.metrics["long_run_verdicts"].items()]


def _run(name: str, judged: Mapping[str, Mapping[str, Any]]) -> Verdict:
    by = {word: [key for key, found in judged.items() if found["verdict"] == word] for word in (PASS, MISS, NOISE)}
    words = [f"{word}: {', '.join(by[word])}" for word in (MISS, NOISE) if by[word]]
    value = f"{len(by[PASS])} of {len(judged)} targets"
    return Verdict(f"long run: {name}", value, "MD, and a second MD run", "; ".join(words) or PASS)
