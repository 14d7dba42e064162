"""The folder of a run: checkpoints that are whole or absent, and the log."""

from __future__ import annotations

import csv
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from vitrify.errors import VitrifyError
from vitrify.files import atomic_path

LAST, BEST, LOG = "last.ckpt", "best.ckpt", "log.csv"


@dataclass
class Progress:
    """Where a run stands. seconds: time spent so far, over all restarts. stale: validations since the best one."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    stale: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def save_checkpoint(path: Path, progress: Progress, tensors: dict[str, Any], info: str) -> None:
    """Writes a checkpoint of plain tensors, numbers and strings. info: JSON, all that is needed to rebuild the model."""
    with atomic_path(path) as work:
        torch.save({"progress": asdict(progress), "info": info, **tensors}, work)


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """A checkpoint's progress and everything else that is in it.

    Raises:
        VitrifyError: missing, damaged or foreign file. No code in the file is ever run.
    """
    if not path.is_file():
        raise VitrifyError(
            f"{path}: no such checkpoint; is {path.parent} the folder of a run of vitrify train?"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Progress(**content.pop("progress")), content
    except (
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
    ) as error:
        raise VitrifyError(
            f"{path}: not a checkpoint of vitrify train, or damaged ({type(error).__name__})"
        ) from None


class Log:
    """log.csv: one row for each validation. Rows after `step`, written by a run that was killed, are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        rows = []
        if path.is_file():
            with open(path, newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        if rows:
            with atomic_path(path) as work, open(work, "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.unlink(missing_ok=True)

    def append(self, row: dict[str, float]) -> None:
        """Adds a row; the first one decides the columns."""
        new = not self.path.is_file()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(
                {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}
            )
