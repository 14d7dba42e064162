"""A request for structures, as the kinds get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Request:
    """A request for one structure for each of the `seeds`; see `vitrify.generation.generate.generate_many`.

    n_atoms: of each structure. density: g/cm^3 in metal units, atoms per sigma^3 in lj. cell: (3, 3) rows, (3,) edges
    or one edge, in the unit of length. composition: shares of the elements. target: values of properties in their
    units. energy: lowest and highest, for each atom, in the model's unit. steps: number of steps. churn: share of noise
    that is put back. anneal: longest time of annealing (ps). workers: number of threads.
    """

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
    trust: bool = False
