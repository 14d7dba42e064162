"""The metadata that only the model file of a SymGNN holds, with its reference case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from vitrify.core.errors import VitrifyError
from vitrify.export.write import Exported
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.metadata import REFERENCE_TOLERANCE, Validity
from vitrify.modelfile.reference_case import reference_structure
from vitrify.symgnn.metadata import SymGNNReference


def own_metadata(eager: Any, common: Exported, property: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The metadata that only a SymGNN has. property: name and unit. Raises VitrifyError if it is missing."""
    if property is None:
        raise VitrifyError(
            'a model of kind symgnn predicts a property: give export_model property={"name": "barrier", "unit": "eV"}'
        )
    reference = make_symgnn_reference(eager, common.species, eager.cutoff, common.validity, common.dtype)
    return {"property": dict(property), "reference": reference}


def make_symgnn_reference(
    module: torch.nn.Module, species: tuple[str, ...], cutoff: float, validity: Validity, dtype: str
) -> SymGNNReference:
    """The reference case of an eager SymGNN `module` that computes in `dtype`, as `make_ogn_reference` for OGN."""
    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    graph = build_structure_graph(positions, cell, types, cutoff, getattr(torch, dtype))
    with torch.no_grad():
        values, deviations = module(*graph)
    return SymGNNReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "values": values.tolist(),
            "deviations": deviations.tolist(),
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )
