"""Makes glasses with a model: `generate` gives one as ASE atoms, `generate_many` any number of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from numpy.typing import ArrayLike

from vitrify.core.errors import VitrifyError
from vitrify.core.seeds import check_seed
from vitrify.generation.request import Request
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.modelfile.metadata import Metadata


@dataclass(frozen=True)
class Relaxation:
    """A short relaxation with a pair style after generation: see `vitrify.generation.relaxation.correct`.

    commands: LAMMPS commands of the potential, as a list or separated by ";". iterations: number of iterations of the
    minimisation. steps: number of steps of canonical MD. temperature (K): of the MD, or at its start.
    final_temperature (K): at the end of the MD; by default `temperature`.
    """

    commands: str | Sequence[str]
    iterations: int = 10
    steps: int = 0
    temperature: float | None = None
    final_temperature: float | None = None


def generate(model: str | Path, n_atoms: int | None = None, **options: Any) -> Atoms:
    """One glass as ASE atoms; options and errors as for `generate_many`.

    >>> atoms = generate("Si.amshortcut.pt", n_atoms=216, density=2.3, steps=5, seed=7)
    """
    return next(iter(generate_many(model, 1, n_atoms=n_atoms, **options)))


def generate_many(
    model: str | Path,
    count: int,
    *,
    n_atoms: int | None = None,
    density: float | None = None,
    cell: ArrayLike | None = None,
    composition: Mapping[str, float] | None = None,
    target: Mapping[str, float] | None = None,
    energy: tuple[float, float] | None = None,
    steps: int = 5,
    churn: float = 0.0,
    seed: int = 1,
    engine: Literal["auto", "native", "torch"] = "auto",
    device: str = "cpu",
    corrector: Relaxation | None = None,
    anneal: float = 0.0,
    workers: int = 1,
    trust: bool = False,
) -> Iterator[Atoms]:
    """`count` independent glasses, of the seeds seed, seed + 1, ...; a seed always gives the same structure.

    The function is long because all options are declared and explained here.

    Args:
        model: file of kind amshortcut or glassvae, found as `vitrify.modelfile.archive.find_model` does.
        n_atoms, density, cell: two of the three, or n_atoms or cell alone; then the model chooses the density that
            goes with the targets. density: g/cm^3 in metal units, atoms per sigma^3 in lj. cell: (3, 3) rows, the
            three edges (3,), or one edge, in the model's unit of length.
        composition: shares of the elements, as in {"Si": 1, "O": 2}; default: the model's for the targets.
        target: wanted properties, in the model's units; a property that is not named is free.
        energy: for a glassvae: lowest and highest energy for each atom at rest, in the model's unit (`latent_energy` in
            the file says if it is another energy); default: any, as in the training data.
        steps: number of steps from noise to structure, with one evaluation of the network each.
        churn: share of the noise that is put back before each step but the first.
        seed: of the first structure; 1 to 2^31 - count. LAMMPS's create_glass makes the same structure of it.
        engine: "native" is compiled and fast; "torch" also runs models without native weights, and on GPUs.
        device: of the engine torch, "cpu" or "cuda:0".
        corrector: a short relaxation with a pair style, after generation.
        anneal: for a glassvae: longest time (ps) for which a structure is cooled with the model's own potential, until
            its energy at rest lies in the window, or within 2 meV of the energy that was drawn for it
            (`vitrify.generation.anneal`). It ends at rest.
        workers: number of threads that make structures at the same time; the structures still come in order.
        trust: run the program in an unknown file in torch; see `vitrify.engines.load.load_model`.

    Returns:
        An iterator over atoms with periodic boundaries. Their `info` has "seed", "model", "steps" and the targets; for
        a glassvae "latent" (the latent vector), "latent_energy" (drawn with it) and "energy_window" (as requested).

    Raises:
        VitrifyError: a model of another kind, options out of range or at odds with each other, a property or an element
            that the model does not have, a density or composition that is impossible, too little memory, or a structure
            that is not finite or has pairs closer than in the training data.

    Most of this function describes its arguments, which is why it is long.
    """
    path = find_model(model)
    metadata = read_metadata(path)
    kind = KINDS[metadata.kind]
    if not kind.has("generate"):
        raise not_a_generator(path, metadata.kind)
    _check_numbers(count, workers)
    seed = check_seed(seed, count=count)
    request = Request(
        range(seed, seed + count), n_atoms, density, cell, composition, target, energy, steps, churn, engine, device,
        anneal, workers, trust,
    )  # fmt: skip
    made: Iterator[Atoms] = kind.load("generate")(path, metadata, request)
    return (_relaxed(atoms, corrector, metadata) for atoms in made) if corrector else made


def _check_numbers(count: int, workers: int) -> None:
    if count < 1:
        raise VitrifyError(f"count is {count}, but must be at least 1")
    if workers < 1:
        raise VitrifyError(f"workers is {workers}, but must be at least 1")


def not_a_generator(path: Path, kind: str) -> VitrifyError:
    """The error for a model file of a kind that makes no structures."""
    return wrong_kind(path, kind, next(name for name, other in KINDS.items() if other.has("generate")))


def _relaxed(atoms: Atoms, relaxation: Relaxation, metadata: Metadata) -> Atoms:
    """A structure after its relaxation; it keeps its info."""
    from vitrify.core.compositions import potential_commands
    from vitrify.generation.relaxation import correct

    if metadata.units != "metal":
        raise VitrifyError("the corrector needs a model in metal units: relax the structure in LAMMPS instead")
    text = relaxation.commands
    commands = potential_commands(text, metadata.species) if isinstance(text, str) else text
    info = dict(atoms.info)
    relaxed = correct(
        atoms, commands, species=metadata.species, temperature=relaxation.temperature,
        final_temperature=relaxation.final_temperature, steps=relaxation.steps,
        iterations=relaxation.iterations, seed=int(atoms.info["seed"]),
    )  # fmt: skip
    relaxed.info = {**info, **relaxed.info}
    return relaxed
