"""Numbers that would make a host run for ever or take all memory: each is refused in one line, by every reader."""

from __future__ import annotations

import json
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from changed_files import with_entry
from vitrify import VitrifyError, open_model
from vitrify.core.compiled import _core
from vitrify.core.pairs import find_pairs
from vitrify.modelfile.archive import read_metadata

POTENTIALS = Path(__file__).resolve().parents[2] / "potentials"


def _set(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


# file, change of its metadata, what the message must name
DAMAGED = [
    ("Si.amshortcut.pt", _set("validity", "min_distance", to=[150.0]), "min_distance"),
    ("Si.amshortcut.pt", _set("validity", "min_distance", to=[4.0]), "min_distance"),
    ("SiO2.amshortcut.pt", _set("validity", "min_distance", to=[2.2, 60.0, 1.4]), "min_distance"),
    ("cuzr.ogn.pt", _set("validity", "min_distance", to=[1e300, 1e300, 1e300]), "min_distance"),
    ("cuzr.ogn.pt", _set("cutoff", to=150.0), "cutoff"),
    ("Cu64Zr36.symgnn.pt", _set("cutoff", to=1e9), "cutoff"),
    ("Cu50Zr50.glassvae.pt", _set("validity", "number_density", to=[0.05, 1e9]), "cutoff"),
    ("Cu50Zr50.glassvae.pt", _set("validity", "number_density", to=[0.06, 0.05]), "number_density"),
    ("kalj.ogn.pt", _set("validity", "number_density", to=[0.0, 1.2]), "number_density"),
    ("kalj.ogn.pt", _set("validity", "temperature", to=[4.0, 2.0]), "temperature"),
    ("kalj.ogn.pt", _set("validity", "composition", "A", to=[0.8, 7.0]), "composition"),
    ("kalj.ogn.pt", _set("stride", to=2_000_000_000), "stride"),
    ("kalj.ogn.pt", _set("timestep", to=1e300), "timestep"),
    ("kalj.ogn.pt", _set("stride", to=100_001), "stride"),
    ("Cu50Zr50.glassvae.pt", _set("latent", to=4097), "latent"),
    ("kalj.ogn.pt", _set("layers", to=101), "layers"),
    ("kalj.ogn.pt", _set("layers", to=2_000_000_000), "layers"),
    ("kalj.ogn.pt", _set("node_width", to=2_000_000_000), "node_width"),
    ("kalj.ogn.pt", _set("masses", to=[1e300, 1.0]), "mass"),
    ("kalj.ogn.pt", _set("reference", "tolerance", to=1e9), "tolerance"),
    ("kalj.ogn.pt", _set("reference", "cell", to=[[1e-3, 0, 0], [0, 1e-3, 0], [0, 0, 1e-3]]), "images"),
    ("kalj.ogn.pt", _set("reference", "cell", to=[[1, 0, 0], [1, 0, 0], [0, 0, 1]]), "volume"),
    ("kalj.ogn.pt", _set("reference", "positions", 0, to=[1e300, 0.0, 0.0]), "a million cells"),
    ("kalj.ogn.pt", _set("variant", to="small\x1b[2J"), "control"),
    ("Cu64Zr36.symgnn.pt", _set("property", "unit", to="eV\u202e"), "control"),
    ("Si.amshortcut.pt", _set("properties", 0, "unit", to="\rGPa"), "control"),
    ("SiO2.amshortcut.pt", _set("charges", to=[1e300, -1e300]), "charge"),
    ("LiAlSiO.amshortcut.pt", _set("charges", to=[4.0, 3.0, 1e5, -2.0]), "charge"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "what"), DAMAGED)
def test_metadata_that_would_run_for_ever_are_refused_by_both_readers(
    name: str, change: Callable[[dict[str, Any]], None], what: str, tmp_path: Path
) -> None:
    def changed(text: bytes) -> bytes:
        document = json.loads(text)
        change(document)
        return json.dumps(document).encode()

    path = with_entry(POTENTIALS / name, tmp_path / name, "vitrify.json", changed)
    with pytest.raises(VitrifyError, match=what) as of_python:
        read_metadata(path)
    assert "\n" not in str(of_python.value)
    with pytest.raises(VitrifyError, match=what):
        _core.read_metadata(str(path))


@pytest.mark.parametrize("name", sorted(path.name for path in POTENTIALS.glob("*.pt")))
def test_shipped_metadata_are_within_the_bounds(name: str) -> None:
    with zipfile.ZipFile(POTENTIALS / name) as archive:
        _core.check_metadata(archive.read("archive/extra/vitrify.json"), name)


TINY_CELLS = [
    (0.05, 0.05, 0.05),
    (1e-5, 100.0, 100.0),
    (1e-20, 1e-20, 1e-20),
    (1e-120, 1e-120, 1e-120),
    (1e-9, 1.0, 1.0),
]


@pytest.mark.parametrize("engine", ["native", "torch"])
@pytest.mark.parametrize("edges", TINY_CELLS)
@pytest.mark.parametrize("name", ["kalj.ogn.pt", "Cu64Zr36.symgnn.pt", "Cu50Zr50.glassvae.pt"])
def test_a_cell_far_smaller_than_the_cutoff_is_refused(name: str, edges: tuple[float, ...], engine: str) -> None:
    model: Any = open_model(POTENTIALS / name, engine)  # type: ignore[arg-type]
    moving = [np.zeros((1, 3))] if name.endswith("ogn.pt") else []
    with pytest.raises(VitrifyError, match=r"the cell|cell vectors"):
        model.predict(np.zeros((1, 3)), *moving, np.diag(edges), np.zeros(1, int))


@pytest.mark.parametrize("n", [1, 100, 4000])
def test_pairs_of_a_dense_cell_are_refused_before_memory_is_taken(n: int) -> None:
    positions = np.random.default_rng(1).random((n, 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VitrifyError, match="within the cutoff"):
        find_pairs(positions, np.eye(3) * n ** (1 / 3), 60.0, "ijd")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_distances_far_beyond_the_density_move_nothing() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(VitrifyError, match="within the cutoff"):
        _core.push_apart(np.eye(3) * 12.0, rng.random((100, 3)) * 12.0, np.zeros(100, np.int32), [150.0])


def test_a_composition_of_many_ions_is_found_at_once() -> None:
    """Forty species: a search over all of their numbers would never end."""
    charges = [4.0, 3.0, 2.0, 1.0] * 9 + [-2.0] * 4
    shares = np.array([1.0] * 36 + [11.25] * 4)
    counts = _core.neutral_counts(810, (shares / shares.sum()).tolist(), charges)
    assert sum(counts) == 810
    assert np.dot(counts, charges) == 0.0


FAR_POSITIONS = [1.7e308, -1.7e308, 1e300, 1e9, -1e10, float("nan"), float("inf")]


@pytest.mark.parametrize("far", FAR_POSITIONS)
def test_positions_beyond_any_image_are_refused(far: float) -> None:
    cell, types = np.eye(3) * 5.0, np.zeros(3, np.int32)
    positions = np.random.default_rng(0).random((3, 3))
    positions[1] = (far, far, -far)
    calls: list[Callable[[], Any]] = [
        lambda: _core.closest_distances(cell, positions, types, 1, 2.0),
        lambda: _core.push_apart(cell, positions, types, [1.0]),
        lambda: _core.repulsive_core([1.0], positions, cell, types),
    ]
    for call in calls:
        with pytest.raises(VitrifyError, match=r"a million cells|finite|NaN"):
            call()


@pytest.mark.parametrize("n", [100, 250])
def test_charges_that_never_balance_end_the_search(n: int) -> None:
    start = time.perf_counter()
    for number in range(n, n + 100):
        assert not _core.neutral_counts(number, [0.35, 0.25, 0.4], [1.0, 0.7071, -1.2803])
    assert time.perf_counter() - start < 5.0


def test_a_search_takes_what_it_looks_at_from_a_budget_of_all() -> None:
    """Ten species: the nearest composition needs more than the first look, and none is looked for without a budget."""
    charges = [1.0, 2.0, 3.0, 4.0, 5.0, -1.0, -2.0, -3.0, -4.0, -11.0]
    shares = [0.1] * 10
    found, left = _core.neutral_counts_within(103, shares, charges, 1e7)
    assert sum(found) == 103 and np.dot(found, charges) == 0.0 and 0 <= left < 1e7
    after, less = _core.neutral_counts_within(103, shares, charges, left)
    assert after == found and less < left
    few, rest = _core.neutral_counts_within(103, shares, charges, 10.0)
    assert rest == 9.0 and (not few or np.dot(few, charges) == 0.0)


@pytest.mark.parametrize("charges", [[4.0, 3.0, -2.0], [1.0, 4.0, 3.0, -2.0], [5.0, 3.0, 1.0, -2.0], [2.0, -3.0, 0.0]])
def test_the_nearest_neutral_composition_is_that_of_a_full_search(charges: list[float]) -> None:
    n, rng = 14, np.random.default_rng(len(charges))
    grids = np.meshgrid(*[np.arange(n + 1)] * len(charges), indexing="ij")
    all_counts = np.stack([grid.ravel() for grid in grids], 1)
    neutral = all_counts[(all_counts.sum(1) == n) & (all_counts @ np.array(charges) == 0.0)]
    for _ in range(20):
        shares = rng.dirichlet(np.ones(len(charges)))
        counts = _core.neutral_counts(n, shares.tolist(), charges)
        centre = _neutral(n * shares, np.array(charges))
        found, best = (np.square(one - centre).sum(-1).min() for one in (np.array([counts]), neutral))
        assert found == pytest.approx(best)


def _neutral(counts: np.ndarray, charges: np.ndarray) -> np.ndarray:
    """The nearest neutral real numbers with the same sum."""
    across = charges - charges.mean()
    return counts - (counts @ charges) / (across @ across) * across


def _zip(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"")
    return path


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ([f"a/{k}" for k in range(5000)], "5000 entries"),
        (["a/" + "b/" * 200 + "c"], "not a plain one"),
        (["a/" + "/".join("xyz"[k % 3] for k in range(20))], "not a plain one"),
    ],
)
def test_names_that_would_take_much_memory_are_refused(names: list[str], what: str, tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match=what):
        _core.Archive(str(_zip(tmp_path / "model.pt", names)))
