"""`vitrify trust`: check the program in a model file, and remember the file."""

from __future__ import annotations

from typing import Annotated

import typer


def trust_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="remember the file without a check: its program may do anything on this machine"),
    ] = False,
) -> None:
    """Check that the program in a model file is vitrify's own, and let torch run it from now on."""
    from vitrify.modelfile.archive import find_model, open_archive
    from vitrify.modelfile.metadata import parse_metadata
    from vitrify.modelfile.trust import is_trusted, remember

    path = find_model(model)
    archive = open_archive(path)
    metadata = parse_metadata(archive.metadata_text, path)
    if is_trusted(archive):
        typer.echo(f"{path} is trusted already")
        return
    if not anyway:
        from vitrify.engines.rebuild import rebuilt_program

        rebuilt_program(path, archive, metadata)
    remember(archive)
    checked = "remembered without a check" if anyway else "its program is the one that vitrify makes of its weights"
    typer.echo(f"{path} is trusted now: {checked}")
