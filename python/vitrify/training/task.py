"""What the training loop asks of each kind of model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Task(nn.Module, ABC):
    """A model (`self.model`) together with its loss and the figures of its validation.

    forward(batch) is the loss of a training batch, dimensionless.
    """

    model: nn.Module
    # Length of what `statistics` returns.
    n_statistics: int

    @staticmethod
    @abstractmethod
    def collate(samples: Sequence[Any]) -> Any:
        """One batch of several samples of the data set."""

    @abstractmethod
    def statistics(self, batch: Any) -> Tensor:
        """Means over a validation batch, (n_statistics,); the loop averages them over batches."""

    @abstractmethod
    def metrics(self, means: Tensor) -> dict[str, float]:
        """Figures from averaged `statistics`; `val_loss` among them decides which weights are the best."""


@dataclass(frozen=True)
class Prepared:
    """A task and its data, ready for the loop.

    train, validation: data sets, asked for samples as data[index, seed]; `validate_on` are indices of the latter.
    info: JSON, what rebuilds the model from a checkpoint. finish: called with the folder when the run is over.
    metrics: figures of a model that is solved in closed form, if those on `validation` would be optimistic.
    """

    task: Task
    train: Any
    validation: Any
    validate_on: Sequence[int]
    info: str
    finish: Callable[[Path], None] | None = None
    metrics: dict[str, float] | None = None
