"""metrics.json, which every evaluation writes, and the description of the model in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vitrify.core.files import atomic_path, sha256

if TYPE_CHECKING:
    from vitrify.modelfile.metadata import Metadata


class ModelFile(Protocol):
    """An opened model file of any kind."""

    @property
    def path(self) -> Path: ...

    @property
    def metadata(self) -> Metadata: ...


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> Path:
    """Writes metrics.json into `folder`, whole or not at all."""
    path = folder / "metrics.json"
    with atomic_path(path) as work:
        work.write_text(json.dumps(without_nan(dict(metrics)), indent=1) + "\n")
    return path


def without_nan(value: Any) -> Any:
    """A copy of a JSON value with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return None
    return value


def model_card(model: ModelFile, exclude: set[str] | None = None) -> dict[str, Any]:
    """Name and hash of a model file, and its metadata without the fields `exclude` (default: reference, metrics)."""
    left_out = exclude or {"reference", "metrics"}
    return {
        "name": model.path.name,
        "sha256": sha256(model.path),
        **model.metadata.model_dump(by_alias=True, exclude=left_out, mode="json"),
    }
