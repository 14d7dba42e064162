"""Finished work on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from vitrify.core.files import atomic_path
from vitrify.data.structures import LabelledStructure
from vitrify.symgnn.explain.explainer import Explanation

_VERSION = 1  # of the method; explanations of another version are not used


def structure_hash(structure: LabelledStructure) -> str:
    """SHA-256 of positions, cell and types."""
    digest = hashlib.sha256()
    for array, dtype in ((structure.positions, "<f8"), (structure.cell, "<f8"), (structure.types, "<i8")):
        digest.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return digest.hexdigest()


def key_of(**values: Any) -> str:
    """A short name that differs when any of the values (JSON) does."""
    text = json.dumps({"version": _VERSION, **values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def save_explanation(explanation: Explanation, path: Path) -> None:
    """Writes an explanation as an npz file whose arrays are the fields of `Explanation`."""
    save_arrays(path, dataclasses.asdict(explanation))


def load_explanation(path: Path) -> Explanation | None:
    """The explanation in a file of `save_explanation`; None if there is no such file or it is damaged."""
    found = load_arrays(path)
    fields = dataclasses.fields(Explanation)
    if found is None or any(field.name not in found for field in fields):
        return None
    scalars: dict[str, type] = {"int": int, "float": float}
    values: dict[str, Any] = {
        field.name: scalars.get(str(field.type), np.asarray)(found[field.name]) for field in fields
    }
    return Explanation(**values)


def save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Writes arrays and numbers as an npz file, whole or not at all."""
    with atomic_path(path) as work:
        np.savez_compressed(work, **arrays)


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an npz file, or None if it is not there or damaged: then the work is done again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    # zipfile and numpy raise a dozen kinds on damaged files
    except Exception:
        return None
