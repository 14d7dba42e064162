"""Cu50Zr50 from the melt to the glass, step by step, with energies, forces and stresses: what GlassVAE learns from.

Times are scaled down from the paper's (6 ns and 60 ns for 100 K) to what a machine gives in minutes; they are settings.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from vitrify.core.errors import VitrifyError
from vitrify.datagen.structures.recipes import Recipe, Simulation

_BAR = 6.241509074460763e-07  # eV/A^3
_FAST, _SLOW = 50.0, 20.0  # K: steps of the quench above and below `top`
_VOIGT = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


def relabel(run: Simulation, atoms: Atoms, force: float = 1e-3) -> tuple[Atoms, Atoms]:
    """The frame with energy, forces and stress of the run's potential, and its minimum in its cell, with the same.

    Both get info["inherent_energy"], the energy of the minimum (eV/atom). Moves the atoms of the run. The cell must be
    orthogonal. force: eV/A, that of the whole cell at which the minimisation ends.
    """
    run.cell = np.diag(np.diag(atoms.cell[:]))
    edges = zip("xyz", np.diag(run.cell).tolist(), strict=True)
    run.run_commands("change_box all " + " ".join(f"{x} final 0 {edge!r}" for x, edge in edges))
    run.set_state(atoms.positions, np.zeros((len(atoms), 3)))
    run.run(0)
    frame = _labelled(run, atoms)
    inherent = run.inherent_energy(force)
    still = atoms.copy()  # type: ignore[no-untyped-call]
    still.positions = run.atoms().positions
    still = _labelled(run, still)
    for each in (frame, still):
        each.info["inherent_energy"] = inherent
    return frame, still


def _labelled(run: Simulation, atoms: Atoms) -> Atoms:
    """A copy with the results of the run's last step, where nothing moves."""
    found: Atoms = atoms.copy()  # type: ignore[no-untyped-call]
    stress = [-_BAR * float(run.lmp.get_thermo(name)) for name in _VOIGT]
    found.calc = SinglePointCalculator(  # type: ignore[no-untyped-call]
        found, energy=float(run.lmp.get_thermo("pe")), forces=run.forces(), stress=np.array(stress)
    )
    return found


@dataclass(frozen=True)
class _Quench(Recipe):
    """Stepwise quench of Cu50Zr50 at zero pressure: a trajectory with `frames` frames at each of `temperatures` (K).

    info of each frame: temperature (K; 0 at rest), segment (the part of the trajectory), time (ps from the first step
    of the quench), inherent_energy.
    """

    property_units: ClassVar[dict[str, str]] = {"inherent_energy": "eV/atom", "temperature": "K"}
    species: ClassVar[tuple[str, ...]] = ("Cu", "Zr")
    commands: ClassVar[tuple[str, ...]] = ("pair_style eam/fs", "pair_coeff * * {potentials/CuZr_mm.eam.fs} Cu Zr")
    temperatures: ClassVar[tuple[float, ...]]
    top: ClassVar[float] = 1000.0  # K

    atoms: int = 108
    temperature: float = 2000.0  # K, of the melt
    spin_up: float = 2.0  # ps of the melt at constant volume
    melt_time: float = 20.0  # ps of the melt at constant pressure
    fast: float = 3.0  # ps of each step of 50 K, down to `top`
    slow: float = 8.0  # ps of each step of 20 K, below `top`
    frames: int = 60  # at each temperature
    every: float = 0.5  # ps between two frames
    timestep: float = 0.002  # ps
    density: float = 0.055  # atoms/A^3, of the random start

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        """A random start boils at constant pressure, so that it first loses its heat at constant volume."""
        half = self.atoms // 2
        counts = (self.atoms - half, half)
        run = Simulation(self.species, counts, self.density, self.commands, self.timestep, self.temperature, rng)
        run.nvt(self.temperature, self.spin_up)
        run.npt(self.temperature, self.temperature, self.melt_time)
        found = self.molten(run)
        time = 0.0
        for temperature, wait in self.steps():
            run.npt(temperature, temperature, wait)
            time += wait
            if temperature in self.temperatures:
                found += self._taken(run, temperature, self.frames, f"{temperature:g}K", time)
                time += self.frames * self.every
        return run, found + self.cold(run)

    def steps(self) -> list[tuple[float, float]]:
        """Temperatures (K) of the quench and the times (ps) there, down to the last of `temperatures`."""
        fast = np.arange(self.temperature - _FAST, self.top - 1e-6, -_FAST)
        slow = np.arange(self.top - _SLOW, min(self.temperatures) - 1e-6, -_SLOW)
        return [(float(t), self.fast) for t in fast] + [(float(t), self.slow) for t in slow]

    def _taken(self, run: Simulation, temperature: float, frames: int, segment: str, time: float = 0.0) -> list[Atoms]:
        found = run.sample(temperature, frames, self.every)
        for number, atoms in enumerate(found, 1):
            atoms.info.update(temperature=temperature, segment=segment, time=round(time + number * self.every, 6))
        return found

    @abstractmethod
    def molten(self, run: Simulation) -> list[Atoms]:
        """Frames of the melt."""

    @abstractmethod
    def cold(self, run: Simulation) -> list[Atoms]:
        """Frames after the quench."""

    def properties(self, simulation: Simulation, frames: list[Atoms]) -> dict[str, float]:
        """Puts labels on every frame, and adds those that no trajectory has; the frames carry their own properties."""
        frames[:] = self.labelled(simulation, frames)
        return {}

    def labelled(self, run: Simulation, frames: Sequence[Atoms]) -> list[Atoms]:
        return [relabel(run, atoms)[0] for atoms in frames]

    def check(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # the number of frames of some kinds may be 0
            least = 0 if field.name in ("molten_frames", "cold_frames", "strained", "still") else 1e-12
            if not (np.isfinite(value) and value >= least):
                raise VitrifyError(f"{field.name} is {value:g}, but must be above 0")
        if self.atoms < 4:
            raise VitrifyError(f"atoms is {self.atoms}, but must be at least 4")


@dataclass(frozen=True)
class CuZrStepwiseQuench(_Quench):
    """The quench of the GlassVAE paper, and frames that a potential needs beside it.

    Minima and strained frames have no time.
    """

    name: ClassVar[str] = "CuZr-ladder"
    title: ClassVar[str] = "Cu50Zr50, stepwise quench from 2000 K, embedded-atom method (Mendelev 2007)"
    temperatures: ClassVar[tuple[float, ...]] = (1000.0, 920.0, 840.0, 760.0, 700.0)

    molten_frames: int = 10  # of the melt at 2000 K
    cool: float = 8.0  # ps, down to 300 K
    cold_frames: int = 20  # of the glass at 300 K
    strained: int = 20  # frames of the quench scaled to a smaller volume, and as many to a larger one
    still: int = 20  # minima of frames of the quench
    strain: float = 0.03  # relative change of the volume of strained frames

    def molten(self, run: Simulation) -> list[Atoms]:
        return self._taken(run, self.temperature, self.molten_frames, "melt")

    def cold(self, run: Simulation) -> list[Atoms]:
        run.npt(min(self.temperatures), 300.0, self.cool)
        run.npt(300.0, 300.0, 0.5 * self.cool)
        return self._taken(run, 300.0, self.cold_frames, "300K")

    def labelled(self, run: Simulation, frames: Sequence[Atoms]) -> list[Atoms]:
        of_quench = [number for number, atoms in enumerate(frames) if atoms.info["temperature"] in self.temperatures]
        still = set(_spread(of_quench, self.still))
        found: list[Atoms] = []
        at_rest: list[Atoms] = []
        for number, atoms in enumerate(frames):
            frame, minimum = relabel(run, atoms)
            found.append(frame)
            if number in still:
                minimum.info.update(temperature=0.0, segment="minimised")
                del minimum.info["time"]
                at_rest.append(minimum)
        for share, segment in ((-self.strain, "compressed"), (self.strain, "expanded")):
            for number in _spread(of_quench, self.strained):
                atoms = frames[number].copy()  # type: ignore[no-untyped-call]
                atoms.set_cell(atoms.cell * (1.0 + share) ** (1 / 3), scale_atoms=True)
                atoms.info["segment"] = segment
                del atoms.info["time"]
                at_rest.append(relabel(run, atoms)[0])
        return found + at_rest


@dataclass(frozen=True)
class CuZrExternal(_Quench):
    """The external test of the GlassVAE paper: 960 and 720 K, where the other quench takes no frames."""

    name: ClassVar[str] = "CuZr-external"
    title: ClassVar[str] = "Cu50Zr50 at 960 and 720 K, stepwise quench, embedded-atom method (Mendelev 2007)"
    temperatures: ClassVar[tuple[float, ...]] = (960.0, 720.0)

    def simulate(self, rng: np.random.Generator) -> tuple[Simulation, list[Atoms]]:
        # The other quench with this seed must not begin alike.
        return super().simulate(np.random.default_rng([int(rng.integers(2**32)), 960]))

    def molten(self, run: Simulation) -> list[Atoms]:
        return []

    def cold(self, run: Simulation) -> list[Atoms]:
        return []


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """At most `count` of the numbers, evenly spread."""
    chosen = np.unique(np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int))
    return [numbers[i] for i in chosen]


QUENCHES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (CuZrStepwiseQuench, CuZrExternal)}
