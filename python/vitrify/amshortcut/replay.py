"""Replays the reference case of a generator."""

from __future__ import annotations

from typing import cast

import numpy as np

from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.engines.interface import FlowPredictor, Outputs


def replay(model: FlowPredictor) -> tuple[Outputs, Outputs]:
    """The displacements (N, 3) of the reference case, from the engine and as expected."""
    metadata = cast(AMShortcutMetadata, model.metadata)
    case = metadata.reference
    types = [metadata.species.index(name) for name in case.species]
    elements = np.eye(len(metadata.species) + (metadata.process != "flow"))[types]
    values = np.array([np.nan if value is None else value for value in case.properties])
    got = model.answer(case.positions, case.cell, elements, case.time, case.step, values)[:1]
    return got, (np.array(case.vectors),)
