"""Recipes of ensembles: how one sample of a material is simulated, and which properties of it are computed.

Units are LAMMPS's metal units (A, ps, eV, K, bar). A recipe is a frozen dataclass; its fields are the settings that a
file records and that a user may change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from vitrify.analysis.rings import mean_ring_size
from vitrify.core.compositions import masses
from vitrify.core.errors import VitrifyError
from vitrify.core.units import get_units
from vitrify.datagen.structures.elastic import elastic_constants, relaxed, shear_modulus, youngs_modulus
from vitrify.lammps_library.session import LammpsSession

_PUSH_OFF = 0.9  # range of the soft repulsion, in units of the edge of the cube that an atom has
_BARS = 1e4  # in a GPa


class Simulation(LammpsSession):
    """Atoms that start at random positions in a cube, without overlaps, and are then run in a cell that may change.

    counts: atoms of each species; density: atoms per A^3; charges: of each species, or none; timestep: ps.
    """

    def __init__(
        self,
        species: Sequence[str],
        counts: Sequence[int],
        density: float,
        commands: Sequence[str],
        timestep: float,
        temperature: float,
        rng: np.random.Generator,
        charges: Sequence[float] | None = None,
    ) -> None:
        self.symbols = [symbol for symbol, count in zip(species, counts, strict=True) for _ in range(count)]
        self.timestep = timestep
        self.rng = rng
        edge = (len(self.symbols) / density) ** (1 / 3)
        super().__init__(
            units="metal",
            cell=np.eye(3) * edge,
            types=np.repeat(np.arange(len(counts)), counts),
            masses=masses(species),
            positions=rng.uniform(0.0, edge, (len(self.symbols), 3)),
            charges=charges,
        )
        reach = _PUSH_OFF * density ** (-1 / 3)
        self.run_commands(
            f"timestep {timestep!r}",
            f"pair_style soft {reach:.6f}",
            f"pair_coeff * * {100 * get_units('metal').boltz * temperature:.6f}",
        )
        self.minimise(1e-3, 1000)
        self.run_commands(*commands)
        self.minimise(1e-2, 200)
        self.heat(temperature)

    def npt(self, start: float, end: float, time: float, pressure: float = 0.0) -> None:
        """Nose-Hoover dynamics at a pressure (GPa) for `time` ps, from temperature `start` to `end`."""
        self._run(f"npt {_baths(start, end, pressure)}", time)

    def nvt(self, temperature: float, time: float) -> None:
        """Langevin dynamics at constant volume for `time` ps: what takes the heat out of a random start."""
        seed = self.rng.integers(1, 900_000_000)
        self._run(f"langevin {temperature!r} {temperature!r} 0.1 {seed} zero yes", time, "nve")

    def _run(self, fix: str, time: float, second: str | None = None) -> None:
        fixes = [fix] if second is None else [second, fix]
        names = [f"run{number}" for number in range(len(fixes))]
        self.run_commands(*(f"fix {name} all {text}" for name, text in zip(names, fixes, strict=True)))
        self.run(self.steps(time))
        self.run_commands(*(f"unfix {name}" for name in names))

    def steps(self, time: float) -> int:
        return round(time / self.timestep)

    def sample(self, temperature: float, frames: int, every: float) -> list[Atoms]:
        """Frames `every` ps apart at constant temperature and zero pressure, the first after `every` ps.

        The thermostat and the barostat go on from frame to frame.
        """
        self.run_commands(f"fix sample all npt {_baths(temperature, temperature)}")
        found = []
        for number in range(frames):
            self.run(self.steps(every), fresh=number == 0)
            found.append(self.atoms())
        self.run_commands("unfix sample")
        return found

    def inherent_energy(self, force: float = 1e-4) -> float:
        """Moves the atoms to a minimum in the cell that there is; returns its energy (eV/atom).

        force: eV/A, of the whole cell, at which the minimisation ends.
        """
        self.minimise(force, 20000)
        return self.energy()

    def energy(self) -> float:
        """Potential energy (eV/atom) after the last run."""
        return float(self.lmp.get_thermo("pe")) / len(self.symbols)

    def minimise_volume(self) -> None:
        """Moves the atoms to a minimum at zero pressure, in a cell that keeps its shape."""
        self.minimise(1e-2, 2000)
        for _ in range(2):  # the reference of the fix is renewed with it
            self.run_commands("fix volume all box/relax iso 0.0 vmax 0.002")
            self.minimise(1e-2, 2000)
            self.run_commands("unfix volume")

    def heat(self, temperature: float) -> None:
        """Draws velocities of a temperature, without momentum."""
        seed = self.rng.integers(1, 900_000_000)
        self.run_commands(f"velocity all create {temperature!r} {seed} mom yes rot no dist gaussian")

    def atoms(self) -> Atoms:
        """The atoms as they are now, wrapped into the cell, whose corner is the origin."""
        low, high, xy, yz, xz, *_ = self.lmp.extract_box()
        x, y, z = (b - a for a, b in zip(low, high, strict=True))
        cell = np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]])
        found = Atoms(self.symbols, positions=self._gather("x", 1) - low, cell=cell, pbc=True)
        found.wrap()  # type: ignore[no-untyped-call]
        return found


def _baths(start: float, end: float, pressure: float = 0.0) -> str:
    """Arguments of a Nose-Hoover fix: temperatures, pressure (GPa), and damping times of 0.1 and 1 ps."""
    bars = pressure * _BARS
    return f"temp {start!r} {end!r} 0.1 iso {bars!r} {bars!r} 1.0"


class Recipe(ABC):
    """A material and how a sample of it is made; subclasses are frozen dataclasses of its settings."""

    name: ClassVar[str]
    title: ClassVar[str]
    property_units: ClassVar[dict[str, str]]  # of the properties that each sample has
    species: ClassVar[tuple[str, ...]]  # of the potential's types, in their order
    commands: ClassVar[tuple[str, ...]]
    charges: ClassVar[tuple[float, ...] | None] = None

    @abstractmethod
    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        """Runs one sample; returns its frames, and the simulation as it stands at the last one."""

    def properties(self, simulation: Simulation, frames: list[Atoms]) -> dict[str, float]:
        """Properties of the sample, by the names in `property_units`; may move the atoms of the simulation."""
        return {}

    def check(self) -> None:
        """Raises VitrifyError for settings that make no sense."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name.endswith("_pressure"):
                continue
            if not (np.isfinite(value) and value > 0):
                raise VitrifyError(f"{field.name} is {value:g}, but must be above 0")


@dataclass(frozen=True)
class SiliconLiquid(Recipe):
    """Liquid silicon at zero pressure: a trajectory of frames after an equilibration."""

    name: ClassVar[str] = "si-liquid"
    title: ClassVar[str] = "liquid silicon, Stillinger-Weber"
    property_units: ClassVar[dict[str, str]] = {}
    species: ClassVar[tuple[str, ...]] = ("Si",)
    commands: ClassVar[tuple[str, ...]] = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")

    atoms: int = 256
    temperature: float = 2500.0  # K
    equilibration: float = 20.0  # ps
    frames: int = 50
    every: float = 1.0  # ps between two frames
    timestep: float = 0.002  # ps
    density: float = 0.0518  # atoms/A^3, of the random start

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        run = _silicon(self, rng)
        run.npt(self.temperature, self.temperature, self.equilibration)
        return run, run.sample(self.temperature, self.frames, self.every)


@dataclass(frozen=True)
class SiliconGlass(Recipe):
    """Amorphous silicon: a melt that is cooled and held at the final temperature; then frames."""

    name: ClassVar[str] = "si-glass"
    title: ClassVar[str] = "amorphous silicon by quench, Stillinger-Weber"
    property_units: ClassVar[dict[str, str]] = {"log10_cooling_rate": "log10(K/s)", "inherent_energy": "eV/atom"}
    species: ClassVar[tuple[str, ...]] = SiliconLiquid.species
    commands: ClassVar[tuple[str, ...]] = SiliconLiquid.commands

    rate: float = 1e14  # K/s
    atoms: int = 256
    temperature: float = 2500.0  # K, of the melt
    melt_time: float = 10.0  # ps
    final_temperature: float = 300.0  # K
    hold: float = 5.0  # ps
    frames: int = 4
    every: float = 1.0  # ps between two frames
    timestep: float = 0.002  # ps
    density: float = 0.0518  # atoms/A^3, of the random start

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        run = _silicon(self, rng)
        run.npt(self.temperature, self.temperature, self.melt_time)
        run.npt(self.temperature, self.final_temperature, _quench_time(self))
        run.npt(self.final_temperature, self.final_temperature, self.hold)
        return run, run.sample(self.final_temperature, self.frames, self.every)

    def properties(self, simulation: Simulation, frames: list[Atoms]) -> dict[str, float]:
        return {"log10_cooling_rate": float(np.log10(self.rate)), "inherent_energy": simulation.inherent_energy()}


def _silicon(recipe: SiliconLiquid | SiliconGlass, rng: np.random.Generator) -> Simulation:
    """Silicon after 2 ps at constant volume: at constant pressure a random start would boil."""
    run = Simulation(
        ("Si",), (recipe.atoms,), recipe.density, recipe.commands, recipe.timestep, recipe.temperature, rng
    )
    run.nvt(recipe.temperature, 2.0)
    return run


def _quench_time(recipe: Any) -> float:
    """ps"""
    return float((recipe.temperature - recipe.final_temperature) / recipe.rate * 1e12)


@dataclass(frozen=True)
class Silica(Recipe):
    """Stoichiometric amorphous silica: a melt of `melt_time` ps, its minimum, and `hold` ps at the final temperature.

    The number of atoms is drawn between `smallest` and `largest`, in multiples of 3, and the pressure of the melt (GPa)
    between `least_pressure` and `most_pressure`: glasses of compressed melts stay denser and stiffer. There is no
    quench: a minimum of the melt, at zero pressure, is heated.
    """

    name: ClassVar[str] = "sio2"
    title: ClassVar[str] = "amorphous silica, Tersoff (Munetoh 2007)"
    property_units: ClassVar[dict[str, str]] = {
        "shear_modulus": "GPa",
        "ring_size": "Si atoms",
        "inherent_energy": "eV/atom",
    }
    species: ClassVar[tuple[str, ...]] = ("Si", "O")
    commands: ClassVar[tuple[str, ...]] = ("pair_style tersoff", "pair_coeff * * {potentials/SiO.tersoff} Si O")

    smallest: int = 80  # atoms
    largest: int = 250  # atoms
    temperature: float = 3500.0  # K, of the melt
    melt_time: float = 20.0  # ps
    least_pressure: float = -2.0  # GPa, of the melt
    most_pressure: float = 10.0  # GPa, of the melt
    final_temperature: float = 300.0  # K
    hold: float = 10.0  # ps at the final temperature
    timestep: float = 0.001  # ps
    density: float = 0.066  # atoms/A^3, of the random start

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        units = int(rng.integers(-(-self.smallest // 3), self.largest // 3 + 1))
        pressure = rng.uniform(self.least_pressure, self.most_pressure)
        run = Simulation(
            self.species, (units, 2 * units), self.density, self.commands, self.timestep, self.temperature, rng
        )
        run.nvt(self.temperature, 2.0)
        run.npt(self.temperature, self.temperature, self.melt_time, pressure)
        run.minimise_volume()
        run.heat(self.final_temperature)
        return run, run.sample(self.final_temperature, 1, self.hold)

    def properties(self, simulation: Simulation, frames: list[Atoms]) -> dict[str, float]:
        still, energy = relaxed(frames[-1], self.commands, self.species)
        constants = elastic_constants(still, self.commands, self.species, relax_cell=False)
        rings = mean_ring_size(frames[-1])
        if not np.isfinite(rings):
            raise VitrifyError("the network has no rings")
        return {"shear_modulus": shear_modulus(constants), "ring_size": rings, "inherent_energy": energy}

    def check(self) -> None:
        super().check()
        if not -4 <= self.least_pressure <= self.most_pressure <= 100:
            raise VitrifyError(
                f"least_pressure {self.least_pressure:g} and most_pressure {self.most_pressure:g} GPa must rise, from "
                "-4, where a melt tears, up to 100"
            )
        if self.smallest // 3 < 1 or self.largest // 3 < -(-self.smallest // 3):
            raise VitrifyError(f"no multiple of 3 lies between smallest {self.smallest} and largest {self.largest}")


# BMP-shrm (Bertani, Menziani, Pedone, Phys. Rev. Materials 5, 045602, 2021): formal charges times 0.6, Morse and r^-12
# between cations and oxygen, repulsion between cations, a screened three-body term for Si-O-Si.
_BMP = (
    "pair_style hybrid/overlay coul/dsf 0.2 12.0 pedone 7.0 buck 7.0 nb3b/screened",
    "pair_coeff * * coul/dsf",
    "pair_coeff 1 4 pedone 0.340554 2.0067 2.1 1.0",
    "pair_coeff 2 4 pedone 0.361581 1.900442 2.164818 0.9",
    "pair_coeff 3 4 pedone 0.041556 1.758181 2.55136 1.0",
    "pair_coeff 4 4 pedone 0.042395 1.379316 3.618701 100.0",
    "pair_coeff 1 1 buck 7.093669 0.975598 0.0",
    "pair_coeff 1 2 buck 8.09083 0.521919 0.0",
    "pair_coeff 2 2 buck 7.05969 0.919844 0.0",
    "pair_coeff * * nb3b/screened {potentials/PSiO.nb3b.screened} Si NULL NULL O",
)


@dataclass(frozen=True)
class Aluminosilicate(Recipe):
    """Glass of SiO2, Li2O and Al2O3: a melt of `melt_time` ps, cooled at `rate` K/s and held for `hold` ps.

    The molar shares of Li2O and Al2O3 are drawn uniformly from 0 to `share` each, until they total at most `shares`.
    The number of atoms is near `atoms`, and the glass is neutral.
    """

    name: ClassVar[str] = "meg"
    title: ClassVar[str] = "lithium aluminosilicate glass, BMP-shrm"
    property_units: ClassVar[dict[str, str]] = {
        "youngs_modulus": "GPa",
        "shear_modulus": "GPa",
        "li_fraction": "1",
        "inherent_energy": "eV/atom",
    }
    species: ClassVar[tuple[str, ...]] = ("Si", "Al", "Li", "O")
    charges: ClassVar[tuple[float, ...] | None] = (2.4, 1.8, 0.6, -1.2)
    commands: ClassVar[tuple[str, ...]] = _BMP

    rate: float = 1e14  # K/s
    atoms: int = 90
    share: float = 0.4  # molar, of Li2O and of Al2O3, at most
    shares: float = 0.45  # molar, of both together, at most
    temperature: float = 3000.0  # K, of the melt
    melt_time: float = 6.0  # ps
    final_temperature: float = 300.0  # K
    hold: float = 3.0  # ps
    timestep: float = 0.002  # ps
    density: float = 0.075  # atoms/A^3, of the random start

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        run = Simulation(
            self.species, self.counts(rng), self.density, self.commands, self.timestep, self.temperature, rng,
            charges=self.charges,
        )  # fmt: skip
        run.nvt(self.temperature, 2.0)
        run.npt(self.temperature, self.temperature, self.melt_time)
        run.npt(self.temperature, self.final_temperature, _quench_time(self))
        return run, run.sample(self.final_temperature, 1, self.hold)

    def counts(self, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Atoms of Si, Al, Li and O of a drawn composition."""
        while True:
            lithium, aluminium = rng.uniform(0.0, self.share, 2)
            if lithium + aluminium <= self.shares:
                break
        silicon = 1.0 - lithium - aluminium
        units = self.atoms / (3 * silicon + 3 * lithium + 5 * aluminium)  # oxides that make up so many atoms
        si, li2, al2 = (round(units * share) for share in (silicon, lithium, aluminium))
        return si, 2 * al2, 2 * li2, 2 * si + li2 + 3 * al2

    def properties(self, simulation: Simulation, frames: list[Atoms]) -> dict[str, float]:
        still, energy = relaxed(frames[-1], self.commands, self.species, self.charges)
        constants = elastic_constants(still, self.commands, self.species, self.charges, relax_cell=False)
        return {
            "youngs_modulus": youngs_modulus(constants),
            "shear_modulus": shear_modulus(constants),
            "li_fraction": list(still.symbols).count("Li") / len(still),
            "inherent_energy": energy,
        }

    def check(self) -> None:
        super().check()
        if self.share > 1 or self.shares > 0.9:
            raise VitrifyError(f"share {self.share:g} and shares {self.shares:g} must be at most 1 and 0.9")


RECIPES: dict[str, type[Recipe]] = {
    recipe.name: recipe for recipe in (SiliconLiquid, SiliconGlass, Silica, Aluminosilicate)
}
