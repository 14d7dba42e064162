"""The files in the folder of a run: checkpoints, written as a whole or not at all, and the log."""

from __future__ import annotations

import io
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.core.files import append, atomic_path, own_content, writing

_FILED = "stale"  # what checkpoints call `validations_without_improvement`
CHECKPOINT = "a checkpoint of vitrify train"  # what the files below are, in messages
LAST, BEST, LOG = "last.ckpt", "best.ckpt", "log.csv"


@dataclass
class Progress:
    """The state of a run.

    step: steps done. seconds: time spent, over all restarts. best_loss: validation loss of the best weights, and
    metrics their figures. validations_without_improvement: number of validations since the best one.
    """

    step: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    validations_without_improvement: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def save_checkpoint(path: Path, progress: Progress, tensors: dict[str, Any], info: str) -> None:
    """Writes a checkpoint of plain tensors, numbers and strings. info: JSON, from which the model is rebuilt."""
    fields = asdict(progress)
    fields[_FILED] = fields.pop("validations_without_improvement")
    # Torch's own writer of files does not say why it fails.
    content = io.BytesIO()
    torch.save({"progress": fields, "info": info, **tensors}, content)
    with atomic_path(path) as work:
        work.write_bytes(content.getbuffer())


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """The progress in a checkpoint, and its other content by name. Code in the file is never run.

    Raises:
        VitrifyError: a missing, damaged or foreign file.
    """
    if not os.path.isfile(path):
        raise VitrifyError(f"{path}: no such checkpoint; is {path.parent} the folder of a run of vitrify train?")
    with own_content(path, CHECKPOINT):
        content = torch.load(path, map_location="cpu", weights_only=True)
        fields = content.pop("progress")
        return Progress(validations_without_improvement=fields.pop(_FILED), **fields), content


class Log:
    """The file log.csv, with one row for each validation. Rows after `step`, of a run that was killed, are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        with own_content(path, "the log of vitrify train"):
            lines = path.read_text().splitlines(keepends=True) if os.path.isfile(path) else []
            whole = [row for row in lines[1:] if row.endswith("\n") and int(row.split(",")[0]) <= step]
        with atomic_path(path) as work:
            work.write_text("".join(lines[:1] + whole))

    def append(self, row: dict[str, float]) -> str:
        """Adds a row, `step` first; the names in the first row become the header. Returns the row as a line of text."""
        texts = {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in row.items()}
        header = "" if self.path.stat().st_size else ",".join(texts) + "\n"
        with writing(self.path), self.path.open("ab") as file:
            append(file.fileno(), (header + ",".join(texts.values()) + "\n").encode(), self.path)
        return "  ".join(f"{name} {text}" for name, text in texts.items())
