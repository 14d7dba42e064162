"""The contract between the training loop and the kinds of models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Task(nn.Module, ABC):
    """A model (`self.model`) together with its loss and the figures of its validation.

    forward(batch) is the loss of a training batch, a scalar. n_statistics: length of the result of `statistics`.
    """

    model: nn.Module
    n_statistics: int

    @staticmethod
    @abstractmethod
    def collate(samples: Sequence[Any]) -> Any:
        """One batch of several samples of the data set."""

    @abstractmethod
    def statistics(self, batch: Any) -> Tensor:
        """Means over a validation batch (n_statistics,); the loop averages them over the batches."""

    @abstractmethod
    def metrics(self, means: Tensor) -> dict[str, float]:
        """Figures by name from averaged `statistics` (n_statistics,); the best weights have the lowest `val_loss`."""


@dataclass(frozen=True)
class Prepared:
    """A task and its data, ready for the loop.

    train, validation: data sets, whose samples are data[index, seed]. validate_on: indices in `validation`. info: JSON,
    from which the model of a checkpoint is rebuilt. finish: function of the folder, called when the run is over.
    metrics: figures of a model that is solved in closed form, where figures on `validation` would be optimistic.
    """

    task: Task
    train: Any
    validation: Any
    validate_on: Sequence[int]
    info: str
    finish: Callable[[Path], None] | None = None
    metrics: dict[str, float] | None = None
