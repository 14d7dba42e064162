"""`vitrify doctor`: what keeps vitrify from working here."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor_command(
    models: Annotated[list[str] | None, typer.Argument(help="model files to check beside the shipped ones")] = None,
) -> None:
    """Check the installation and the models; says what is broken and the command that mends it."""
    from vitrify.cli.diagnose import diagnose

    broken = 0
    for finding in diagnose(models or []):
        typer.echo(str(finding))
        broken += not finding.ok
    if broken:
        typer.echo(f"{broken} broken", err=True)
        raise typer.Exit(1)
