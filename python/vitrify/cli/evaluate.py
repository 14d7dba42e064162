"""`vitrify evaluate`: each kind of model declares how it is evaluated, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify.cli.errors import resumable
from vitrify.cli.kind_options import KindCommand, settings_of
from vitrify.kinds import KINDS


def evaluate(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    data: Annotated[list[Path], typer.Option(help="what the model was not trained on: trajectories, or structures")],
    out: Annotated[Path | None, typer.Option(help="folder to write; default: out/MODEL.evaluate")] = None,
    *,
    given: Mapping[str, Any],
) -> None:
    """Compare a model with what is true: an integrator (ogn) with Verlet and MD, barriers (symgnn) with their labels,
    generated structures (amshortcut) with simulated ones, a latent model (glassvae) with its potential.

    Writes metrics.json, figures and one report.html. An option is for the kinds that its help names, and models of
    other kinds refuse it. glassvae takes --data several times: the test, then external ones.
    """
    from vitrify.modelfile.archive import read_metadata

    kind = KINDS.find(read_metadata(model).kind)
    evaluation, settings = kind.load("evaluate"), settings_of(kind, "evaluate", given)
    with resumable("evaluation") if evaluation.resumes else nullcontext():
        report = evaluation.run(model, data, out, settings, say=typer.echo)
    typer.echo(f"{report}")


evaluate_command = KindCommand(evaluate, "evaluate")
