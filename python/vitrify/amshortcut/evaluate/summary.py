"""What an evaluation of a generator comes to, in a few lines."""

from __future__ import annotations

from vitrify.amshortcut.evaluate.report import label
from vitrify.amshortcut.evaluate.results import AMShortcutResults
from vitrify.report.html import number
from vitrify.report.verdicts import Verdict

_NEAR = 2.0  # times the difference between two parts of the reference


def summarise(results: AMShortcutResults) -> list[Verdict]:
    """The difference of RDF and ADF of each run from the reference, against that of two parts of the reference."""
    metrics, rows = results.metrics, []
    for run in metrics["runs"]:
        for name, found in (("RDF", run["rdf"]["total"]), ("ADF", run["adf"]["total"])):
            rows.append(_row(f"{name} RMSD: {label(run)}", found, metrics["floor"][name.lower()]))
        if run["refused"]:
            rows.append(Verdict(f"structures refused: {label(run)}", str(run["refused"]), "none", "some are missing"))
    return rows


def _row(quantity: str, value: float | None, floor: float | None) -> Verdict:
    compared = f"reference with itself: {number(floor)}"
    if value is None or floor is None or value != value or not floor > 0:
        return Verdict(quantity, number(value), compared, "no verdict")
    times = value / floor
    verdict = "as the reference" if times <= _NEAR else f"{times:.2g} times that"
    return Verdict(quantity, number(value), compared, verdict)
