"""The command line. Every command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from vitrify import __version__
from vitrify.cli.artn import artn_command
from vitrify.cli.data import data
from vitrify.cli.doctor import doctor_command
from vitrify.cli.errors import one_line_errors, output_lost, prepare_streams
from vitrify.cli.evaluate import evaluate_command
from vitrify.cli.explain import explain_command
from vitrify.cli.export import export_command
from vitrify.cli.generate import generate_command
from vitrify.cli.info import info_command
from vitrify.cli.notes import notes_as_lines
from vitrify.cli.stress import stress_command
from vitrify.cli.train import train_command
from vitrify.cli.trust import trust_command


class _Commands(typer.core.TyperGroup):
    """Commands that end with one line on stderr, whatever goes wrong."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        if not settings.get("standalone_mode", True):
            return super().main(*arguments, **settings)
        prepare_streams()
        try:
            with one_line_errors():
                try:
                    super().main(*arguments, **settings)
                finally:
                    if lost := output_lost():
                        raise lost
        except typer.Exit as error:
            sys.exit(error.exit_code)

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        with one_line_errors():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: Any) -> Any:
        with one_line_errors(), notes_as_lines():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Machine-learned models of glasses, for LAMMPS and ASE.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vitrify {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


# In the order of --help.
app.command("generate")(generate_command)
app.command("train")(train_command)
app.command("export")(export_command)
app.command("stress")(stress_command)
app.command("info")(info_command)
app.command("doctor")(doctor_command)
app.command("trust")(trust_command)
app.command("evaluate")(evaluate_command)
app.command("artn")(artn_command)
app.command("explain")(explain_command)
app.add_typer(data, name="data")
