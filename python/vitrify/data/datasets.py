"""Training pairs for OGN models: a configuration, and the configuration one stride later."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vitrify.core.errors import VitrifyError
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta
from vitrify.graphs.graph import Graph
from vitrify.graphs.neighbours import neighbour_list


class Pair(NamedTuple):
    """Graphs of one or more configurations and their targets over one stride.

    dr: (M, 3), unwrapped displacements, with the ballistic part. dv: (M, 3), velocity changes. Units: the data's.
    """

    graph: Graph
    dr: Tensor
    dv: Tensor


@dataclass(frozen=True)
class Snapshots:
    """The two configurations of a pair: unwrapped positions (N, 3), velocities (N, 3), cell (3, 3) rows, types (N,)."""

    positions: np.ndarray
    velocities: np.ndarray
    next_positions: np.ndarray
    next_velocities: np.ndarray
    cell: np.ndarray
    types: np.ndarray

    def reversed(self) -> Snapshots:
        """The pair backwards in time, (r', -v') -> (r, -v), which Newton's equations allow as well."""
        return Snapshots(
            self.next_positions,
            -self.next_velocities,
            self.positions,
            -self.velocities,
            self.cell,
            self.types,
        )


@dataclass(frozen=True)
class Noise:
    """Gaussian noise on the start of a pair; the end of the pair is not changed.

    size: relative to the spread of the velocities. v_std: (n_species,), this spread for each species. timestep: length
    of a stride; positions get the noise of velocities times this.
    """

    size: float
    v_std: np.ndarray
    timestep: float

    def applied(self, ends: Snapshots, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Noisy positions and velocities (N, 3).

        The noise has no total momentum, which a model that conserves momentum could not remove.
        """
        spread = self.v_std[ends.types][:, None]
        masses = 1.0 / spread**2  # up to a factor, since v_std^2 = kT / m
        for_velocities, for_positions = (spread * random.normal(size=ends.positions.shape) for _ in range(2))
        for_velocities -= (masses * for_velocities).sum(0) / masses.sum()
        positions = ends.positions + self.size * self.timestep * for_positions
        return positions, ends.velocities + self.size * for_velocities


def load_trajectories(
    paths: Sequence[Path], like: TrajectoryMeta | None = None
) -> tuple[TrajectoryMeta, list[Trajectory]]:
    """All trajectories of some files of one system (that of `like`, if given), and the metadata of the first file.

    Memory: 48 bytes for each atom of each frame (130 MB for 10,000 frames of 265 atoms).

    Raises:
        VitrifyError: the files hold different systems.
    """
    metas, trajectories = [], []
    for path in paths:
        with TrajectoryFile(path) as file:
            metas.append(file.meta)
            trajectories += [file.load(i) for i in range(len(file))]
    first = like or metas[0]
    for path, meta in zip(paths, metas, strict=True):
        for name in ("species", "masses", "units", "base_timestep", "frame_interval"):
            wanted, here = getattr(first, name), getattr(meta, name)
            if wanted != here:
                raise VitrifyError(
                    f"{path}: {name} is {here}, but {wanted} in the first file; one model needs one system"
                )
    return metas[0], trajectories


class OGNPairs(Dataset[Pair]):
    """Pairs of configurations a stride apart, with their neighbour graphs made on the fly.

    A sample is `dataset[index, seed]`. The seed alone decides its random rotation and noise, so that it does not depend
    on earlier samples, and an interrupted run can continue exactly. Indices count all pairs of all trajectories; with
    `time_reversal`, all pairs backwards follow.

    frames: number of frames from one end of a pair to the other. cutoff: of the graphs, in the unit of length. cube:
    rotate or reflect each sample by a random symmetry of the cube.

    Raises VitrifyError if no trajectory is long enough.
    """

    def __init__(
        self,
        trajectories: Sequence[Trajectory],
        frames: int,
        cutoff: float,
        *,
        dtype: torch.dtype = torch.float32,
        time_reversal: bool = False,
        cube: bool = False,
        noise: Noise | None = None,
    ) -> None:
        self.trajectories = trajectories
        self.frames = frames
        self.cutoff = cutoff
        self.dtype = dtype
        self.time_reversal = time_reversal
        self.cube = cube
        self.noise = noise
        counts = [max(0, len(t.positions) - frames) for t in trajectories]
        self._ends = np.cumsum(counts)
        self.n_pairs = int(self._ends[-1]) if counts else 0
        if self.n_pairs == 0:
            longest = max((len(t.positions) for t in trajectories), default=0)
            raise VitrifyError(
                f"no configurations are {frames} frames apart: the longest trajectory has {longest} frames; "
                "give longer trajectories or a smaller stride"
            )

    def __len__(self) -> int:
        return self.n_pairs * (2 if self.time_reversal else 1)

    def snapshots(self, index: int) -> Snapshots:
        """The pair `index`, without rotation or noise."""
        pair = index % self.n_pairs
        which = int(np.searchsorted(self._ends, pair, side="right"))
        trajectory = self.trajectories[which]
        start = pair - int(self._ends[which - 1]) if which else pair
        r, v = trajectory.positions, trajectory.velocities
        end = start + self.frames
        forward = Snapshots(r[start], v[start], r[end], v[end], trajectory.cell, trajectory.types)
        return forward.reversed() if index >= self.n_pairs else forward

    def __getitem__(self, key: tuple[int, int]) -> Pair:
        index, seed = key
        ends = self.snapshots(index)
        random = np.random.default_rng(seed)
        positions, velocities = ends.positions, ends.velocities
        if self.noise is not None:
            positions, velocities = self.noise.applied(ends, random)
        edge_index, edge_vectors = neighbour_list(positions, ends.cell, self.cutoff)
        dr, dv = ends.next_positions - positions, ends.next_velocities - velocities
        vectors = [velocities, edge_vectors, dr, dv]
        if self.cube:
            turn = random_cube_symmetry(random)
            vectors = [x @ turn.T for x in vectors]
        v, d, *targets = (torch.as_tensor(x, dtype=self.dtype) for x in vectors)
        types = torch.as_tensor(ends.types, dtype=torch.int64)
        return Pair(Graph(types, v, torch.as_tensor(edge_index, dtype=torch.int64), d), *targets)


def collate(pairs: Sequence[Pair]) -> Pair:
    """One graph of several configurations, which are not connected."""
    offsets = itertools.accumulate((len(p.graph.types) for p in pairs[:-1]), initial=0)
    graph = Graph(
        torch.cat([p.graph.types for p in pairs]),
        torch.cat([p.graph.velocities for p in pairs]),
        torch.cat([p.graph.edge_index + offset for p, offset in zip(pairs, offsets, strict=True)], dim=1),
        torch.cat([p.graph.edge_vectors for p in pairs]),
    )
    return Pair(graph, torch.cat([p.dr for p in pairs]), torch.cat([p.dv for p in pairs]))


def random_cube_symmetry(random: np.random.Generator) -> np.ndarray:
    """A random one of the 48 symmetries of a cube: a signed permutation matrix (3, 3)."""
    matrix: np.ndarray = np.eye(3)[random.permutation(3)] * random.choice([-1.0, 1.0], size=3)
    return matrix


def evenly_spread(total: int, wanted: int) -> np.ndarray:
    """At most `wanted` indices below `total`, evenly spread."""
    return np.unique(np.linspace(0, total - 1, min(total, wanted)).round().astype(int))
