"""Replays the reference case of a latent model."""

from __future__ import annotations

from typing import cast

import numpy as np

from vitrify.engines.interface import DecodingPredictor, EnergyPredictor, Outputs
from vitrify.glassvae.metadata import GlassVAEMetadata


def replay(model: EnergyPredictor) -> tuple[Outputs, Outputs]:
    """Energy, forces, stress, latent vector and, if there is a decoder, its output: from the engine and as expected."""
    metadata = cast(GlassVAEMetadata, model.metadata)
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    found = model.predict(case.positions, case.cell, types)
    got: Outputs = (np.array([found.energy]), found.forces, found.stress, found.latent)
    expected: Outputs = (np.array([case.energy]), np.array(case.forces), np.array(case.stress), np.array(case.latent))
    if case.decoded is not None and isinstance(model, DecodingPredictor):
        elements = np.eye(len(metadata.species))[types]
        moment = case.decoded.time, case.decoded.step, np.array(case.latent)
        got = *got, model.decode(case.positions, case.cell, elements, *moment)[0]
        expected = *expected, np.array(case.decoded.vectors)
    return got, expected
