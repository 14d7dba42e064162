"""The metadata that only the model file of an OGN holds, with its reference case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vitrify.core.errors import VitrifyError
from vitrify.export.write import Exported
from vitrify.graphs.neighbours import build_graph
from vitrify.modelfile.metadata import REFERENCE_TOLERANCE, Validity
from vitrify.modelfile.reference_case import reference_configuration
from vitrify.ogn.metadata import OGNReference
from vitrify.ogn.models.stress import StressedPairOGN


def own_metadata(
    eager: Any,
    common: Exported,
    masses: Sequence[float] | None = None,
    base_timestep: float | None = None,
    stride: int | None = None,
    stress: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The metadata that only an OGN has; VitrifyError if an argument is missing.

    masses: one for each species. base_timestep: length of an MD step, in the unit of time. stride: number of MD steps.
    stress: the errors of the stress of a stride, of a model that gives it.
    """
    if masses is None or base_timestep is None or stride is None:
        raise VitrifyError("a model of kind ogn moves atoms: give export_model masses, base_timestep and stride")
    c, masses = common, tuple(masses)
    return {
        "masses": masses,
        "stride": stride,
        "base_timestep": base_timestep,
        "timestep": stride * base_timestep,
        **({"stress": stress} if stress else {}),
        "reference": make_ogn_reference(eager, c.species, masses, c.units, eager.cutoff, c.validity, c.dtype),
    }


def make_ogn_reference(
    module: Any, species: tuple[str, ...], masses: tuple[float, ...], units: str, cutoff: float,
    validity: Validity, dtype: str,
) -> OGNReference:  # fmt: skip
    """The reference case of an eager OGN `module` that computes in `dtype` ("float32" or "float64").

    The expected output comes from the eager module. In another host, only the order of sums may differ.
    """
    cell, positions, velocities, types = reference_configuration(species, masses, units, validity)
    graph = build_graph(positions, velocities, cell, types, cutoff, getattr(torch, dtype))
    virial = None
    with torch.no_grad():
        if isinstance(module, StressedPairOGN):
            dr, dv, of_atoms = module.forward_with_virial(*graph)
            virial = of_atoms.sum(0).tolist()
        else:
            dr, dv = module(*graph)
    return OGNReference.model_validate(
        {
            "cell": cell.tolist(),
            "positions": positions.tolist(),
            "velocities": velocities.tolist(),
            "species": [species[t] for t in types],
            "dr": dr.tolist(),
            "dv": dv.tolist(),
            "virial": virial,
            "tolerance": REFERENCE_TOLERANCE[dtype],
        }
    )
