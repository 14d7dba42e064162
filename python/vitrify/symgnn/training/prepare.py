"""From a configuration to the training of a SymGNN: from nothing, or from a model file that is fine-tuned."""

from __future__ import annotations

from vitrify.models import ModelConfig
from vitrify.symgnn.training import fine_tune, task
from vitrify.symgnn.training.config import SymGNNConfig
from vitrify.training.task import Prepared


def prepare(config: SymGNNConfig, model_config: ModelConfig) -> Prepared:
    """The task of a configuration, on the structures of its files."""
    if config.start is None:
        return task.prepare(config, model_config)
    return fine_tune.prepare(config, model_config)
