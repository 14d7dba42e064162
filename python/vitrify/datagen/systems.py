"""The frozen recipes of the simulated systems: composition, potential, temperatures and preparation.

Lengths, times and energies are in the LAMMPS units of the system ("lj": reduced; "metal": A, ps, eV, K).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vitrify.errors import VitrifyError, did_you_mean


@dataclass(frozen=True)
class Stage:
    """A canonical run of `steps` base steps from temperature `start` to `end`; None is the temperature of the system."""

    steps: int
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class System:
    """A material, its potential, and how its trajectories are prepared.

    counts and box: the default cubic cell; other sizes keep its density and composition. push_off: the range of the
    soft repulsion that takes overlaps out of the random start. stages: run one after the other with the base step;
    then `settle` base steps with md_timestep, whose mean energy is the energy of the microcanonical run.
    """

    name: str
    title: str
    units: str
    species: tuple[str, ...]
    masses: tuple[float, ...]
    counts: tuple[int, ...]
    box: float
    commands: tuple[str, ...]
    temperature: float
    base_timestep: float
    md_timestep: float
    stages: tuple[Stage, ...]
    settle: int
    push_off: float
    charges: tuple[float, ...] | None = None
    citation: str = field(default="", compare=False)

    @property
    def n_atoms(self) -> int:
        return sum(self.counts)

    @property
    def types(self) -> np.ndarray:
        """(N,) types from 0, sorted."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def cell(self) -> np.ndarray:
        return np.diag([self.box] * 3)

    @property
    def substeps(self) -> int:
        """MD steps in a base step."""
        return round(self.base_timestep / self.md_timestep)

    def with_settings(
        self, atoms: int | None = None, md_timestep: float | None = None, temperature: float | None = None
    ) -> System:
        """The same system with another size (same density and composition), integration step or temperature."""
        system = self if atoms is None else self._resized(atoms)
        if temperature is not None:
            if temperature <= 0:
                raise VitrifyError(f"temperature {temperature:g} must be positive")
            system = replace(system, temperature=float(temperature))
        if md_timestep is not None:
            ratio = self.base_timestep / md_timestep if md_timestep > 0 else 0.0
            if ratio < 1 - 1e-9 or abs(ratio - round(ratio)) > 1e-6:
                raise VitrifyError(
                    f"the MD timestep {md_timestep:g} does not divide the base step {self.base_timestep:g} of {self.name}:"
                    f" take for example {self.md_timestep:g}"
                )
            system = replace(system, md_timestep=self.base_timestep / round(ratio))
        return system

    def _resized(self, atoms: int) -> System:
        shares = np.array(self.counts) * atoms / self.n_atoms
        counts = np.floor(shares).astype(int)
        # Largest remainders get the atoms that rounding down left over.
        counts[np.argsort(counts - shares, kind="stable")[: atoms - counts.sum()]] += 1
        if counts.min() < 1:
            raise VitrifyError(
                f"{atoms} atoms of {self.name} would leave a species without atoms: ask for more"
            )
        if self.charges and abs(np.dot(counts, self.charges)) > 1e-9:
            unit = self.n_atoms // int(np.gcd.reduce(self.counts))
            raise VitrifyError(
                f"{atoms} atoms of {self.name} are not neutral: take {max(1, round(atoms / unit)) * unit}"
            )
        box = self.box * (atoms / self.n_atoms) ** (1 / 3)
        return replace(self, counts=tuple(counts.tolist()), box=box)

    def recipe(self) -> dict[str, Any]:
        """The settings that a file records, as plain values."""
        return {
            "title": self.title,
            "counts": list(self.counts),
            "box": self.box,
            "commands": list(self.commands),
            "charges": list(self.charges) if self.charges else None,
            "temperature": self.temperature,
            "stages": [[stage.steps, stage.start, stage.end] for stage in self.stages],
            "settle": self.settle,
            "push_off": self.push_off,
            "citation": self.citation,
        }


# The energy shift makes the energy continuous at the cutoff, without which its drift could not be measured;
# forces, hence trajectories, are those of the truncated potential.
_KALJ = System(
    name="kalj",
    title="Kob-Andersen Lennard-Jones liquid A80B20",
    units="lj",
    species=("A", "B"),
    masses=(1.0, 1.0),
    counts=(212, 53),
    box=6.038,
    commands=(
        "pair_style lj/cut 2.5",
        "pair_coeff 1 1 1.0 1.0",
        "pair_coeff 1 2 1.5 0.8",
        "pair_coeff 2 2 0.5 0.88",
        "pair_modify shift yes",
    ),
    temperature=3.0,
    base_timestep=0.005,
    md_timestep=0.001,
    stages=(Stage(4000),),
    settle=2000,
    push_off=1.0,
    citation="W. Kob, H. C. Andersen, Phys. Rev. E 51, 4626 (1995)",
)

SYSTEMS: dict[str, System] = {system.name: system for system in (_KALJ,)}


def get_system(name: str) -> System:
    """The system called `name`."""
    if name not in SYSTEMS:
        raise VitrifyError(
            f"system {name!r} is unknown{did_you_mean(name, SYSTEMS)}: choose from {', '.join(SYSTEMS)}"
        )
    return SYSTEMS[name]
