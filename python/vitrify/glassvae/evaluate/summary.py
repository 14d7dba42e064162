"""What an evaluation of a latent model comes to, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vitrify.glassvae.evaluate.results import GlassVAEResults
from vitrify.report.html import number, percent
from vitrify.report.verdicts import Verdict, below

_MEAN = "mean of the temperature"


def summarise(results: GlassVAEResults) -> list[Verdict]:
    """Energies and forces of each file against their spread and a linear model, and z against what knows only T."""
    metrics = results.metrics
    rows = [row for name in metrics["potential"] for row in _potential(name, metrics)]
    for part, shown in (("latent", "z"), ("decoded", "decoded")):
        if part in metrics:
            found = metrics[part]["rdf"]
            rows.append(
                Verdict(
                    f"error of g(r) from {'z' if shown == 'z' else 'decoded structures'}", number(found[shown]),
                    f"{_MEAN}: {number(found[_MEAN])}", below(found[shown], found[_MEAN]),
                )
            )  # fmt: skip
    return rows


def _potential(name: str, metrics: dict[str, Any]) -> Iterator[Verdict]:
    scores = metrics["potential"][name]
    parts = {f", {part}": row for part, row in scores["segments"].items()}
    rows = {"": scores["thermal"]} if "thermal" in scores else parts
    for part, row in rows.items():
        linear = metrics["baselines"].get(name, {}).get("linear") if not part else None
        other = linear["energy_rmse"] if linear else row["energy_spread"]
        what = "linear model on g(r)" if linear else "spread of the energies"
        yield Verdict(
            f"energy RMSE (meV/atom): {name}{part}", number(1e3 * row["energy_rmse"]), f"{what}: {number(1e3 * other)}",
            below(row["energy_rmse"], other),
        )  # fmt: skip
        if row["force_ratio"] is not None and row["force_ratio"] == row["force_ratio"]:
            yield Verdict(
                f"force RMSE: {name}{part}", percent(row["force_ratio"]), "rms of the forces: 100%",
                below(row["force_ratio"], 1.0),
            )  # fmt: skip
