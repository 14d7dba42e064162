"""`vitrify artn`: labels of energy barriers from saddle searches. It imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrify.cli.errors import resumable
from vitrify.cli.options import Seed, Workers
from vitrify.core.errors import VitrifyError
from vitrify.core.files import require_other


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
    atom_style: Annotated[
        str | None, typer.Option(help="of a LAMMPS data file whose section Atoms does not name its own, as in charge")
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option(help="atoms as near as this to the chosen one move; default: 12 A or 4.8 sigma; inf: all"),
    ] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="minimise the structure first")] = False,
    seed: Seed = 1,
    workers: Workers = None,
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

    picture = out.with_suffix(".png")
    if out == picture:
        raise VitrifyError(f"the labels cannot be written to {out}, where their picture goes: give a name such as x.h5")
    require_other(picture, [structure])
    with resumable("searches"):
        path = find_barriers(
            structure, out, potential=potential, ids=ids, number=number, searches=searches, method=method,
            species=species.split(",") if species else None, units=units, radius=radius, minimize=minimize, seed=seed,
            workers=workers, scheduler=scheduler, atom_style=atom_style, **parse_settings(method, settings or []),
        )  # fmt: skip
    draw(path, picture)
    typer.echo(f"{path}")
    typer.echo(summary(path))
