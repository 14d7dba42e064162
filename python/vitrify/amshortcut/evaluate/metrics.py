"""Numbers that compare generated structures with a reference ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from vitrify.amshortcut.evaluate.settings import Amounts
from vitrify.analysis import ensembles
from vitrify.analysis.ensembles import Curves
from vitrify.analysis.novelty import novelty
from vitrify.analysis.rings import ring_counts
from vitrify.core.errors import VitrifyError
from vitrify.core.progress import counted
from vitrify.generation.relaxation import inherent_energy

_LARGEST = 8  # atoms of the network former in a ring: few rings of glasses are larger, and these cost most


@dataclass(frozen=True)
class Measured:
    """Numbers of a set of structures, and the distributions that they come from."""

    metrics: dict[str, Any]
    rdf: Curves
    adf: Curves


class ReferenceEnsemble:
    """A reference ensemble, and comparisons of other structures with it.

    cutoffs: of coordination, by pair (A): the first minima of the reference's g(r). least: the smallest distances of
    pairs in the reference (A). Energies need `commands` of LAMMPS in metal units, novelty `training` structures.
    """

    def __init__(
        self,
        reference: Sequence[Atoms],
        species: Sequence[str],
        *,
        commands: Sequence[str] = (),
        training: Sequence[Atoms] = (),
        amounts: Amounts | None = None,
        groups: Sequence[int] | None = None,
    ) -> None:
        self.samples, self.species = list(reference), tuple(species)
        self.commands, self.training = tuple(commands), list(training)
        self.amounts = amounts or Amounts()
        self.groups = list(range(len(self.samples))) if groups is None else list(groups)
        self.rdf = ensembles.rdf(self.samples, self.species)
        self.adf = ensembles.adf(self.samples, self.species)
        self.cutoffs = ensembles.first_minima(self.rdf)
        self.least = ensembles.closest_pairs(self.samples, self.species)
        self.limit = ensembles.low_q_limit(ensembles.structure_factors(self.samples[:200]))
        self.shares = ensembles.coordination(self.samples, self.species, self.cutoffs)

    def measure(self, samples: Sequence[Atoms], progress: bool = False) -> Measured:
        """All numbers of some structures; lengths in A, energies in eV/atom, densities in g/cm^3."""
        rdf, adf = ensembles.rdf(samples, self.species), ensembles.adf(samples, self.species)
        density = ensembles.mass_densities(samples)
        metrics = {
            "samples": len(samples),
            "rdf": ensembles.rmsd(rdf, self.rdf),
            "adf": ensembles.rmsd(adf, self.adf),
            "coordination": self._coordination(samples),
            "density": {"mean": float(density.mean()), "std": float(density.std())},
            "low_q": float(np.nanmean(ensembles.low_q(samples, self.limit))),
            "short_pairs": ensembles.short_pairs(samples, self.species, self.least),
            "rings": self._rings(samples[: self.amounts.rings], progress),
            "novelty": self._novelty(samples[: self.amounts.novelty]),
            "energy": self._energy(samples[: self.amounts.energies], progress),
        }
        return Measured(metrics, rdf, adf)

    def floor(self, count: int) -> dict[str, Any]:
        """Disjoint parts of the reference against each other: `count` samples, or half of all, against the others.

        Whole simulations stay on one side. samples, against: the counts.
        """
        one, other = ensembles.disjoint(self.groups, count, 0)
        rdf, adf = (ensembles.floor_rmsd(curves, count, self.groups) for curves in (self.rdf, self.adf))
        return {"samples": len(one), "against": len(other), "rdf": rdf, "adf": adf}

    def _coordination(self, samples: Sequence[Atoms]) -> dict[str, dict[str, Any]]:
        """By centre and neighbour; defects: the share of atoms that differ from the reference's commonest number."""
        found = ensembles.coordination(samples, self.species, self.cutoffs)
        return {
            name: {
                "mean": ensembles.mean_coordination(shares),
                "defects": 1.0 - float(shares[int(np.argmax(self.shares[name]))]),
                "shares": shares.tolist(),
            }
            for name, shares in found.items()
        }

    def _rings(self, samples: Sequence[Atoms], progress: bool) -> dict[str, Any] | None:
        """Sizes of shortest-path rings of up to 8 atoms of the network former; None where there is no such network."""
        former = "Si" if "Si" in self.species else self.species[0]
        if not samples or not (former == "Si" or len(self.species) == 1):
            return None
        total = np.zeros(0)
        for atoms in counted(samples, "rings", "sample", progress):
            counts = np.asarray(ring_counts(atoms, former, largest=_LARGEST), float)
            total = np.pad(total, (0, max(0, len(counts) - len(total))))
            total[: len(counts)] += counts
        if not total.sum():
            return {"mean": None, "shares": []}
        shares = total / total.sum()
        return {"mean": float(shares @ np.arange(len(shares))), "shares": shares.tolist(), "samples": len(samples)}

    def _novelty(self, samples: Sequence[Atoms]) -> dict[str, float] | None:
        if not samples or not self.training:
            return None
        distances, _ = novelty(samples, self.training, self.species)
        return {"mean": float(distances.mean()), "least": float(distances.min()), "samples": len(samples)}

    def _energy(self, samples: Sequence[Atoms], progress: bool) -> dict[str, Any] | None:
        """Energy after minimisation at fixed cell; failed: the number of samples that could not be minimised."""
        if not samples or not self.commands:
            return None
        found, failed = [], 0
        for atoms in counted(samples, "energies", "sample", progress):
            try:
                found.append(inherent_energy(atoms, self.commands, species=self.species))
            except VitrifyError:
                failed += 1
        spread = float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else None
        return {"mean": float(np.mean(found)) if found else None, "stderr": spread, "failed": failed}
