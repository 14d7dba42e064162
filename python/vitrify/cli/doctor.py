"""`vitrify doctor`: what keeps vitrify from working here."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from vitrify.core.progress import is_terminal

if TYPE_CHECKING:
    from vitrify.cli.diagnose import Finding


def doctor_command(
    models: Annotated[list[str] | None, typer.Argument(help="model files to check instead of the shipped ones")] = None,
) -> None:
    """Check the installation and the models; says what is broken and the command that mends it."""
    from vitrify.cli.diagnose import diagnose

    names, broken = 0, []
    for finding in diagnose(models or []):
        typer.echo(_shown(finding))
        names += 1
        broken += [] if finding.ok else [finding.name]
    if broken:
        typer.echo(f"{len(broken)} broken of {names}: {', '.join(broken)}")
        raise typer.Exit(1)
    typer.echo(f"all is well: {names} checks")


def _shown(finding: Finding) -> str:
    """A finding as a line, for other programs; on a terminal wrapped under the name."""
    if not is_terminal(sys.stdout):
        return str(finding)
    width = shutil.get_terminal_size().columns
    return textwrap.fill(str(finding), max(width, 40), subsequent_indent=" " * 8, break_on_hyphens=False)
