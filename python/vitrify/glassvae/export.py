"""The metadata that only the model file of a latent model holds, with its reference case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vitrify.amshortcut.export import flow_answer
from vitrify.core.errors import VitrifyError
from vitrify.engines.torchscript import DTYPES
from vitrify.export.write import Exported
from vitrify.glassvae.differentiate import energy_prediction
from vitrify.glassvae.metadata import GlassVAEReference
from vitrify.glassvae.repulsion import with_core
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.metadata import REFERENCE_TOLERANCE, Validity
from vitrify.modelfile.reference_case import reference_structure


def own_metadata(
    eager: Any, common: Exported, masses: Sequence[float] | None = None, latent_energy: str | None = None
) -> dict[str, Any]:
    """The metadata that only a latent model has; VitrifyError if masses are missing.

    masses: one for each species. latent_energy: the energy in the joint density of latent vector and energy, or None.
    """
    if masses is None:
        raise VitrifyError("kind glassvae has energies of given elements: give export_model masses")
    c = common
    space = eager.latent_space(c.species, latent_energy) if latent_energy else {}
    return {
        "masses": tuple(masses),
        "latent": eager.latent,
        **space,
        "reference": make_glassvae_reference(eager, c.species, eager.cutoff, c.validity, c.dtype, decodes=bool(space)),
    }


def make_glassvae_reference(
    module: Any, species: tuple[str, ...], cutoff: float, validity: Validity, dtype: str, decodes: bool = False
) -> GlassVAEReference:
    """The reference case of an eager latent model that computes in `dtype`, as `make_ogn_reference` for OGN.

    decodes: whether the model makes structures.
    """
    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    real = DTYPES[dtype]
    alone = energy_prediction(module, cell, build_structure_graph(positions, cell, types, cutoff, real))
    found = with_core(alone, validity.min_distance, positions, cell, types)
    decoded = None
    if decodes:
        graph = build_structure_graph(positions, cell, types, module.decoder.cutoff, real)
        time, step = 0.5, 0.25
        vectors = flow_answer(module.decoder, graph, time, step, found.latent.tolist())
        decoded = {"time": time, "step": step, "vectors": vectors.tolist()}
    return GlassVAEReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "energy": found.energy,
            "forces": found.forces.tolist(),
            "stress": found.stress.tolist(),
            "latent": found.latent.tolist(),
            "decoded": decoded,
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )
