"""What the toy gives in GlassCalc."""

from __future__ import annotations

from typing import Any

import numpy as np

from toy_kind.torchscript import TorchToy


def results(model: TorchToy, positions: np.ndarray, cell: np.ndarray, types: np.ndarray) -> dict[str, Any]:
    """What GlassCalc gives."""
    return {"coordination": model.predict(positions, cell, types)}
