"""What is asked of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Request:
    """Structures to make, one for each of the `seeds`; the other fields are arguments of `generate_many`."""

    seeds: range
    n_atoms: int | None = None
    density: float | None = None
    cell: ArrayLike | None = None
    composition: Mapping[str, float] | None = None
    target: Mapping[str, float] | None = None
    energy: tuple[float, float] | None = None
    steps: int = 5
    churn: float = 0.0
    engine: str = "auto"
    device: str = "cpu"
    anneal: float = 0.0
    workers: int = 1
