"""The command line. Every command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify import __version__
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


@app.command("artn")
def artn_command(
    structure: Annotated[Path, typer.Argument(help="glass at an energy minimum: extxyz, LAMMPS data or dump, npz")],
    potential: Annotated[
        str,
        typer.Option(help="LAMMPS commands with ';' between ('pair_style sw; pair_coeff * * Si.sw Si'), or a file"),
    ],
    out: Annotated[Path, typer.Option(help="file of labels to write (HDF5)")],
    ids: Annotated[str | None, typer.Option(help="atoms from 1, as in 1:200, 1,5,9:90:3, or all")] = None,
    number: Annotated[int | None, typer.Option(help="draw so many atoms, in place of --ids")] = None,
    searches: Annotated[int, typer.Option(help="searches of each atom")] = 20,
    method: Annotated[str, typer.Option(help="artn, or local-sampling (short MD and quenches)")] = "artn",
    species: Annotated[
        str | None, typer.Option(help="species in the order of the types, as in Cu,Zr; default: those of pair_coeff")
    ] = None,
    units: Annotated[str, typer.Option(help="LAMMPS units: metal or lj")] = "metal",
    radius: Annotated[
        float | None,
        typer.Option(help="atoms as near as this to the chosen one move; default: 12 A or 4.8 sigma; inf: all"),
    ] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="minimise the structure first")] = False,
    seed: Annotated[int, typer.Option(help="seed of all random numbers")] = 1,
    workers: Annotated[int | None, typer.Option(help="processes; default: one for each core")] = None,
    scheduler: Annotated[str | None, typer.Option(help="address of a Dask scheduler whose workers search")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="change a setting of the method, as in push=0.3; a wrong name lists them"),
    ] = None,
) -> None:
    """Label atoms with energy barriers: saddle searches with LAMMPS, on this machine or on a cluster.

    Each finished search is on disk at once. Started again, an interrupted campaign goes on where it stopped; with more
    atoms or searches, a finished one goes on too. Draws OUT.png.
    """
    from vitrify.datagen.barriers.campaign import find_barriers, parse_settings
    from vitrify.datagen.barriers.summary import draw, summary

    try:
        path = find_barriers(
            structure, out, potential=potential, ids=ids, number=number, searches=searches, method=method,
            species=species.split(",") if species else None, units=units, radius=radius, minimize=minimize, seed=seed,
            workers=workers, scheduler=scheduler, **parse_settings(method, settings or []),
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command continues the searches", err=True)
        raise typer.Exit(130) from None
    draw(path, path.with_suffix(".png"))
    typer.echo(f"{path}")
    typer.echo(summary(path))


app.command("explain")(explain_command)
