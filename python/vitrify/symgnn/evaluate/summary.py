"""What an evaluation of predicted properties comes to, in a few lines."""

from __future__ import annotations

from vitrify.report.html import number
from vitrify.report.verdicts import Verdict, below
from vitrify.symgnn.evaluate.results import SymGNNResults


def summarise(results: SymGNNResults) -> list[Verdict]:
    """Scores against the mean of each species, which looks at no structure, and against the ceiling if there is one."""
    metrics, unit = results.metrics, results.opened.metadata.property.unit
    found, simple = metrics["scores"], metrics["species_mean"]
    rows = [
        Verdict(
            f"RMSE of {metrics['label']}{f' ({unit})' if unit else ''}", number(found["rmse"]),
            f"mean of each species: {number(simple['rmse'])}", below(found["rmse"], simple["rmse"]),
        ),
        Verdict(
            "Pearson correlation, pooled", number(found["pearson"]),
            f"mean of each species: {number(simple['pearson'])}", below(simple["pearson"] or 0.0, found["pearson"]),
        ),
        Verdict(
            "Spearman correlation, mean over glasses", number(found["spearman_mean"]), "no correlation: 0",
            below(0.0, found["spearman_mean"], "above", "not above"),
        ),
    ]  # fmt: skip
    if results.ceiling is not None:
        share = found["of_ceiling"]
        verdict = below(0.9, share, "near the ceiling", "below the ceiling")
        rows.append(Verdict("share of that ceiling", number(share), f"ceiling: {results.ceiling:g}", verdict))
    outside = sum(bool(glass["outside"]) for glass in metrics["glasses"])
    value = f"{outside} of {len(metrics['glasses'])}"
    verdict = "extrapolation" if outside else "inside"
    rows.append(Verdict("glasses outside the range", value, "the range of the training", verdict))
    return rows
