"""What a model file says of its training data, against brute force on data made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import toy_trajectories as toy
from model_files import export
from vitrify.core.errors import VitrifyError
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.metadata import Validity
from vitrify.training import validity as measured
from vitrify.training.validity import max_displacement, min_distance, validity


def brute_force_distances(positions: np.ndarray, types: np.ndarray) -> list[float]:
    """Smallest distances of the pairs AA, BA, BB over all frames, nearest images of the toy's cube."""
    found = [np.inf] * 3
    for frame in positions:
        d = frame[:, None] - frame[None]
        d -= toy.EDGE * np.round(d / toy.EDGE)
        r = np.sqrt((d**2).sum(-1)) + 1e9 * np.eye(len(frame))
        for k, (a, b) in enumerate([(0, 0), (1, 0), (1, 1)]):
            found[k] = min(found[k], float(r[np.ix_(types == a, types == b)].min()))
    return found


def test_closest_pairs_and_largest_displacement() -> None:
    trajectories = [toy.trajectory(seed, 12) for seed in (1, 2)]
    frames = 3
    result = validity(["A", "B"], trajectories, frames)
    expected = np.min([brute_force_distances(t.positions, t.types) for t in trajectories], axis=0)
    assert result["min_distance"] == pytest.approx(expected)
    moves = [t.positions[k + frames] - t.positions[k] for t in trajectories for k in range(12 - frames)]
    assert result["max_displacement"] == pytest.approx(max(np.linalg.norm(m, axis=1).max() for m in moves))
    Validity.model_validate(result)


def test_a_pair_that_never_meets_has_the_reach_of_the_search() -> None:
    t = toy.trajectory(1, 2)
    one = min_distance(3, [t])  # there is no third species
    assert one[3:] == pytest.approx([1.5 * toy.EDGE / toy.N_ATOMS ** (1 / 3)] * 3)
    assert (one[:3] < one[3]).all()


def test_long_data_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    t = toy.trajectory(1, 10)
    monkeypatch.setattr(measured, "SAMPLED_ATOMS", 2 * toy.N_ATOMS)
    ends = min_distance(2, [t])
    assert ends == pytest.approx(brute_force_distances(t.positions[[0, 9]], t.types))
    assert max_displacement([t], 9) == pytest.approx(np.linalg.norm(t.positions[9] - t.positions[0], axis=1).max())


def test_model_files_with_and_without_the_limits(tmp_path: Path) -> None:
    states = {"temperature": (1, 2), "number_density": (1.1, 1.3), "composition": {"A": (0.7, 0.9), "B": (0.1, 0.3)}}
    export(tmp_path / "old.pt", validity=Validity.model_validate(states))
    assert read_metadata(tmp_path / "old.pt").validity.min_distance is None
    limits = {**states, "min_distance": (0.8, 0.7, 0.6), "max_displacement": 0.4}
    export(tmp_path / "new.pt", validity=Validity.model_validate(limits))
    found = read_metadata(tmp_path / "new.pt").validity
    assert (found.min_distance, found.max_displacement) == ((0.8, 0.7, 0.6), 0.4)
    with pytest.raises((VitrifyError, ValueError), match="the species make 3 pairs"):
        export(tmp_path / "bad.pt", validity=Validity.model_validate({**limits, "min_distance": (0.8,)}))
