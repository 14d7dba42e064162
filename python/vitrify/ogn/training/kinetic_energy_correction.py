"""Corrects a trained model so that its predictions have the right kinetic energy on average.

A least-squares fit makes the error of each atom small, but the errors of all atoms may have a common part. A model
whose velocities are right to 0.3% can still remove 0.01% of the kinetic energy in every stride, so that a free run
cools. One factor close to 1 on all velocity changes removes this mean error.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vitrify.data.datasets import OGNPairs, evenly_spread
from vitrify.ogn.models.base import OGN
from vitrify.training.checkpoint import BEST, load_checkpoint, save_checkpoint
from vitrify.training.task import Task

PAIRS = 1000  # enough for the mean error to be known to a tenth of itself
LIMIT = 0.01  # a model that needs a larger correction has not learned the velocities


@torch.no_grad()
def correction_factor(model: OGN, data: OGNPairs, pairs: int = PAIRS) -> float:
    """The factor c on the predicted dv for which kinetic energies are right on average over `pairs` of `data`:

        mean over atoms of m |v + c dv|^2 = mean of m |v + dv_true|^2,   to first order in c - 1

    The factor is 1.0 if the solution is further than LIMIT from 1.
    """
    excess = slope = 0.0
    for index in evenly_spread(len(data), pairs):
        pair = data[int(index), 0]
        types, velocities = pair.graph.types, pair.graph.velocities.double()
        masses = model.masses[types].double().unsqueeze(1)
        dv, true = model(*pair.graph)[1].double(), pair.dv.double()
        predicted = velocities + dv
        excess += float((0.5 * masses * (predicted**2 - (velocities + true) ** 2)).sum())
        slope += float((masses * predicted * dv).sum())
    correction = -excess / slope if slope > 0.0 else np.inf
    return 1.0 + correction if abs(correction) < LIMIT else 1.0


def correct_best(folder: Path, task: Task, data: OGNPairs) -> float:
    """Applies the `correction_factor` to the best weights of a finished run, and returns it.

    A second call finds the factor 1. Raises VitrifyError if there is no checkpoint of the best weights.
    """
    progress, content = load_checkpoint(folder / BEST)
    task.load_state_dict(content["averaged"])
    task.eval()
    assert isinstance(task.model, OGN)
    factor = correction_factor(task.model, data)
    task.model.scale_velocity_changes(factor)
    progress.metrics["kinetic_balance"] = progress.metrics.get("kinetic_balance", 1.0) * factor
    save_checkpoint(folder / BEST, progress, {"averaged": task.state_dict()}, content["info"])
    return factor
