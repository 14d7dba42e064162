"""`vitrify explain`: kinds of models declare how they are explained, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify.cli.errors import resumable
from vitrify.cli.kind_options import KindCommand, settings_of
from vitrify.kinds import KINDS


def explain(
    model: Annotated[str, typer.Argument(help="model file of kind symgnn, or name of a shipped model")],
    structure: Annotated[Path, typer.Argument(help="structure: extxyz, LAMMPS data or dump, npz; its last frame")],
    out: Annotated[Path | None, typer.Option(help="folder to write; default: out/MODEL.explain")] = None,
    *,
    given: Mapping[str, Any],
) -> None:
    """Say which edges the predictions for some atoms need; writes report.html, pictures and files for OVITO.

    Started again, an interrupted run goes on where it stopped.
    """
    from vitrify.modelfile.archive import read_metadata

    explained = {name: kind for name, kind in KINDS.items() if kind.has("explain")}
    # Models of other kinds are refused by the first that explains any.
    kind = explained.get(read_metadata(model).kind) or next(iter(explained.values()))
    explanation = kind.load("explain")
    with resumable("explanation") if explanation.resumes else nullcontext():
        report = explanation.run(model, structure, out, settings_of(kind, "explain", given), say=typer.echo)
    typer.echo(f"{report}")


explain_command = KindCommand(explain, "explain", after="seed")
