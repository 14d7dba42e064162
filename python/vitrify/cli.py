"""The command line: `vitrify ...`. Every command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vitrify.errors import VitrifyError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Machine-learned models of glasses, for LAMMPS and ASE."
)
data = typer.Typer(no_args_is_help=True, help="Make the data that models are trained and tested on.")
app.add_typer(data, name="data")


@data.command("trajectories")
def data_trajectories(
    system: Annotated[str, typer.Argument(help="kalj, kalj-glass, sio2, si or cuzr")],
    out: Annotated[Path, typer.Option(help="HDF5 file (H5MD layout) to write")],
    trajectories: Annotated[int, typer.Option(help="independent trajectories")] = 10,
    frames: Annotated[int, typer.Option(help="frames of each trajectory")] = 1000,
    every: Annotated[int, typer.Option(help="base steps between frames")] = 1,
    atoms: Annotated[
        int | None, typer.Option(help="atoms, at the density of the system; default: the paper's")
    ] = None,
    md_timestep: Annotated[
        float | None, typer.Option(help="integration step; must divide the base step")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="temperature; default: the paper's")] = None,
    seed: Annotated[int, typer.Option(help="seed of all random numbers")] = 1,
    workers: Annotated[int | None, typer.Option(help="processes; default: one for each core")] = None,
) -> None:
    """Simulate trajectories with LAMMPS. An interrupted run goes on where it stopped when it is started again."""
    from vitrify.datagen.generate import generate

    path = generate(
        system, out, trajectories=trajectories, frames=frames, every=every, atoms=atoms, md_timestep=md_timestep,
        temperature=temperature, seed=seed, workers=workers,
    )  # fmt: skip
    typer.echo(f"{path}")


@app.command("train")
def train_command(
    config: Annotated[Path, typer.Argument(help="YAML configuration")],
    out: Annotated[Path | None, typer.Option(help="folder of the run; default: runs/NAME of the configuration")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="forget what the folder holds and start again")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="change a setting, as in training.max_time=00:10:00")
    ] = None,
) -> None:
    """Train a model. An interrupted run goes on where it stopped when it is started again; torchrun starts many."""
    from vitrify.training.run import train

    folder = out or Path("runs") / config.stem
    finished = train(config, folder, resume=not restart, overrides=overrides or [])
    if not finished:
        typer.echo("stopped; the same command continues the run", err=True)
        raise typer.Exit(130)
    typer.echo(f"{folder}")


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="model file, or name of a shipped model")],
    data: Annotated[Path, typer.Option(help="trajectories that the model was not trained on")],
    out: Annotated[Path | None, typer.Option(help="folder to write; default: out/MODEL.evaluate")] = None,
    steps: Annotated[int, typer.Option(help="MD steps of the long runs; 0: none")] = 20_000,
    atoms: Annotated[int, typer.Option(help="atoms of the long runs, at least")] = 1000,
    seeds: Annotated[str, typer.Option(help="seeds of the long runs, as in 1,2,3")] = "1",
    controls: Annotated[str, typer.Option(help="long runs: any of none,rescale,csvr")] = "none,rescale,csvr",
    engine: Annotated[str, typer.Option(help="what runs the model: lammps or python")] = "lammps",
    pairs: Annotated[int, typer.Option(help="starts of the one-step errors")] = 200,
    starts: Annotated[int, typer.Option(help="starts of the roll-outs")] = 10,
    horizon: Annotated[int, typer.Option(help="MD steps of a roll-out")] = 200,
    device: Annotated[str, typer.Option(help="cpu or cuda:N, for one-step errors and roll-outs")] = "cpu",
) -> None:
    """Compare a model with Verlet and MD; writes metrics.json, figures and one report.html."""
    from vitrify.evaluate.run import evaluate, settings_from

    settings = settings_from(
        pairs=pairs, starts=starts, horizon=horizon, steps=steps, atoms=atoms, seeds=seeds, controls=controls,
        engine=engine,
    )  # fmt: skip
    typer.echo(f"{evaluate(model, data, out, settings, device)}")


def main() -> None:
    """Runs the command line; an error that the user can mend is one line on stderr."""
    try:
        app()
    except VitrifyError as error:
        print(f"vitrify: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
