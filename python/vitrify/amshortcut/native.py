"""The network of a generator in the native engine."""

from __future__ import annotations

from typing import Any

from vitrify.amshortcut.metadata import AMShortcutMetadata
from vitrify.engines.native import Array, NativeBase, flow_velocity


class NativeAMShortcut(NativeBase):
    """The network of a generator of variant flow in the native engine."""

    kind = "amshortcut"
    compiled = "NativeFlowNetwork"
    metadata: AMShortcutMetadata

    def answer(
        self, positions: Any, cell: Any, elements: Any, time: float, step: float, properties: Any
    ) -> tuple[Array, Array]:
        """The mean velocity (N, 3) over a step, and zeros (N, kinds), for one-hot elements (N, kinds).

        positions: (N, 3). cell: (3, 3) rows, any. time, step: in [0, 1]. properties: (P,) in their units, NaN where a
        property is not requested.
        """
        return flow_velocity(self._model, positions, cell, elements, time, step, properties)
