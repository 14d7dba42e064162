"""`vitrify export`: from the folder of a run to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export_command(
    run: Annotated[Path, typer.Argument(help="folder of a training run, finished or interrupted")],
    out: Annotated[Path, typer.Option("--out", "-o", help="model file to write, as in model.ogn.pt")],
    dtype: Annotated[
        str | None, typer.Option(help="float32 or float64; default: the precision of the training")
    ] = None,
    response: Annotated[
        list[str] | None,
        typer.Option(
            help="amshortcut: NAME=INTERCEPT,SLOPE of a property that comes out over what is asked for, as `vitrify "
            "evaluate --property` finds it: the file then asks for what brings the target"
        ),
    ] = None,
) -> None:
    """Write the best model of a run as a file for LAMMPS and ASE, and check that it computes the same."""
    from vitrify.export.from_run import export_run

    opened = export_run(run, out, dtype, response or [])
    typer.echo(f"{opened.path}")
