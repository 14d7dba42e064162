"""The command line. Every command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify import __version__
from vitrify.cli.artn import artn_command
from vitrify.cli.data import data
from vitrify.cli.evaluate import evaluate_command
from vitrify.cli.explain import explain_command
from vitrify.cli.generate import generate_command
from vitrify.core.errors import VitrifyError


class _Commands(typer.core.TyperGroup):
    """Commands whose errors that the user can mend are one line on stderr and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except VitrifyError as error:
            typer.echo(f"vitrify: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Machine-learned models of glasses, for LAMMPS and ASE.",
)
app.add_typer(data, name="data")
app.command("generate")(generate_command)


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


@app.command("train")
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


@app.command("export")
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

    loaded = export_run(run, out, dtype, response or [])
    typer.echo(f"{loaded.path}")


@app.command("info")
def info_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    json: Annotated[bool, typer.Option("--json", help="print the metadata as JSON")] = False,
) -> None:
    """Say what a model file holds."""
    from vitrify.cli.info import describe, table
    from vitrify.modelfile.archive import find_model, read_metadata

    path = find_model(model)
    metadata = read_metadata(path)
    typer.echo(metadata.to_json() if json else table(describe(metadata, path)))


@app.command("doctor")
def doctor_command(
    models: Annotated[list[str] | None, typer.Argument(help="model files to check beside the shipped ones")] = None,
) -> None:
    """Check the installation and the models; says what is broken and the command that mends it."""
    from vitrify.cli.doctor import diagnose

    broken = 0
    for finding in diagnose(models or []):
        typer.echo(str(finding))
        broken += not finding.ok
    if broken:
        typer.echo(f"{broken} broken", err=True)
        raise typer.Exit(1)


app.command("evaluate")(evaluate_command)


app.command("artn")(artn_command)


app.command("explain")(explain_command)
