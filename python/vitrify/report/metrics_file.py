"""What every evaluation writes: its numbers, and what its model is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrify.core.files import atomic_path, sha256
from vitrify.engines.interface import Engine


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> Path:
    """Writes metrics.json into `folder`, whole or not at all."""
    path = folder / "metrics.json"
    with atomic_path(path) as work:
        work.write_text(json.dumps(without_nan(dict(metrics)), indent=1) + "\n")
    return path


def without_nan(value: Any) -> Any:
    """JSON has no NaN: what was lost is null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return None
    return value


def model_card(loaded: Engine) -> dict[str, Any]:
    """Name and hash of a model file, and its metadata."""
    return {
        "name": loaded.path.name,
        "sha256": sha256(loaded.path),
        **loaded.metadata.model_dump(by_alias=True, exclude={"reference", "metrics"}, mode="json"),
    }
