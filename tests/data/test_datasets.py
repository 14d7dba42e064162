"""Training pairs against direct differences of the trajectories, and the symmetries that augment them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toy_trajectories as toy
from vitrify.core.errors import VitrifyError
from vitrify.data.datasets import Noise, OGNPairs, collate, evenly_spread, load_trajectories, random_cube_symmetry
from vitrify.data.trajectories import TrajectoryFile
from vitrify.graphs.graph import Graph

CUTOFF = 1.6  # more than half of the cell's edge


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy") / "toy.h5", range(3), frames=8)


@pytest.fixture(scope="module")
def trajectories(path):
    return load_trajectories([path])[1]


def all_images_within(positions, cutoff):
    """(i, j, r_j - r_i) of all images, by brute force over 5 x 5 x 5 cells."""
    shifts = toy.EDGE * np.array(np.meshgrid(*[range(-2, 3)] * 3)).reshape(3, -1).T
    found = set()
    for i, a in enumerate(positions):
        for j, b in enumerate(positions):
            d = b + shifts - a
            r = np.linalg.norm(d, axis=1)
            found |= {(i, j, *np.round(v, 6)) for v in d[(r < cutoff) & (r > 0)]}
    return found


def test_pairs_are_direct_differences(path):
    with TrajectoryFile(path) as file:
        raw = [file.load(i) for i in range(3)]
    frames = 3
    data = OGNPairs(load_trajectories([path])[1], frames, CUTOFF, dtype=torch.float64)
    assert len(data) == 3 * (8 - frames)
    index = 0
    for t in raw:
        for start in range(8 - frames):
            graph, dr, dv = data[index, 0]
            np.testing.assert_array_equal(dr, t.positions[start + frames] - t.positions[start])
            np.testing.assert_array_equal(dv, t.velocities[start + frames] - t.velocities[start])
            np.testing.assert_array_equal(graph.velocities, t.velocities[start])
            np.testing.assert_array_equal(graph.types, t.types)
            index += 1


def test_the_graph_holds_every_image(trajectories):
    data = OGNPairs(trajectories, 2, CUTOFF, dtype=torch.float64)
    graph = data[1, 0].graph
    wrapped = data.snapshots(1).positions % toy.EDGE  # the graph is made from unwrapped positions
    edges = zip(*graph.edge_index.tolist(), np.round(graph.edge_vectors.numpy(), 6), strict=True)
    found = {(i, j, *v) for i, j, v in edges}
    assert found == all_images_within(wrapped, CUTOFF)
    assert len(found) == graph.edge_index.shape[1]


def test_time_reversal_is_an_involution_and_doubles_the_data(trajectories):
    data = OGNPairs(trajectories, 2, CUTOFF, dtype=torch.float64, time_reversal=True)
    assert len(data) == 2 * data.n_pairs
    for index in (0, data.n_pairs - 1):
        forward, backward = data.snapshots(index), data.snapshots(index + data.n_pairs)
        np.testing.assert_array_equal(backward.positions, forward.next_positions)
        np.testing.assert_array_equal(backward.velocities, -forward.next_velocities)
        twice = backward.reversed()
        for name in ("positions", "velocities", "next_positions", "next_velocities"):
            np.testing.assert_array_equal(getattr(twice, name), getattr(forward, name))
        sample, mirror = data[index, 0], data[index + data.n_pairs, 0]
        np.testing.assert_array_equal(mirror.dr, -sample.dr)
        np.testing.assert_array_equal(mirror.dv, sample.dv)


def test_the_cube_has_48_orthogonal_symmetries():
    random = np.random.default_rng(1)
    drawn = [random_cube_symmetry(random) for _ in range(4800)]
    for matrix in drawn[:100]:
        np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
    _, counts = np.unique([m.ravel() for m in drawn], axis=0, return_counts=True)
    assert len(counts) == 48
    assert counts.min() > 60  # 100 expected, standard deviation 10: uniform


def test_a_turned_sample_is_the_sample_of_the_turned_system(trajectories):
    plain = OGNPairs(trajectories, 2, CUTOFF, dtype=torch.float64)
    turned = OGNPairs(trajectories, 2, CUTOFF, dtype=torch.float64, cube=True)
    matrices = set()
    for seed in range(6):
        a, b = plain[4, seed], turned[4, seed]
        matrix = torch.linalg.lstsq(a.dv, b.dv).solution
        matrices.add(tuple(matrix.round().flatten().tolist()))
        torch.testing.assert_close(a.dr @ matrix, b.dr)
        torch.testing.assert_close(a.graph.velocities @ matrix, b.graph.velocities)
        torch.testing.assert_close(a.graph.edge_vectors @ matrix, b.graph.edge_vectors)
        assert torch.equal(a.graph.edge_index, b.graph.edge_index)
    assert len(matrices) > 2


def test_a_sample_depends_on_its_seed_alone(trajectories):
    noise = Noise(0.1, np.array([1.0, 0.7]), 0.02)
    data = OGNPairs(trajectories, 2, CUTOFF, cube=True, noise=noise)
    first = data[3, 11]
    _ = data[5, 2]
    again, other = data[3, 11], data[3, 12]
    assert torch.equal(first.dv, again.dv)
    assert torch.equal(first.graph.edge_vectors, again.graph.edge_vectors)
    assert not torch.equal(first.dv, other.dv)


def test_noise_keeps_the_end_of_a_pair_and_its_momentum(trajectories):
    v_std = np.array([1.0, 0.7])
    timestep = 0.02
    data = OGNPairs(trajectories, 2, CUTOFF, dtype=torch.float64, noise=Noise(0.1, v_std, timestep))
    ends = data.snapshots(0)
    samples = [data[0, seed] for seed in range(200)]
    moved = np.array([s.graph.velocities.numpy() - ends.velocities for s in samples])
    displaced = np.array([ends.next_positions - s.dr.numpy() - ends.positions for s in samples])
    for sample in samples[:5]:
        np.testing.assert_allclose(sample.graph.velocities + sample.dv, ends.next_velocities, atol=1e-14)
    weights = 1 / v_std[ends.types] ** 2
    np.testing.assert_allclose(np.einsum("i,sik->sk", weights, moved), 0, atol=1e-12)
    spread = 0.1 * v_std[ends.types]
    n = moved.shape[0] * 3
    for noise, size in ((moved, spread), (displaced, spread * timestep)):
        measured = np.sqrt((noise**2).mean((0, 2)))
        np.testing.assert_allclose(measured, size, rtol=5 / np.sqrt(2 * n))


def test_collating_shifts_the_indices(trajectories):
    data = OGNPairs(trajectories, 2, CUTOFF)
    pairs = [data[i, 0] for i in (0, 7, 9)]
    graph, dr, dv = collate(pairs)
    n, edge = toy.N_ATOMS, 0
    for k, pair in enumerate(pairs):
        stop = edge + pair.graph.edge_index.shape[1]
        part = Graph(
            graph.types[k * n : (k + 1) * n],
            graph.velocities[k * n : (k + 1) * n],
            graph.edge_index[:, edge:stop] - k * n,
            graph.edge_vectors[edge:stop],
        )
        assert all(torch.equal(a, b) for a, b in zip(part, pair.graph, strict=True))
        assert torch.equal(dr[k * n : (k + 1) * n], pair.dr)
        assert torch.equal(dv[k * n : (k + 1) * n], pair.dv)
        edge = stop
    assert edge == graph.edge_index.shape[1]


def test_evenly_spread():
    assert evenly_spread(10, 3).tolist() == [0, 4, 9]
    assert evenly_spread(3, 10).tolist() == [0, 1, 2]


def test_files_of_different_systems_are_refused(path, tmp_path):
    other = toy.write(tmp_path / "other.h5", range(1), frames=3, masses=(1.0, 3.0))
    with pytest.raises(VitrifyError, match=r"other.h5: masses is \(1.0, 3.0\), but \(1.0, 2.0\)"):
        load_trajectories([path, other])
    with pytest.raises(VitrifyError, match="masses"):
        load_trajectories([other], like=load_trajectories([path])[0])


def test_too_short_trajectories_are_refused(trajectories):
    with pytest.raises(VitrifyError, match=r"8 frames apart: the longest trajectory has 8 frames; give longer"):
        OGNPairs(trajectories, 8, CUTOFF)
