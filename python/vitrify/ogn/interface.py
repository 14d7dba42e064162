"""The interface of an OGN in an engine, as hosts use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vitrify.core.errors import VitrifyError
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


@runtime_checkable
class StressPredictor(Protocol):
    """An engine that computes the stress of a stride too."""

    def predict_with_virial(
        self, positions: Any, velocities: Any, cell: Any, types: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Changes dr and dv (N, 3) of one stride, and the virial (6,) of the cell, in the model's units.

        The virial is LAMMPS's, averaged over the stride: sum of r f without kinetic energy, in the unit of energy,
        xx, yy, zz, xy, xz, yz. Arguments as those of `predict`. Raises VitrifyError if the model has no stress.
        """
        ...


def no_stress(path: Path) -> VitrifyError:
    """The error of a model that is asked for what it does not give."""
    return VitrifyError(
        f"{path} does not give the stress of a stride: `vitrify stress` fits it to trajectories, and writes a new file"
    )
