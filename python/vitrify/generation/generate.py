"""Glasses from a generator: `generate` gives one as ASE atoms, `generate_many` any number of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from numpy.typing import ArrayLike

from vitrify.core.errors import VitrifyError
from vitrify.generation.request import Request
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.modelfile.metadata import Metadata


@dataclass(frozen=True)
class Relaxation:
    """What a pair style mends after generation: see `vitrify.generation.relaxation.correct`.

    commands: LAMMPS commands of the potential, or separated by ";". iterations: of the minimisation; steps: of
    canonical MD at `temperature` (K), or from there to `final_temperature`.
    """

    commands: str | Sequence[str]
    iterations: int = 10
    steps: int = 0
    temperature: float | None = None
    final_temperature: float | None = None


def generate(model: str | Path, n_atoms: int | None = None, **options: Any) -> Atoms:
    """One glass; options as for `generate_many`.

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
) -> Iterator[Atoms]:
    """`count` independent glasses, of the seeds seed, seed + 1, ...; a seed gives one structure wherever it stands.

    Args:
        model: file of kind amshortcut or glassvae, found as `vitrify.modelfile.archive.find_model` does.
        n_atoms, density, cell: two of the three, or n_atoms or cell alone, when the density is the model's for the
            targets. density: g/cm^3 in metal units, atoms per sigma^3 in lj. cell (3, 3), (3,) or a length.
        composition: shares of the elements, as in {"Si": 1, "O": 2}; default: the model's for the targets.
        target: properties to have, in the model's units; those that are not named are free.
        energy: low and high, for each atom, that a glassvae's structures shall have at rest (`latent_energy` in its
            file says if it is another energy); default: any, as in its data.
        steps: looks of the network at the structure. churn: share of noise put back before each step but the first.
        engine: "native" is compiled and quick; "torch" runs models without native weights too, and GPUs (`device`).
        corrector: a short relaxation with a pair style, after generation.
        anneal: of a glassvae: time (ps) at most in which it cools with the model's own potential, until its energy at
            rest lies in the window, or within 2 meV of the energy that was drawn (`vitrify.generation.anneal`); it
            ends at rest.
        workers: threads that make structures side by side; the structures come in order all the same.

    Returns:
        Atoms with periodic boundaries; info: "seed", "model", "steps", and the targets, or of a glassvae "latent" (z),
        "latent_energy" (drawn with it) and "energy_window" (as asked).

    Raises:
        VitrifyError: a request that makes no sense, a property or an element that the model does not have, a density or
            composition that is impossible, too little memory, or a result that fails the gates (finite, no pair closer
            than in the training data).
    """
    path = find_model(model)
    metadata = read_metadata(path)
    kind = KINDS[metadata.kind]
    if kind.generate is None:
        raise not_a_generator(path, metadata.kind)
    if count < 1:
        raise VitrifyError(f"count is {count}, but must be at least 1")
    if not 0 <= seed <= 2**32 - count:
        raise VitrifyError(f"seed is {seed}, but must lie between 0 and {2**32 - count}")
    if workers < 1:
        raise VitrifyError(f"workers is {workers}, but must be at least 1")
    request = Request(
        range(seed, seed + count), n_atoms, density, cell, composition, target, energy, steps, churn, engine, device,
        anneal, workers,
    )  # fmt: skip
    made: Iterator[Atoms] = kind.load("generate")(path, metadata, request)
    return (_corrected(atoms, corrector, metadata) for atoms in made) if corrector else made


def not_a_generator(path: Path, kind: str) -> VitrifyError:
    """The error for a model file of a kind that makes no structures."""
    return wrong_kind(path, kind, next(name for name, other in KINDS.items() if other.generate))


def _corrected(atoms: Atoms, corrector: Relaxation, metadata: Metadata) -> Atoms:
    from vitrify.core.compositions import potential_commands
    from vitrify.generation.relaxation import correct

    if metadata.units != "metal":
        raise VitrifyError("the corrector needs a model in metal units: relax the structure in LAMMPS instead")
    text = corrector.commands
    commands = potential_commands(text, metadata.species) if isinstance(text, str) else text
    info = dict(atoms.info)
    repaired = correct(
        atoms, commands, species=metadata.species, temperature=corrector.temperature,
        final_temperature=corrector.final_temperature, steps=corrector.steps,
        iterations=corrector.iterations, seed=int(atoms.info["seed"]) or 1,
    )  # fmt: skip
    repaired.info = {**info, **repaired.info}
    return repaired
