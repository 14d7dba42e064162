"""What a training run has come to, in a few lines, from its log."""

from __future__ import annotations

import csv
from pathlib import Path

from vitrify.report.html import number
from vitrify.report.verdicts import Verdict
from vitrify.training.checkpoint import LOG

_TIMES = ("step", "seconds", "lr", "loss", "steps_per_second")


def summarise(folder: str | Path) -> list[Verdict]:
    """The figures of the best validation, whose weights are exported, against those of the first one."""
    path = Path(folder) / LOG
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val_loss")]
    if not rows:
        return []
    first, best = rows[0], min(rows, key=lambda row: float(row["val_loss"]))
    if first is best and len(rows) > 1:
        learned = "nothing learned since"
    else:
        learned = "the only validation" if len(rows) == 1 else f"lower; best of {len(rows)}"
    found = [Verdict("val_loss", _shown(best["val_loss"]), f"first validation: {_shown(first['val_loss'])}", learned)]
    for name in best:
        if name not in (*_TIMES, "val_loss") and best[name] and first[name]:
            before, after = float(first[name]), float(best[name])
            change = "same" if after == before else "lower" if after < before else "higher"
            found.append(Verdict(name, number(after), f"first validation: {number(before)}", change))
    return found


def _shown(text: str) -> str:
    return number(float(text))
