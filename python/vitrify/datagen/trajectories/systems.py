"""The frozen recipes of the simulated systems: composition, potential, temperatures and preparation.

Lengths, times and energies are in the LAMMPS units of the system ("lj": reduced; "metal": A, ps, eV, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.lammps_library.session import LammpsSession


@dataclass(frozen=True)
class Stage:
    """A canonical run of `steps` base steps between two temperatures; None is the temperature of the system."""

    steps: int
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class System:
    """A material, its potential, and how its trajectories are prepared.

    counts and box: the default cubic cell; other sizes keep its density and composition. The stages run one after the
    other with the base step, with the potential of `preparation` if that of the system is too expensive; then `settle`
    base steps with md_timestep, whose mean energy is that of the microcanonical run.
    """

    name: str
    title: str
    units: str  # LAMMPS units of all fields: "lj" or "metal"
    species: tuple[str, ...]
    masses: tuple[float, ...]  # lj: reduced; metal: g/mol
    counts: tuple[int, ...]  # atoms of each species
    box: float  # edge: sigma or A
    commands: tuple[str, ...]  # LAMMPS commands of the potential
    temperature: float  # epsilon/k or K
    base_timestep: float  # tau or ps
    md_timestep: float  # tau or ps; divides the base step
    stages: tuple[Stage, ...]
    settle: int  # base steps
    push_off: float  # sigma or A: range of the soft repulsion that removes overlaps of the random start
    preparation: tuple[str, ...] | None = None
    charges: tuple[float, ...] | None = None  # e, of each species
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
        self,
        atoms: int | None = None,
        md_timestep: float | None = None,
        temperature: float | None = None,
        density: float | None = None,
    ) -> System:
        """The same system with another size, integration step, temperature, or `density` times its density."""
        system = self if atoms is None else self._resized(atoms)
        if density is not None:
            if not 0.5 <= density <= 2.0:
                raise VitrifyError(f"density {density:g} is a factor of the system's: give one from 0.5 to 2")
            system = replace(system, box=system.box / density ** (1 / 3))
        if temperature is not None:
            if temperature <= 0:
                raise VitrifyError(f"temperature {temperature:g} must be positive")
            system = replace(system, temperature=float(temperature))
        if md_timestep is not None:
            ratio = self.base_timestep / md_timestep if md_timestep > 0 else 0.0
            if ratio < 1 - 1e-9 or abs(ratio - round(ratio)) > 1e-6:
                raise VitrifyError(
                    f"the MD timestep {md_timestep:g} does not divide the base step {self.base_timestep:g}"
                    f" of {self.name}: take for example {self.md_timestep:g}"
                )
            system = replace(system, md_timestep=self.base_timestep / round(ratio))
        return system

    def _resized(self, atoms: int) -> System:
        shares = np.array(self.counts) * atoms / self.n_atoms
        counts = np.floor(shares).astype(int)
        # Largest remainders get the atoms that rounding down left over.
        counts[np.argsort(counts - shares, kind="stable")[: atoms - counts.sum()]] += 1
        if counts.min() < 1:
            raise VitrifyError(f"{atoms} atoms of {self.name} would leave a species without atoms: ask for more")
        if self.charges and abs(np.dot(counts, self.charges)) > 1e-9:
            unit = self.n_atoms // int(np.gcd.reduce(self.counts))
            raise VitrifyError(
                f"{atoms} atoms of {self.name} are not neutral: take {max(1, round(atoms / unit)) * unit}"
            )
        box = self.box * (atoms / self.n_atoms) ** (1 / 3)
        return replace(self, counts=tuple(counts.tolist()), box=box)

    def session(self, positions: np.ndarray, commands: Sequence[str] = ()) -> LammpsSession:
        """LAMMPS with the atoms at `positions` (N, 3), and a potential if its commands are given."""
        return LammpsSession(
            units=self.units, cell=self.cell, types=self.types, masses=self.masses, positions=positions,
            charges=self.charges, commands=commands,
        )  # fmt: skip

    def recipe(self) -> dict[str, Any]:
        """The settings that a file records, as plain values."""
        return {
            "title": self.title,
            "counts": list(self.counts),
            "box": self.box,
            "commands": list(self.commands),
            **({"preparation": list(self.preparation)} if self.preparation else {}),
            "charges": list(self.charges) if self.charges else None,
            "temperature": self.temperature,
            "stages": [[stage.steps, stage.start, stage.end] for stage in self.stages],
            "settle": self.settle,
            "push_off": self.push_off,
            "citation": self.citation,
        }


# pair_modify shift makes the energy continuous at the cutoff, without which its drift could not be measured;
# the forces, hence the trajectories, are those of the truncated potential.
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

_KALJ_GLASS = replace(
    _KALJ,
    name="kalj-glass",
    title="Kob-Andersen Lennard-Jones glass, quenched from T = 3 to 0.5 in 10,000 steps",
    temperature=0.5,
    stages=(Stage(4000, 3.0, 3.0), Stage(10000, 3.0)),
)

# Metal liquids have one base step and one push-off; they melt at a temperature above their own.
_METAL: dict[str, Any] = {"units": "metal", "base_timestep": 0.001, "md_timestep": 0.00025, "push_off": 2.2}

# The constants of the OGN paper (eq. 5), which are close to those of van Beest, Kramer and van Santen (BKS;
# charges 2.4 and -1.2, A 18003.757 and 1388.773 eV) but not the same. Its smaller charges and smaller A(Si-O) seem
# to belong together: in short runs at 3600 K Si-O peaked at 1.64 A with them, at 1.61 A with BKS's constants, and at
# 1.59 A with the paper's A and BKS's charges. One constant is not the paper's: its D(O-O) = 113 eV A^24 leaves a
# well of -12 eV at 1.08 A behind a barrier at 1.45 A, into which a pair of O fell when a random start was heated to
# 4900 K. 3000 makes the repulsion monotonic, which is what the term is for, and adds less than 5 meV beyond 1.75 A;
# the closest pair of O seen at 3200 to 3400 K was 1.82 A apart.
_SIO2 = System(
    name="sio2",
    title="Silica liquid, Buckingham potential with damped shifted-force Coulomb and a r^-24 wall",
    species=("Si", "O"),
    masses=(28.0855, 15.9994),
    charges=(2.094, -1.047),
    counts=(121, 242),
    box=17.6,
    commands=(
        "pair_style hybrid/overlay coul/dsf 0.25 8.0 lepton 8.0",
        "pair_coeff * * coul/dsf",
        'pair_coeff 1 1 lepton "3423200/r^24"',
        'pair_coeff 1 2 lepton "17471.7*exp(-r/0.205205) - 133.4/r^6 + 29/r^24"',
        'pair_coeff 2 2 lepton "1386.9*exp(-r/0.362319) - 174.8/r^6 + 3000/r^24"',
        "pair_modify pair lepton shift yes",
    ),
    temperature=3600.0,
    stages=(Stage(3000, 5000.0, 5000.0), Stage(2000, 5000.0), Stage(8000)),
    settle=2000,
    citation="B. W. H. van Beest, G. J. Kramer, R. A. van Santen, Phys. Rev. Lett. 64, 1955 (1990), modified",
    **_METAL,
)

_SI = System(
    name="si", title="Silicon liquid, Stillinger-Weber", species=("Si",), masses=(28.0855,), counts=(128,), box=13.45,
    commands=("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si"), temperature=2000.0,
    stages=(Stage(2000, 3000.0, 3000.0), Stage(5000)), settle=8000,
    citation="F. H. Stillinger, T. A. Weber, Phys. Rev. B 31, 5262 (1985)", **_METAL,
)  # fmt: skip

_CUZR = System(
    name="cuzr", title="Cu64.5Zr35.5 liquid, embedded-atom method", species=("Cu", "Zr"), masses=(63.546, 91.224),
    counts=(158, 87), box=16.04, temperature=1500.0,
    commands=("pair_style eam/fs", "pair_coeff * * {potentials/CuZr_mm.eam.fs} Cu Zr"),
    stages=(Stage(3000, 2500.0, 2500.0), Stage(2000, 2500.0), Stage(4000)), settle=2000,
    citation="M. I. Mendelev, D. J. Sordelet, M. J. Kramer, J. Appl. Phys. 102, 043501 (2007)", **_METAL,
)  # fmt: skip

# The box of zero pressure at 500 K, from a quench at constant pressure with the same rate.
_CUZR_GLASS = replace(
    _CUZR,
    name="cuzr-glass",
    title="Cu64.5Zr35.5 glass, quenched from 1500 to 500 K in 20 ps, embedded-atom method",
    box=15.875,
    temperature=500.0,
    stages=(Stage(3000, 2500.0, 2500.0), Stage(2000, 2500.0, 1500.0), Stage(20000, 1500.0)),
)

_SI_SNAP = replace(
    _SI,
    name="si-snap",
    title="Silicon liquid, spectral neighbour analysis potential",
    commands=(
        "pair_style snap",
        "pair_coeff * * {potentials/Si_Zuo_JPCA2020.snapcoeff} {potentials/Si_Zuo_JPCA2020.snapparam} Si",
    ),
    preparation=_SI.commands,
    md_timestep=0.0005,
    settle=400,
    citation="Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020)",
)

SYSTEMS: dict[str, System] = {s.name: s for s in (_KALJ, _KALJ_GLASS, _SIO2, _SI, _SI_SNAP, _CUZR, _CUZR_GLASS)}


def get_system(name: str) -> System:
    """The system called `name`."""
    if name not in SYSTEMS:
        raise VitrifyError(f"system {name!r} is unknown{did_you_mean(name, SYSTEMS)}: choose from {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
