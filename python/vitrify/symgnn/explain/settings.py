"""The atoms to explain, and the effort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.options import integers, option
from vitrify.core.seeds import check_seed

# The medium range (A; sigma): 5 to 10 A of the paper (section 6.1), which is 2 to 4 diameters of an atom.
MEDIUM_RANGE = {"metal": (5.0, 10.0), "lj": (2.0, 4.0)}
IMPORTANCE = ("mask", "effect")
# Width of the bins of equal lengths (A; sigma). In wider bins (0.1 A), importance that is a function of length alone
# seems to correlate with cycles beyond length, because the number of cycles falls with length within a bin, too.
BIN = {"metal": 0.02, "lj": 0.008}

_atoms = integers("atoms {!r} are not integers separated by commas: give for example 1,5,9")


@dataclass(frozen=True)
class Settings:
    """How much an explanation does.

    atoms: to explain, counted from 1; empty: `number` atoms drawn with `seed`. baseline: a second model, explained for
    the same atoms. importance: what the score of a bond is. mask: GNNExplainer's, the paper's, which depends on where
    its optimiser starts; effect: how far the prediction moves, to first order, when the bond is left out.
    For masks, epochs: optimiser steps for one atom, with Adam at `rate`. start: standard deviation of the logits that a
    mask starts from, drawn with `seed`. size, entropy: weights of the two regularisers of GNNExplainer, both means
    over the bonds; the squared error beside them is in units of the variance of the predictions over the structure.
    top: bonds of one atom that count as important. atom_style: of a
    LAMMPS data file that does not name its own. permutations: of each null. topology: persistent homology or not.
    """

    atoms: tuple[int, ...] = option((), "atoms to explain, counted from 1, as in 1,5,9", parse=_atoms)
    number: int = option(20, "how many atoms to draw, without --atoms")
    seed: int = option(1, "seed of all random numbers")
    baseline: str | None = option(None, "a second model, explained for the same atoms, such as a SchNet")
    importance: str = option(
        "effect",
        "what makes a bond important: effect (how far the prediction moves without it, to first order: "
        "seconds an atom) or mask (GNNExplainer's, as the paper has it: --epochs times as long)",
    )
    epochs: int = option(100, "with --importance mask: optimiser steps for one atom")
    rate: float = 0.1
    start: float = 0.0
    size: float = 0.1
    entropy: float = 0.02
    top: int = option(50, "bonds of one atom that count as important")
    permutations: int = option(1000, "permutations of each null")
    atom_style: str | None = option(None, "of a LAMMPS data file whose section Atoms does not name its own")
    topology: bool = option(True, "persistent homology, which needs homcloud")

    def __post_init__(self) -> None:
        """Raises VitrifyError for numbers that make no sense."""
        check_seed(self.seed)
        for name in ("number", "epochs", "top", "permutations"):
            if getattr(self, name) < 1:
                raise VitrifyError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not self.rate > 0 or min(self.size, self.entropy, self.start) < 0:
            raise VitrifyError(
                f"rate {self.rate} must be positive, and size {self.size}, entropy {self.entropy} and start "
                f"{self.start} not negative"
            )
        if self.importance not in IMPORTANCE:
            raise VitrifyError(f"importance is {self.importance!r}, but must be one of {', '.join(IMPORTANCE)}")
        if len(set(self.atoms)) != len(self.atoms):
            raise VitrifyError(f"atoms {','.join(map(str, self.atoms))} repeat: name each atom once")

    def choose(self, n_atoms: int) -> list[int]:
        """The atoms to explain, as indices from 0, in ascending order; VitrifyError if there are no such atoms."""
        outside = [atom for atom in self.atoms if not 1 <= atom <= n_atoms]
        if outside:
            raise VitrifyError(
                f"atom {outside[0]} is not in the structure, whose {n_atoms} atoms count from 1: "
                f"name atoms in 1..{n_atoms}"
            )
        if self.atoms:
            return sorted(atom - 1 for atom in self.atoms)
        if self.number > n_atoms:
            raise VitrifyError(
                f"{self.number} atoms to explain, but the structure has {n_atoms}: ask for fewer (--number)"
            )
        import numpy as np

        drawn = np.random.default_rng(self.seed).choice(n_atoms, self.number, replace=False)
        return sorted(int(atom) for atom in drawn)

    def of_an_atom(self) -> dict[str, Any]:
        """The settings that the explanation of one atom depends on."""
        names = ["seed", "importance", "top"]
        if self.importance == "mask":
            names += ["epochs", "rate", "start", "size", "entropy"]
        return {name: getattr(self, name) for name in names}
