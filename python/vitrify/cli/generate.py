"""`vitrify generate`: structures from a generator, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vitrify.core.errors import VitrifyError, VitrifyWarning


def generate_command(
    model: Annotated[str, typer.Argument(help="model file of kind amshortcut or glassvae, or name of a shipped model")],
    atoms: Annotated[int | None, typer.Option(help="atoms of each structure")] = None,
    density: Annotated[
        float | None, typer.Option(help="g/cm^3, in lj units atoms per sigma^3; default: the model's")
    ] = None,
    cell: Annotated[
        str | None, typer.Option(help="A (or sigma): edge of a cube, three edges 20,20,30, or nine numbers, row by row")
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help="shares of the elements, as in Si:1,O:2, or a formula; default: the model's")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="property to have, as in shear_modulus=30 (vitrify info MODEL lists them)")
    ] = None,
    energy: Annotated[
        str | None, typer.Option(help="glassvae: energy at rest for each atom, low:high (range: vitrify info MODEL)")
    ] = None,
    steps: Annotated[int, typer.Option(help="steps of the sampler")] = 5,
    churn: Annotated[float, typer.Option(help="share of noise that is put back before each step but the first")] = 0.0,
    count: Annotated[int, typer.Option(help="structures to make")] = 1,
    seed: Annotated[int, typer.Option(help="seed of the first structure; the next ones count up")] = 1,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="FILE.extxyz, or FILE.data for LAMMPS (numbered if there are several)")
    ] = Path("glass.extxyz"),
    potential: Annotated[
        str | None,
        typer.Option(help="LAMMPS commands with ';' between, or a file: minimise and anneal with this pair style"),
    ] = None,
    minimize: Annotated[
        int | None, typer.Option(help="with --potential: iterations of the minimisation; default: 10")
    ] = None,
    md: Annotated[int, typer.Option(help="with --potential: steps of canonical MD after it")] = 0,
    temperature: Annotated[float | None, typer.Option(help="with --md: temperature in K")] = None,
    final_temperature: Annotated[
        float | None, typer.Option(help="with --md: where the temperature goes to, as in an anneal; default: it stays")
    ] = None,
    anneal: Annotated[
        float, typer.Option(help="glassvae: ps at most of cooling with the model itself, until the energy is reached")
    ] = 0.0,
    engine: Annotated[str, typer.Option(help="auto, native or torch")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, or with torch cuda:N")] = "cpu",
    workers: Annotated[int, typer.Option(help="threads that make structures side by side")] = 1,
) -> None:
    """Make glasses with a generator: any number of atoms, any cell, any of the properties that the model knows."""
    _generate(
        model, out, count, [name for name in (model, potential) if name], n_atoms=atoms, density=density,
        cell=_cell(cell), composition=_shares(elements), target=_targets(target or []), energy=_window(energy),
        steps=steps, churn=churn, seed=seed, engine=engine, device=device, anneal=anneal, workers=workers,
        corrector=_corrector(potential, minimize, md, temperature, final_temperature),
    )  # fmt: skip


def _generate(model: str, out: Path, count: int, inputs: Sequence[str], **options: Any) -> None:
    """Makes `count` structures, options as of `generate_many`, writes them to `out`, and names the files.

    inputs: files that `out` must not be.
    """
    import warnings

    from vitrify.core.progress import counted
    from vitrify.data.structure_writer import StructureWriter
    from vitrify.generation.generate import generate_many

    writer = StructureWriter(out, count, inputs, *_species(model))
    missed = 0
    with warnings.catch_warnings(record=True) as caught, writer:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", VitrifyWarning)
        said: set[str] = set()
        try:
            made = generate_many(model, count, **options)
            _say(caught, said)
            for structure in counted(made, "glasses", "glass", count > 1, count):
                _say(caught, said)
                missed += not structure.info.get("energy_reached", True)
                writer.write(structure)
        finally:
            _say(caught, said)
    for path in writer.paths if count <= 5 else [*writer.paths[:1], *writer.paths[-1:]]:
        typer.echo(f"{path}")
    if missed:
        typer.echo(f"{missed} of {count} structures missed the energy that was asked for", err=True)


def _say(caught: list[Any], said: set[str]) -> None:
    """Prints the warnings that were caught since the last time, each once in the whole run. said: so far."""
    for text in (str(message.message) for message in caught):
        if text not in said:
            typer.echo(f"warning: {text}", err=True)
        said.add(text)
    caught.clear()


def _species(model: str) -> tuple[dict[int, str], dict[str, float] | None]:
    """Names of the model's species by the atomic numbers that stand for them, and the masses that the model has."""
    from vitrify.generation.samplers import numbers_of
    from vitrify.modelfile.archive import read_metadata

    metadata = read_metadata(model)
    given: tuple[float, ...] = getattr(metadata, "masses", ())  # which not all kinds have
    masses = dict(zip(metadata.species, given, strict=True)) if given else None
    return dict(zip(numbers_of(metadata.species), metadata.species, strict=True)), masses


def _corrector(
    potential: str | None, minimize: int | None, md: int, temperature: float | None, final_temperature: float | None
) -> Any:
    """The relaxation after generation, or None without a pair style; VitrifyError if only the style is missing."""
    from vitrify.generation.generate import Relaxation

    if potential is not None:
        return Relaxation(potential, 10 if minimize is None else minimize, md, temperature, final_temperature)
    if minimize:
        raise VitrifyError("--minimize needs a pair style: give --potential")
    if md or temperature is not None or final_temperature is not None:
        raise VitrifyError("--md and its temperatures need a pair style: give --potential")
    return None


def _targets(texts: list[str]) -> dict[str, float]:
    from vitrify.core.validation import parse_values

    return parse_values("target", texts)


def _shares(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    if ":" not in text:
        from vitrify.core.compositions import parse_formula

        return parse_formula(text)
    found = {}
    for part in text.split(","):
        name, _, value = part.partition(":")
        if name.strip() in found:
            raise VitrifyError(f"--elements {text!r}: {name.strip()} is given twice; keep one of the two")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise VitrifyError(f"--elements {text!r}: wanted shares such as Si:1,O:2, or a formula, SiO2") from None
    return found


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(word) for word in text.split(":"))
    except ValueError:
        raise VitrifyError(f"--energy {text!r}: wanted low:high, as in -4.95:-4.94") from None
    return low, high


def _cell(text: str | None) -> list[list[float]] | list[float] | float | None:
    if text is None:
        return None
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 3:
        return numbers
    if len(numbers) == 9:
        return [numbers[0:3], numbers[3:6], numbers[6:9]]
    raise VitrifyError(f"--cell {text!r}: wanted 1, 3 or 9 numbers, as in 20 or 20,20,30")
