"""What an explanation comes to, in a few lines."""

from __future__ import annotations

from vitrify.report.verdicts import Verdict
from vitrify.symgnn.explain.null_tests import NULLS, NullTest
from vitrify.symgnn.explain.results import ExplainResults


def summarise(results: ExplainResults) -> list[Verdict]:
    """Whether the findings on important bonds survive bonds of the same lengths."""
    rows = []
    for each in results.models:
        low, high = each.distances.span
        rows.append(_row(f"{each.name}: important bonds' ends from {low:g} to {high:g}", each.distances.medium))
        if each.cycles:
            rows.append(_row(f"{each.name}: cycles through important bonds", each.cycles.groups["high"]))
    return rows


def _row(quantity: str, found: NullTest) -> Verdict:
    null = found.nulls[NULLS[0]]
    compared = f"bonds of the same lengths: {null.mean:.3g} ± {null.std:.2g}, p = {null.p:.2g}"
    verdict = "survives" if found.survives(NULLS[0]) else "does not survive"
    return Verdict(quantity, f"{found.observed:.3g}", compared, verdict)
