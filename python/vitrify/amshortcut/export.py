"""The metadata that only the model file of a generator holds, with its reference case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from vitrify.amshortcut.metadata import AMShortcutReference
from vitrify.core.errors import VitrifyError
from vitrify.export.write import Exported
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.modelfile.metadata import REFERENCE_TOLERANCE, Target, Validity
from vitrify.modelfile.reference_case import reference_structure


def own_metadata(
    eager: Any,
    common: Exported,
    masses: Sequence[float] | None = None,
    properties: Sequence[Mapping[str, Any]] | None = None,
    statistics: Mapping[str, Any] | None = None,
    charges: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The metadata that only a generator has, as in `vitrify.amshortcut.metadata.AMShortcutMetadata`.

    masses, charges: one for each species. properties: name, unit and range of each. statistics: names, mean and
    covariance. Raises VitrifyError if masses, properties or statistics are missing.
    """
    if masses is None or properties is None or statistics is None:
        raise VitrifyError("kind amshortcut makes structures: give export_model masses, properties and statistics")
    targets = [Target.model_validate(dict(found)) for found in properties]
    c = common
    return {
        "process": eager.process,
        "masses": tuple(masses),
        "charges": charges,
        "ghost_density": eager.ghost_density,
        "properties": targets,
        "statistics": dict(statistics),
        "reference": make_amshortcut_reference(eager, c.species, eager.cutoff, c.validity, targets, c.dtype),
    }


def make_amshortcut_reference(
    module: Any, species: tuple[str, ...], cutoff: float, validity: Validity, targets: Sequence[Target], dtype: str
) -> AMShortcutReference:
    """The reference case of an eager generator that computes in `dtype`: at time 0.5, with every other property."""
    cell, positions, types = reference_structure(species, validity, np.random.default_rng(0))
    # With a random embedding of missing properties, only a case with all properties can be replayed.
    left_out = range(1, len(targets), 2) if not module.condition.random else ()
    values = [None if number in left_out else float(np.mean(target.range)) for number, target in enumerate(targets)]
    graph = build_structure_graph(positions, cell, types, cutoff, getattr(torch, dtype))
    time, step = 0.5, 0.25
    vectors = flow_answer(module, graph, time, step, values)
    return AMShortcutReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "species": [species[t] for t in types],
            "time": time,
            "step": step,
            "properties": values,
            "vectors": vectors.tolist(),
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )


def flow_answer(module: Any, graph: Any, time: float, step: float, values: Sequence[float | None]) -> torch.Tensor:
    """Displacements (N, 3) of an eager generator for a periodic graph.

    time, step: in [0, 1]. values: of the properties, None where one is not requested.
    """
    real = graph.edge_vectors.dtype
    requested = torch.tensor([[value or 0.0 for value in values]], dtype=real).reshape(1, len(values))
    known = torch.tensor([[float(value is not None) for value in values]], dtype=real).reshape(1, len(values))
    elements = torch.eye(module.kinds, dtype=real)[graph.types]
    times = (torch.tensor([x], dtype=real) for x in (time, step))
    with torch.no_grad():
        vectors: torch.Tensor = module(
            elements, torch.zeros_like(graph.types), graph.edge_index, graph.edge_vectors, *times, requested, known
        )[0]
    return vectors
