"""The trajectory file: what is written is read back, in the H5MD layout, and never half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from vitrify.core.errors import VitrifyError
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta, TrajectoryWriter

META = TrajectoryMeta(
    system="test",
    units="lj",
    species=("A", "B"),
    masses=(1.0, 2.0),
    base_timestep=0.005,
    md_timestep=0.001,
    frame_interval=2,
    recipe={"commands": ["pair_style zero 2.5"], "frames": 6},
    seed=3,
    versions={"vitrify": "0", "lammps": "0"},
)


def _trajectory(seed: int) -> Trajectory:
    rng = np.random.default_rng(seed)
    return Trajectory(
        positions=rng.normal(size=(6, 5, 3)) * 10,
        velocities=rng.normal(size=(6, 5, 3)),
        cell=np.array([[4.0, 0, 0], [1.0, 5.0, 0], [0.5, -0.5, 6.0]]),
        types=np.array([0, 0, 1, 0, 1]),
        times=np.arange(6) * 0.01,
        potential_energy=rng.normal(size=6),
        kinetic_energy=rng.normal(size=6),
        temperature=rng.normal(size=6),
        virial_integral=rng.normal(size=(6, 6)),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "data" / "a.h5"
    with TrajectoryWriter(file, META) as writer:
        writer.append(_trajectory(0))
        writer.append(_trajectory(1))
    return file


def test_values_come_back_exactly(path: Path) -> None:
    with TrajectoryFile(path) as file:
        assert len(file) == 2
        assert file.meta == META
        assert file.frames(1) == 6
        for index, read in enumerate(file):
            for name, value in vars(_trajectory(index)).items():
                np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)


def test_the_mean_virial_belongs_to_any_two_frames(path: Path) -> None:
    full = _trajectory(1)
    assert full.virial_integral is not None
    with TrajectoryFile(path) as file:
        expected = (full.virial_integral[4] - full.virial_integral[1]) / 0.03
        np.testing.assert_allclose(file.load(1).mean_virial(1, 4), expected, rtol=1e-12)
        np.testing.assert_allclose(file.load(1, [1, 4]).mean_virial(0, 1), expected, rtol=1e-12)


def test_files_of_older_versions_lack_the_virial(path: Path, tmp_path: Path) -> None:
    with h5py.File(path, "a") as file:
        for observables in file["observables"].values():
            del observables["virial_integral"]
    with TrajectoryFile(path) as file:
        old = file.load(0)
    assert old.virial_integral is None
    np.testing.assert_array_equal(old.positions, _trajectory(0).positions)
    with pytest.raises(VitrifyError, match=r"lack the virial.*vitrify data trajectories"):
        old.mean_virial(0, 1)
    with TrajectoryWriter(path, META) as writer:
        writer.append(_trajectory(2))
    with TrajectoryFile(path) as file:
        assert [trajectory.virial_integral is None for trajectory in file] == [True, True, False]


def test_frames_are_selected_by_slice_and_by_list(path: Path) -> None:
    full = _trajectory(1)
    with TrajectoryFile(path) as file:
        for frames in (slice(1, None, 2), [0, 3]):
            part = file.load(1, frames)
            np.testing.assert_array_equal(part.positions, full.positions[frames])
            np.testing.assert_array_equal(part.times, full.times[frames])
            np.testing.assert_array_equal(part.total_energy, full.total_energy[frames])
            np.testing.assert_array_equal(part.types, full.types)


def test_layout_is_h5md(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["h5md"].attrs["version"].tolist() == [1, 1]
        assert "name" in file["h5md/author"].attrs
        assert {"name", "version"} <= set(file["h5md/creator"].attrs)
        particles = file["particles/traj_0001"]
        assert particles["species"][:].tolist() == [1, 1, 2, 1, 2]
        assert particles["box"].attrs["dimension"] == 3
        assert list(particles["box"].attrs["boundary"]) == ["periodic"] * 3
        assert particles["box/edges"].shape == (3, 3)
        observables = file["observables/traj_0001"]
        for element in (particles["position"], particles["velocity"], *observables.values()):
            assert element["step"][:].tolist() == [0, 2, 4, 6, 8, 10]
            np.testing.assert_allclose(element["time"][:], np.arange(6) * 0.01)
            assert len(element["value"]) == 6
        assert set(observables) == {"potential_energy", "kinetic_energy", "temperature", "virial_integral"}


def test_a_failed_run_keeps_its_parts_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(RuntimeError), TrajectoryWriter(path, META) as writer:
        writer.append(_trajectory(2), 2)
        raise RuntimeError("stopped")
    assert not path.exists()
    with TrajectoryWriter(path, META) as writer:
        assert writer.finished == {2}
        writer.append(_trajectory(0), 0)
        writer.append(_trajectory(1), 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5"]
    with TrajectoryFile(path) as file:
        for index, read in enumerate(file):
            np.testing.assert_array_equal(read.positions, _trajectory(index).positions)


def test_a_whole_file_can_be_extended(path: Path) -> None:
    with TrajectoryWriter(path, replace(META, versions={})) as writer:
        assert writer.finished == {0, 1}
        writer.append(_trajectory(2))
    with TrajectoryFile(path) as file:
        assert len(file) == 3
        np.testing.assert_array_equal(file.load(0).velocities, _trajectory(0).velocities)
        np.testing.assert_array_equal(file.load(-1).velocities, _trajectory(2).velocities)


def test_other_settings_are_refused_by_name(path: Path) -> None:
    other = replace(META, seed=4, recipe={**META.recipe, "frames": 7})
    with pytest.raises(VitrifyError, match=r"seed, frames.*remove a\.h5"):
        TrajectoryWriter(path, other)


def test_unreadable_files_are_one_clear_error(path: Path, tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="does not exist"):
        TrajectoryFile(tmp_path / "none.h5")
    truncated, foreign, newer = tmp_path / "truncated.h5", tmp_path / "foreign.h5", tmp_path / "newer.h5"
    truncated.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(VitrifyError, match="not a readable HDF5 file"):
        TrajectoryFile(truncated)
    with h5py.File(foreign, "w") as file:
        file["x"] = [1]
    with pytest.raises(VitrifyError, match="not a trajectory file"):
        TrajectoryFile(foreign)
    newer.write_bytes(path.read_bytes())
    with h5py.File(newer, "a") as file:
        file.attrs["vitrify"] = '{"species": [], "masses": [], "colour": 1}'
    with pytest.raises(VitrifyError, match="does not know"):
        TrajectoryFile(newer)
    with TrajectoryFile(path) as whole, pytest.raises(VitrifyError, match="no 2"):
        whole.load(2)
