"""Reference data of an evaluation of a latent model, and the number of structures to make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitrify.core.errors import VitrifyError
from vitrify.core.options import integers, option
from vitrify.core.seeds import check_seed
from vitrify.lammps_library.commands import potential_from_text

_STEPS = 10
_EACH = (1, 5, 10, 50)  # the list by which generators are asked for a run of each: no choice of one number
_counts = integers("sampling steps {!r} are no integers separated by commas: give 1,5,10,50")


def _first(text: str) -> int:
    steps = tuple(dict.fromkeys(_counts(text)))
    wrong = [number for number in steps if number < 1]  # refused by `Settings`
    return _STEPS if steps == _EACH else [*wrong, *steps][0]


def _names(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(quantity and name for quantity, _, name in pairs):
        raise VitrifyError(f"names {text!r}: wanted QUANTITY=NAME, as in energy=my_energy,forces=my_forces")
    return tuple((quantity.strip(), name.strip()) for quantity, _, name in pairs)


@dataclass(frozen=True)
class Settings:
    """Reference data of an evaluation, and the number of structures to make.

    count: structures of each kind, decoded or generated (0: none). steps: of the sampler. potential: LAMMPS commands
    in metal units, which give the energies of structures at rest; without them nothing is generated. training: files
    of frames that the baselines are fitted to: means of each temperature, a linear model on g(r), a linear code.
    seed: of all random numbers. device: cpu or cuda:N. names: of energy, forces, stress and virial in the files, where
    they are not the usual ones. stress_unit: of the stress there; None: the energy per volume of the other numbers.
    """

    count: int = option(20, "structures decoded from z, and with --potential generated, of each kind", name="decode")
    steps: int = option(
        _STEPS, "the first of them, default 10", name="sampling_steps", type=str, shown="10", parse=_first
    )
    potential: tuple[str, ...] = option(
        (), "LAMMPS commands with ';' between, or a file: energies", parse=potential_from_text
    )
    training: tuple[Path, ...] = option((), "training structures", type=list[Path], shown=None, parse=tuple)
    seed: int = option(1, "seed of all random numbers")
    device: str = option("cpu", "cpu or cuda:N")
    names: tuple[tuple[str, str], ...] = option(
        (), "names in the files, as in energy=E,forces=F (also stress, virial)", parse=_names, shown=None
    )
    stress_unit: str | None = option(None, "unit of stress in the files: eV/A^3, GPa, kbar or bar")

    def __post_init__(self) -> None:
        """Raises VitrifyError for numbers that make no sense."""
        check_seed(self.seed)
        if self.count < 0:
            raise VitrifyError(f"{self.count} structures were asked for: give 0 or more")
        if self.steps < 1:
            raise VitrifyError(f"sampling steps {(self.steps,)} must be positive: give for example 1,5,10,50")
