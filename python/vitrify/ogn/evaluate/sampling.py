"""Test data for an evaluation: frames one stride apart, and paths to roll out along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitrify.core.errors import VitrifyError
from vitrify.data.trajectories import TrajectoryFile


@dataclass(frozen=True)
class Path:
    """A part of a true trajectory: frames one stride apart.

    positions, velocities (F,N,3), the first frame the start; cell (3,3); types (N,) from 0; trajectory: its index.
    """

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    types: np.ndarray
    trajectory: int


def frames_per_stride(file: TrajectoryFile, stride: int) -> int:
    """Frames between the two ends of a stride of `stride` base steps."""
    interval = file.meta.frame_interval
    if stride % interval:
        raise VitrifyError(
            f"{file.path} holds every {interval}th base step, but the model's stride is {stride}: "
            f"make the data with --every {np.gcd(interval, stride)}"
        )
    return stride // interval


def longest(file: TrajectoryFile, stride: int) -> int:
    """Strides that fit into the shortest trajectory."""
    return (min(file.frames(index) for index in range(len(file))) - 1) // frames_per_stride(file, stride)


def paths(file: TrajectoryFile, stride: int, strides: int, count: int) -> Iterator[Path]:
    """About `count` paths of `strides` strides, evenly spread over the trajectories and along each.

    Raises VitrifyError if the trajectories are shorter than one path.
    """
    step = frames_per_stride(file, stride)
    span = step * strides
    if longest(file, stride) < max(1, strides):
        raise VitrifyError(
            f"{file.path}: trajectories of at least {step * max(1, strides) + 1} frames are needed for "
            f"{max(1, strides)} strides: make longer trajectories, or ask for fewer steps"
        )
    each = max(1, round(count / len(file)))
    for index in range(len(file)):
        starts = np.unique(np.linspace(0, file.frames(index) - 1 - span, each).round().astype(int))
        for start in starts:
            part = file.load(index, slice(int(start), int(start) + span + 1, step))
            yield Path(part.positions, part.velocities, part.cell, part.types, index)
