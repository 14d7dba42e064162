"""The interface of an OGN in an engine, as hosts use it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vitrify.engines.interface import Engine
from vitrify.ogn.metadata import OGNMetadata


class MotionPredictor(Engine, Protocol):
    """A model of motion in an engine."""

    @property
    def metadata(self) -> OGNMetadata: ...

    def predict(
        self, positions: Any, velocities: Any, cell: Any, types: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Changes dr and dv (N, 3) of one stride, in the model's units.

        positions, velocities: (N, 3). cell: (3, 3) rows. types: (N,) from 0.
        """
        ...
