"""The labels that predictions are compared with, and the engine that predicts."""

from __future__ import annotations

from dataclasses import dataclass

from vitrify.core.options import comma_separated, option


def _names(text: str) -> tuple[str, ...] | None:
    return comma_separated(text) if text else None


@dataclass(frozen=True)
class Settings:
    """The labels that predictions are compared with, and the engine that predicts.

    label: name of the labels in the files; None: the name of the model's property. label_species: species whose labels
    count; None: all. ceiling: the pooled Pearson correlation that a perfect model would reach, as labels are noisy.
    engine: auto, native or torch. device: cpu or cuda:N. species: names of the types in the files, in their order;
    None: the model's. atom_style: of LAMMPS data files that do not name theirs. allow_missing: labels may be missing,
    see `vitrify.data.structures.load_structures`.
    """

    label: str | None = option(None, "name of the labels; default: the model's property")
    label_species: tuple[str, ...] | None = option(
        None, "species whose labels count, as in A,B; default: all", parse=_names
    )
    ceiling: float | None = option(None, "correlation that a perfect model would reach, as labels are noisy")
    engine: str = option("auto", "what runs the model: auto, native or torch")
    device: str = option("cpu", "cpu or cuda:N")
    atom_style: str | None = option(None, "of LAMMPS data files whose section Atoms does not name its own")
    species: tuple[str, ...] | None = None
    allow_missing: bool = False
