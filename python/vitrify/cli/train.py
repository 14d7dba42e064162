"""`vitrify train`: from a configuration to the folder of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    config: Annotated[Path, typer.Argument(help="YAML configuration")],
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: runs/NAME of the configuration")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="forget what the folder holds and start again")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="change a setting, as in training.max_time=00:10:00")
    ] = None,
) -> None:
    """Train a model. Started again, an interrupted run goes on where it stopped; torchrun starts many."""
    from vitrify.training.run import train

    folder = out or Path("runs") / config.stem
    finished = train(config, folder, resume=not restart, overrides=overrides or [])
    if not finished:
        typer.echo("stopped; the same command continues the run", err=True)
        raise typer.Exit(130)
    typer.echo(f"{folder}")
