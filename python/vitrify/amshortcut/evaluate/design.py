"""Inverse design: properties of structures made for target values, calculated without the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from vitrify.amshortcut.evaluate.runs import Generate
from vitrify.amshortcut.evaluate.settings import Settings
from vitrify.analysis.ensembles import mass_densities
from vitrify.analysis.rings import mean_ring_size
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.core.progress import counted
from vitrify.core.seeds import later_seed
from vitrify.datagen.structures.elastic import elastic_constants, shear_modulus, youngs_modulus
from vitrify.generation.relaxation import charges_of, correct, inherent_energy

_ELASTIC = {"shear_modulus": shear_modulus, "youngs_modulus": youngs_modulus}
_NAMES = (*_ELASTIC, "inherent_energy", "ring_size", "density")


def calculator(name: str, commands: Sequence[str], species: Sequence[str]) -> Callable[[Atoms], float]:
    """A function that calculates a property of a structure: GPa, eV/atom, atoms in a ring, g/cm^3 or a fraction.

    shear_modulus, youngs_modulus and inherent_energy need LAMMPS `commands`; li_fraction and its like are the share of
    an element. Raises VitrifyError for other names.
    """
    element = name.removesuffix("_fraction").capitalize()
    if name.endswith("_fraction") and element in atomic_numbers:
        return lambda atoms: float(np.mean(atoms.numbers == atomic_numbers[element]))
    if name not in _NAMES:
        raise VitrifyError(
            f"property {name!r} cannot be calculated here{did_you_mean(name, _NAMES)}: choose from "
            f"{', '.join(_NAMES)}, or a share such as li_fraction"
        )
    if name in (*_ELASTIC, "inherent_energy") and not commands:
        raise VitrifyError(f"{name} is calculated with a potential: give --potential with LAMMPS commands")
    if name in _ELASTIC:
        modulus, charges = _ELASTIC[name], charges_of(commands, len(species))
        return lambda atoms: modulus(elastic_constants(atoms, commands, species, charges))
    if name == "inherent_energy":
        return lambda atoms: inherent_energy(atoms, commands, species=species)
    return mean_ring_size if name == "ring_size" else lambda atoms: float(mass_densities([atoms])[0])


def design(
    generate: Generate,
    like: Sequence[Atoms],
    species: Sequence[str],
    settings: Settings,
    steps: int,
    progress: bool = True,
) -> dict[str, Any]:
    """A structure for each target value of a property, as many without a target, and their calculated values.

    Each structure has as many atoms as one of `like`; with a potential, it is relaxed first. values, unconditional:
    (T,), NaN where a value could not be calculated. response: intercept and slope of the values over the targets, for
    `vitrify export --response`.
    """
    assert settings.target is not None
    of = calculator(settings.target, settings.potential, species)
    targets = settings.target_values
    found: dict[str, list[float]] = {"values": [], "unconditional": []}
    for name, values in found.items():
        for number, target in enumerate(counted(targets, f"{name}, {steps} steps", "target", progress)):
            asked = {settings.target: float(target)} if name == "values" else None
            values.append(_one(generate, like[number % len(like)], asked, of, species, settings, steps, number))
    conditional, null = (np.array(found[name]) for name in ("values", "unconditional"))
    return {
        "property": settings.target,
        "steps": steps,
        "targets": targets.tolist(),
        "values": conditional.tolist(),
        "unconditional": null.tolist(),
        "response": response(conditional, targets),
        "errors": errors(conditional, targets),
        "unconditional_errors": errors(null, targets),
    }


def _one(
    generate: Generate, like: Atoms, asked: dict[str, float] | None, of: Callable[[Atoms], float], species:
    Sequence[str], settings: Settings, steps: int, number: int,
) -> float:  # fmt: skip
    try:
        atoms = generate(like, steps=steps, seed=later_seed(settings.seed, number), target=asked, free=True)
        if settings.potential:
            atoms = correct(
                atoms, settings.potential, species=species, temperature=settings.temperature,
                final_temperature=settings.final_temperature, timestep=settings.timestep,
                steps=settings.corrector_steps if settings.temperature else 0,
                iterations=max(100, settings.corrector_iterations), seed=later_seed(settings.seed, number),
            )  # fmt: skip
        return of(atoms)
    except VitrifyError:
        return float("nan")


def response(values: np.ndarray, targets: np.ndarray) -> list[float] | None:
    """[intercept, slope] of a line through the values (T,) over the targets (T,); None for less than three values."""
    good = np.isfinite(values)
    if good.sum() < 3:
        return None
    slope, intercept = np.polyfit(targets[good], values[good], 1)
    return [float(intercept), float(slope)]


def errors(values: np.ndarray, targets: np.ndarray) -> dict[str, float | int]:
    """Mean absolute, root mean square and mean absolute percentage error of the finite values, and the number of
    others, as `failed`."""
    good = np.isfinite(values)
    gap = values[good] - targets[good]
    if not len(gap):
        return {"mae": float("nan"), "rmse": float("nan"), "mape": float("nan"), "failed": len(values)}
    with np.errstate(divide="ignore"):
        mape = 100 * float(np.mean(np.abs(gap) / np.abs(targets[good])))
    return {
        "mae": float(np.abs(gap).mean()),
        "rmse": float(np.sqrt(np.mean(gap**2))),
        "mape": mape,
        "failed": int((~good).sum()),
    }
