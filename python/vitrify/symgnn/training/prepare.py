"""Prepares the training of a SymGNN, or the fine-tuning of a model file."""

from __future__ import annotations

from vitrify.models import ModelConfig
from vitrify.symgnn.training import fine_tune, task
from vitrify.symgnn.training.config import SymGNNConfig
from vitrify.training.task import Prepared


def prepare(config: SymGNNConfig, model_config: ModelConfig) -> Prepared:
    """The task and data of a configuration; VitrifyError for wrong files or settings."""
    if config.start is None:
        return task.prepare(config, model_config)
    return fine_tune.prepare(config, model_config)
