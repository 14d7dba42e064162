"""The description of a model that its checkpoints hold beside the weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import vitrify
from vitrify.core.files import sha256
from vitrify.training.config import Config


def data_files(paths: Sequence[Path], recipe: Callable[[Path], dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Name and SHA-256 of each data file, and its recipe where there is a function that reads it."""
    return [
        {"name": path.name, "sha256": sha256(path), **({"recipe": recipe(path)} if recipe else {})} for path in paths
    ]


def describe(
    config: Config,
    species: Sequence[str],
    units: str,
    validity: dict[str, Any],
    data: Sequence[dict[str, Any]],
    **own: Any,
) -> str:
    """The info of a checkpoint as JSON: everything beside the weights that is needed to rebuild and export the model.

    species: in the order of the model's types. units: "lj" or "metal". validity: the range of the training data. data:
    as `data_files` gives it. own: entries that only one kind has; `versions` adds to the versions of vitrify and torch.
    """
    versions = {"vitrify": vitrify.__version__, "torch": torch.__version__, **own.pop("versions", {})}
    return json.dumps(
        {
            "config": json.loads(config.model_dump_json()),
            "species": list(species),
            "units": units,
            **own,
            "validity": validity,
            "data": list(data),
            "versions": versions,
        }
    )
