"""`vitrify info`: what a model file holds."""

from __future__ import annotations

from typing import Annotated

import typer


def info_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    json: Annotated[bool, typer.Option("--json", help="print the metadata as JSON")] = False,
) -> None:
    """Say what a model file holds."""
    from vitrify.cli.describe import describe, table
    from vitrify.modelfile.archive import find_model, read_metadata

    path = find_model(model)
    metadata = read_metadata(path)
    typer.echo(metadata.model_dump_json(by_alias=True, ensure_ascii=True) if json else table(describe(metadata, path)))
