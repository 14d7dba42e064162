"""Measurements on one long run: structure, dynamics, vibrations, energy, momentum, temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from vitrify.analysis import (
    RDF,
    diffusion_coefficient,
    first_structure_peak,
    msd,
    partial_rdf,
    self_intermediate,
    species_temperatures,
    structure_factor,
    vibrational_spectrum,
)
from vitrify.core.units import get_units
from vitrify.ogn.evaluate.results import Observed
from vitrify.ogn.evaluate.runs import Record, Substance

SETTLED = 0.1  # the share of a run that averages leave out
_RDF_FRAMES, _RDF_BINS = 400, 100
_RDF_RANGE = 4.0  # mean distances between atoms, (V / N)^(1/3): the shells in which structure shows
_PEAK_FRAMES, _PEAK_RANGE = 40, 2.2  # for the first peak of S(k); the range in 2 pi / (V / N)^(1/3)
_SPECTRUM_LAGS = 128
_OVERLAP = 8  # lags of the run that are taken from the window, which is finer but shorter


def pool(runs: Sequence[Observed]) -> Observed:
    """Runs of the same kind from several starts as one: means, and the largest momentum.

    The noise of single runs (two g(r) are never equal) averages out. A run that blew up is no noise: the first such
    run stands for all.
    """
    lost = [run for run in runs if run.blown_up]
    if lost or len(runs) == 1:
        return lost[0] if lost else runs[0]
    means = {
        field.name: np.mean([getattr(run, field.name) for run in runs], axis=0)
        for field in fields(Observed)
        if field.name not in ("atoms", "momentum", "rdf", "k_star", "kinetic_energy", "failure")
    }
    rdf = RDF(runs[0].rdf.r, {pair: np.mean([run.rdf.g[pair] for run in runs], axis=0) for pair in runs[0].rdf.g})
    return replace(
        runs[0],
        **means,
        rdf=rdf,
        momentum=np.max([run.momentum for run in runs], axis=0),
        k_star=float(np.mean([run.k_star for run in runs])),
        kinetic_energy=float(np.mean([run.kinetic_energy for run in runs])),
    )


def observe(record: Record, substance: Substance, k_star: float | None = None) -> Observed:
    """Measures a run; averages leave out its first tenth. k_star: by default the first peak of its own S(k)."""
    units, n_species = get_units(substance.units), len(substance.species)
    kinetic = record.kinetic_energy(substance)
    settled = slice(int(SETTLED * len(record.times)), None)
    positions, n = record.positions[settled], len(record.types)
    volume = abs(np.linalg.det(record.cell))
    heights = volume / np.linalg.norm(np.cross(record.cell[[1, 2, 0]], record.cell[[2, 0, 1]]), axis=1)
    spacing = (volume / n) ** (1 / 3)
    r_max = min(0.5 * float(heights.min()), _RDF_RANGE * spacing)
    if k_star is None:
        k_max = _PEAK_RANGE * 2 * np.pi / spacing
        k_star = first_structure_peak(*structure_factor(_some(positions, _PEAK_FRAMES), record.cell, k_max))
    masses = np.asarray(substance.masses)[record.types]
    lags, displacement, scattering = _motion(record, positions, masses, k_star)
    frequencies, spectrum = np.zeros(0), np.zeros((n_species, 0))
    if record.window is not None:
        v = _at_rest(record.window.velocities, masses)
        longest = min(_SPECTRUM_LAGS, len(v) // 4)
        frequencies, spectrum = vibrational_spectrum(v, record.types, record.window.interval, longest)
    return Observed(
        atoms=n,
        times=record.times,
        energy=(kinetic + record.potential_energy) / n,
        temperature=record.temperature(substance),
        momentum=record.momentum(substance),
        temperatures=species_temperatures(
            record.velocities[settled], record.types, np.asarray(substance.masses), units
        ).mean(axis=0),
        rdf=partial_rdf(_some(positions, _RDF_FRAMES), record.cell, record.types, n_species, r_max, _RDF_BINS),
        lags=lags,
        msd=displacement,
        diffusion=np.array([_diffusion(lags, row) for row in displacement]),
        k_star=k_star,
        scattering=scattering,
        frequencies=frequencies,
        spectrum=spectrum,
        kinetic_energy=float(kinetic[0]) / n,
        failure=record.failure,
    )


def _some(frames: np.ndarray, count: int) -> np.ndarray:
    """At most `count` frames, evenly spread."""
    return np.asarray(frames[np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))])


def _at_rest(frames: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Positions or velocities (T,N,3) about the centre of mass, which a thermostat may set in motion."""
    return np.asarray(frames - np.average(frames, axis=1, weights=masses)[:, None])


def _motion(
    record: Record, settled: np.ndarray, masses: np.ndarray, k: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lags in time, MSD and F_s: for short lags from the window, for longer ones from the whole run."""
    interval = float(record.times[1] - record.times[0]) if len(record.times) > 1 else 0.0
    parts = [(settled, interval, len(settled) // 4)]
    if record.window is not None:
        detail = record.window
        most = min(len(detail.positions) // 4, int(_OVERLAP * interval / detail.interval))
        parts.insert(0, (detail.positions, detail.interval, most))
    times, moved, scattered, reached = [], [], [], -1.0
    for frames, apart, most in parts:
        positions = _at_rest(frames, masses)
        lags, displacement = msd(positions, record.types, max_lag=most)
        new = lags * apart > reached * (1 + 1e-9)
        if new.any():
            times.append(lags[new] * apart)
            moved.append(displacement[:, new])
            scattered.append(self_intermediate(positions, record.types, k, lags[new]))
            reached = float(times[-1][-1])
    return np.concatenate(times), np.concatenate(moved, axis=1), np.concatenate(scattered, axis=1)


def _diffusion(lags: np.ndarray, displacement: np.ndarray) -> float:
    """D from the lags beyond the first fifth; NaN for a run too short for that."""
    return diffusion_coefficient(lags, displacement, 0.2 * float(lags[-1])) if len(lags) > 4 else np.nan
