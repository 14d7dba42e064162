"""Other states than those a model was trained on: ten times the atoms, other temperatures and densities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import vitrify
from vitrify.data.trajectories import TrajectoryFile, TrajectoryMeta, TrajectoryWriter
from vitrify.datagen.trajectories.campaign import simulate
from vitrify.datagen.trajectories.systems import Stage, System
from vitrify.ogn.evaluate.one_step import one_step
from vitrify.ogn.evaluate.sampling import paths
from vitrify.ogn.evaluate.steppers import Stepper
from vitrify.ogn.evaluate.verdicts import one_step_verdict

STATES: dict[str, tuple[tuple[str, dict[str, float]], ...]] = {
    "size": (("10 x the atoms", {"atoms": 10.0}),),
    "temperature": (("0.8 T", {"temperature": 0.8}), ("1.2 T", {"temperature": 1.2})),
    "density": (("0.95 of the density", {"density": 0.95}), ("1.05 of the density", {"density": 1.05})),
}
_SEED = 1000  # apart from the seeds that people give to their data
_FRAMES = 21  # one stride apart

Methods = Callable[[TrajectoryMeta], dict[str, Stepper]]


def transfer(
    chosen: Sequence[str], meta: TrajectoryMeta, stride: int, methods: Methods, folder: Path,
    tick: Callable[[int], None] = lambda states: None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """One-step errors in each state of the `chosen` STATES: state -> {atoms, temperature, v_std, methods, verdict}.

    The trajectories, two for each state and one of the larger system, are simulated as the test data were, and kept
    in `folder`. methods: makes the steppers to compare, for data of given settings.
    """
    found = {}
    for kind in chosen:
        for name, factors in STATES[kind]:
            with TrajectoryFile(state_data(meta, factors, stride, folder)) as file:
                steppers = methods(file.meta)
                one = one_step(steppers, paths(file, stride, 1, 2 * (_FRAMES - 1)), meta.species, meta.masses)
                found[name] = {
                    "atoms": len(file.load(0, slice(1)).types),
                    "temperature": file.meta.recipe["temperature"],
                    "pairs": one.pairs,
                    "v_std": one.v_std,
                    "methods": one.metrics,
                    "verdict": one_step_verdict(one),
                }
            tick(1)
    return found


def state_data(meta: TrajectoryMeta, factors: dict[str, float], stride: int, folder: Path) -> Path:
    """A file of short trajectories like those of `meta`, but for factors of atoms, temperature or density.

    Trajectories that the file holds already are not simulated again.
    """
    system = system_of(meta)
    system = system.with_settings(
        atoms=round(factors["atoms"] * system.n_atoms) if "atoms" in factors else None,
        temperature=factors["temperature"] * system.temperature if "temperature" in factors else None,
        density=factors.get("density"),
    )
    label = "_".join(f"{key}_{value:g}" for key, value in factors.items())
    path = folder / f"{meta.system}_{label}_every_{stride}.h5"
    settings = TrajectoryMeta(
        system.name, system.units, system.species, system.masses, system.base_timestep, system.md_timestep, stride,
        {**system.recipe(), "frames": _FRAMES}, _SEED, {**meta.versions, "vitrify": vitrify.__version__},
    )  # fmt: skip
    with TrajectoryWriter(path, settings) as writer:
        for index in range(1 if "atoms" in factors else 2):
            if index not in writer.finished:
                writer.append(simulate(system, _FRAMES, stride, [_SEED, index]), index)
    return path


def system_of(meta: TrajectoryMeta) -> System:
    """The system that a data file was made of, from the recipe in the file."""
    recipe = meta.recipe
    return System(
        name=meta.system,
        title=recipe.get("title", meta.system),
        units=meta.units,
        species=meta.species,
        masses=meta.masses,
        counts=tuple(recipe["counts"]),
        box=recipe["box"],
        commands=tuple(recipe["commands"]),
        temperature=recipe["temperature"],
        base_timestep=meta.base_timestep,
        md_timestep=meta.md_timestep,
        stages=tuple(Stage(*stage) for stage in recipe["stages"]),
        settle=recipe["settle"],
        push_off=recipe["push_off"],
        preparation=tuple(recipe["preparation"]) if recipe.get("preparation") else None,
        charges=tuple(recipe["charges"]) if recipe.get("charges") else None,
        citation=recipe.get("citation", ""),
    )
