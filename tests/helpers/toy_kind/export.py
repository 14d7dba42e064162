"""What only the model file of the toy holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vitrify.engines.torchscript import DTYPES
from vitrify.export.write import Exported
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.metadata import REFERENCE_TOLERANCE
from vitrify.modelfile.reference_case import reference_structure


def own_metadata(eager: Any, common: Exported, quantity: str) -> dict[str, Any]:
    """The name of the labels and the reference case."""
    cell, positions, types = reference_structure(common.species, common.validity, np.random.default_rng(0))
    with torch.no_grad():
        values, _ = eager(*build_structure_graph(positions, cell, types, eager.cutoff, DTYPES[common.dtype]))
    case = {
        "cell": cell.tolist(),
        "positions": positions.tolist(),
        "species": [common.species[t] for t in types],
        "values": values.tolist(),
        "tolerance": REFERENCE_TOLERANCE[common.dtype],
    }
    return {"quantity": quantity, "reference": case}
