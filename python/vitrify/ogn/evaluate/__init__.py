"""`vitrify evaluate` for models of dynamics: against unseen trajectories, Verlet and MD."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.seeds import later_seed
from vitrify.ogn.evaluate.settings import Settings
from vitrify.report.evaluation import Evaluation


def other_trajectories(file: Path) -> str:
    """How to make trajectories like those of a file that the model has not seen."""
    from vitrify.data.trajectories import TrajectoryFile

    with TrajectoryFile(file) as trajectories:
        meta = trajectories.meta
    return f"make other trajectories (vitrify data trajectories {meta.system} --seed {later_seed(meta.seed)} ...)"


EVALUATION = Evaluation(
    Settings,
    open="vitrify.ogn.evaluate.measure:open_model",
    measure="vitrify.ogn.evaluate.measure:measure",
    report="vitrify.ogn.evaluate.report:make_report",
    summary="vitrify.ogn.evaluate.summary:summarise",
    resumes=True,
    remedy=other_trajectories,
)
