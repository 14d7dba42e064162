"""`vitrify stress`: gives a model that moves atoms the stress of a stride."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def stress_command(
    model: Annotated[str, typer.Argument(help="model file that moves atoms, or name of a shipped one")],
    train: Annotated[list[Path], typer.Argument(help="trajectory files of the fit, several T and densities")],
    validation: Annotated[list[Path], typer.Option(help="trajectory file that is kept apart; may be given often")],
    out: Annotated[Path, typer.Option("--out", "-o", help="model file to write, as in model.ogn.pt")],
    strides: Annotated[int, typer.Option(help="strides of each trajectory, at most")] = 60,
) -> None:
    """Fit the stress of a stride to trajectories; the motion of the model stays as it is."""
    from vitrify.kinds import KINDS
    from vitrify.modelfile.archive import find_model, read_metadata
    from vitrify.report.verdicts import verdict_table

    kind = KINDS[read_metadata(find_model(model)).kind]
    give_stress = kind.load("stress")
    typer.echo(verdict_table(give_stress(model, train, validation, out, strides=strides)))
    typer.echo(f"{out}")
