"""How much an evaluation of a generator does, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrify.core.errors import VitrifyError
from vitrify.core.options import integers, option
from vitrify.core.seeds import check_seed
from vitrify.lammps_library.commands import potential_from_text

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Amounts:
    """On how many samples of a run costly quantities are measured: energies after minimisation, rings, and distances
    to the training structures; 0: none."""

    energies: int = 20
    rings: int = 10
    novelty: int = 50


_counts = integers("sampling steps {!r} are no integers separated by commas: give 1,5,10,50")


def _steps(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_counts(text)))


def _amounts(text: str) -> Amounts:
    counts = integers("measured {!r} are no integers separated by commas: give 20,10,50")(text)
    if len(counts) != 3:
        raise VitrifyError(f"measured {text!r} must be three numbers, of energies, rings and novelty: 20,10,50")
    return Amounts(*counts)


def _condition(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    from vitrify.core.validation import parse_values

    return tuple(parse_values("condition", texts).items())


def _targets(text: str) -> tuple[float, float, int]:
    try:
        low, high, number = text.split(":")
        found = float(low), float(high), int(number)
    except ValueError:
        raise VitrifyError(f"targets {text!r} are not low:high:number: give for example 10:50:40") from None
    if found[2] < 2 or not found[0] < found[1]:
        raise VitrifyError(f"targets {text!r} need a low below the high value, and two numbers at least")
    return found


@dataclass(frozen=True)
class Settings:
    """How much an evaluation of a generator does.

    samples: structures of each run, in the cells of as many reference samples. sampling_steps: one run for each.
    potential: LAMMPS commands in metal units, which allow relaxation by the corrector, energies, and MD from a random
    start. temperature: K, of that MD and of the corrector's; None: the corrector only minimises. final_temperature: K,
    at the end of both; None: they stay. corrector_steps: MD steps of the corrector. corrector_iterations: of its
    minimisation. timestep: ps; None: 0.002, with oxygen or hydrogen 0.001. training: files of the structures that the
    model was trained on, for distances of generated ones to them. measured: samples of a run for costly quantities.

    engine, churn: of the sampling, see `vitrify.generation.generate.generate_many`. condition: (name, value) of
    properties that all structures are made for. target: property of inverse design, and targets (low, high, number):
    its values, in the unit of the property.
    """

    samples: int = option(100, "structures of each run")
    sampling_steps: tuple[int, ...] = option((1, 5, 10, 50), "one run for each, as in 1,5,10,50", parse=_steps)
    potential: tuple[str, ...] = option(
        (),
        "LAMMPS commands with ';' between, or a file: corrector, energies and plain MD",
        parse=potential_from_text,
    )
    temperature: float | None = option(
        None, "of plain MD from a random start and the corrector's MD, in K", needs="potential"
    )
    final_temperature: float | None = option(
        None, "where that temperature goes to, in K; default: it stays", needs="temperature"
    )
    corrector_steps: int = option(25, "MD steps of the corrector", needs="potential")
    corrector_iterations: int = option(10, "iterations of its minimisation; glasses at rest want 30", needs="potential")
    condition: tuple[tuple[str, float], ...] = option(
        (), "ask all structures for it, as in log10_cooling_rate=13", type=list[str], shown=None,
        parse=_condition,
    )  # fmt: skip
    timestep: float | None = option(
        None, "of that MD, in ps; default: 0.002, with oxygen or hydrogen 0.001", needs="potential"
    )
    training: tuple[Path, ...] = option(
        (), "training structures, to tell how new generated ones are", type=list[Path], shown=None,
        parse=tuple,
    )  # fmt: skip
    measured: Amounts = option(
        Amounts(), "samples of a run minimised, searched for rings, compared with --training",
        shown="20,10,50", parse=_amounts,
    )  # fmt: skip
    target: str | None = option(None, "property to ask for, as in shear_modulus", name="property")
    targets: tuple[float, float, int] | None = option(None, "its values, low:high:number", parse=_targets)
    churn: float = option(0.0, "noise put back before each step but the first")
    seed: int = option(1, "seed of all random numbers")
    engine: str = option("auto", "what runs the model: auto, native or torch")

    def __post_init__(self) -> None:
        """Raises VitrifyError for numbers that make no sense."""
        check_seed(self.seed)
        if self.samples < 2:
            raise VitrifyError(f"samples is {self.samples}, but must be at least 2")
        if not self.sampling_steps or min(self.sampling_steps) < 1:
            raise VitrifyError(f"sampling steps {self.sampling_steps} must be positive: give for example 1,5,10,50")
        counts = {name: getattr(self, name) for name in ("corrector_steps", "corrector_iterations")}
        for name, count in {**counts, **asdict(self.measured)}.items():
            if count < 0:
                raise VitrifyError(f"{name} is {count}, but must not be negative")
        for name in ("temperature", "final_temperature"):
            kelvin = getattr(self, name)
            if kelvin is not None and not kelvin > 0:
                raise VitrifyError(f"{name} {kelvin:g} must be above zero, in K")
        if (self.target is None) != (self.targets is None):
            raise VitrifyError("a property and its targets go together: give --property NAME --targets low:high:number")

    @property
    def target_values(self) -> np.ndarray:
        """(T,) the values of the property to ask for."""
        import numpy as np

        return np.linspace(*self.targets) if self.targets else np.zeros(0)

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json, where the numbers of samples stand beside the others."""
        values = asdict(self)
        measured = values.pop("measured")
        return {**values, **measured}
