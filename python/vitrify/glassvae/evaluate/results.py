"""The results of an evaluation of latent models: what `measure` finds and the report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrify.data.frames import Frame
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.evaluate.metrics import Rdf
from vitrify.glassvae.torchscript import TorchGlassVAE


@dataclass(frozen=True)
class FrameSet:
    """Frames (F), with the part of a simulation that each belongs to, `segments` (F,), and g(r) (F, pairs, bins)."""

    frames: list[Frame]
    segments: np.ndarray
    rdf: np.ndarray

    @property
    def thermal(self) -> np.ndarray:
        """(F,) True for frames that have a temperature."""
        return np.array([frame.thermal for frame in self.frames], bool)

    @property
    def energies(self) -> np.ndarray:
        """(F,) energies for each atom."""
        return np.array([frame.energy_per_atom for frame in self.frames])

    @property
    def number_densities(self) -> np.ndarray:
        """(F,) atoms per volume."""
        return np.array([frame.number_density for frame in self.frames])

    def parts(self, chosen: np.ndarray) -> list[str]:
        """The segments that occur among the chosen (F,) frames, in their order."""
        return list(dict.fromkeys(self.segments[chosen].tolist()))


@dataclass(frozen=True)
class Predictions:
    """Predictions for the frames of all files; `file` (F,) is the number of the file. rdf: the bins of g(r)."""

    opened: TorchGlassVAE
    test: FrameSet
    file: np.ndarray
    predicted: list[EnergyPrediction]
    rdf: Rdf

    @property
    def latents(self) -> np.ndarray:
        """(F, latent)"""
        return np.array([each.latent for each in self.predicted])

    @property
    def energies(self) -> np.ndarray:
        """(F,) predicted energies for each atom."""
        pairs = zip(self.test.frames, self.predicted, strict=True)
        return np.array([each.energy / len(frame) for frame, each in pairs])


@dataclass(frozen=True)
class Generated:
    """Energies at rest (eV/atom) of generated structures by their kind, and the numbers that follow from them.

    known: energies at rest of the frames. windows: the limits of the energy windows.
    """

    energies: dict[str, np.ndarray]
    known: np.ndarray
    windows: np.ndarray
    metrics: dict[str, Any]


@dataclass(frozen=True)
class GlassVAEResults:
    """All that was measured. predicted_rdf: g(r) (F, pairs, bins) from the latent vectors alone."""

    predictions: Predictions
    predicted_rdf: np.ndarray | None
    generated: Generated | None
    metrics: dict[str, Any]
