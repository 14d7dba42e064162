"""`vitrify train`: from a configuration to the folder of a run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from vitrify.cli.errors import resumable
from vitrify.core.signals import Stopped


def train_command(
    config: Annotated[Path, typer.Argument(help="YAML configuration")],
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: runs/NAME of the configuration")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="forget what the folder holds and start again")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="change a setting, as in training.max_time=00:10:00")
    ] = None,
) -> None:
    """Train a model. Started again, an interrupted run goes on where it stopped; torchrun starts many."""
    from vitrify.report.verdicts import verdict_table
    from vitrify.training.loop import StopSignal
    from vitrify.training.run import train
    from vitrify.training.summary import summarise

    folder, stop = out or Path("runs") / config.stem, StopSignal()
    with resumable("run"):
        if not train(config, folder, resume=not restart, overrides=overrides or [], stop=stop):
            raise KeyboardInterrupt if stop.number in (None, signal.SIGINT) else Stopped(stop.number)
    typer.echo(verdict_table(summarise(folder)))
    typer.echo(f"{folder}")
