"""The rules on ranges, elements and masses, as `_core` has them, on numbers that are worked out by hand."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.validity import Impossible, Watch

INF = float("inf")


def make_range(metal: bool = False, **changes: Any) -> Any:
    """A of 0.78 to 0.82, density 1.18 to 1.23, T from 2.5 to 4; closest pairs AA 0.8, BA 0.67, BB 0.7."""
    given = {
        "species": ["A", "B"], "composition": [(0.78, 0.82), (0.18, 0.22)], "number_density": (1.18, 1.23),
        "temperature": (2.5, 4.0), "min_distance": [0.8, 0.67, 0.7], "species_are_elements": metal, **changes,
    }  # fmt: skip
    return _core.TrainingRange(**given)


def observed(a: float = 80, b: float = 20, density: float = 1.2, **known: Any) -> Any:
    return _core.Observed(counts=[a, b], volume=(a + b) / density, **known)


@pytest.mark.parametrize(
    ("structure", "names"),
    [
        (observed(), []),
        (observed(775, 225), ["the fraction of A", "the fraction of B"]),
        (observed(7, 2), []),  # 7 of 9 are 0.778, and half an atom is 0.056
        (observed(779, 221), ["the fraction of A", "the fraction of B"]),
        (observed(779.6, 220.4), []),
        (observed(density=1.23 * (1 + 9e-6)), []),
        (observed(density=1.23 * (1 + 2e-5)), ["the number density"]),
        (observed(density=1.18 * (1 - 2e-5)), ["the number density"]),
        (_core.Observed(counts=[80, 20]), []),  # no volume, no density
        (_core.Observed(counts=[80, 20], volume=90.0, surfaces=True), ["the box is not periodic in all directions"]),
        (observed(temperature=4.0 * 1.24), []),  # 3 sqrt(2 / 297) = 0.246
        (observed(temperature=4.0 * 1.25), ["the temperature"]),
        (observed(temperature=2.5 * 0.75), ["the temperature"]),
        (observed(80_000, 20_000, temperature=4.0 * 1.01), ["the temperature"]),  # 3 sqrt(2 / 299997) = 0.0077
        (observed(closest=[0.761, 0.637, 0.666]), []),
        (observed(closest=[0.759, INF, INF]), ["the closest A-A distance"]),
        (observed(closest=[INF, 0.636, 0.664]), ["the closest A-B distance", "the closest B-B distance"]),
        (_core.Observed(counts=[0, 0], volume=1.0), []),
    ],
)
def test_quantities_outside(structure: Any, names: list[str]) -> None:
    assert [finding.name for finding in make_range().outside(structure)] == names


def test_sentences_tell_values_from_limits() -> None:
    (finding,) = make_range().outside(observed(density=1.2301))
    assert finding.sentence == "the number density is 1.2301, outside 1.18 to 1.23"
    assert (finding.low, finding.high) == (1.18, 1.23)
    (finding,) = make_range().outside(observed(closest=[0.1, INF, INF]))
    assert finding.sentence == "the closest A-A distance is 0.1, below 0.8" and finding.high == INF
    text = _core.unlike_training(make_range().outside(observed(50, 50, 1.0)))
    assert text.endswith("or use a model for this composition; bring the box to a density of the range")


@pytest.mark.parametrize(
    ("structure", "metal", "order", "certain"),
    [
        (observed(20, 80), False, [1, 0], True),
        (observed(20, 80), True, [], False),  # metal: names are elements
        (observed(20, 80, closest=[0.75, 0.7, 0.8]), True, [1, 0], True),  # AA is too close, and fits as BB
        (observed(20, 80, closest=[0.9, 0.9, 0.75]), False, [], False),  # a real A20 B80: BB would not fit as AA
        (observed(50, 50), False, [], False),  # no order fits
        (observed(100, 0), False, [], False),
        (observed(74, 26), False, [], False),
        (observed(closest=[0.6, 0.7, 0.9]), False, [], False),  # close atoms, and a composition that fits as it is
        (observed(), False, [], False),
    ],
)
def test_swapped_elements(structure: Any, metal: bool, order: list[int], certain: bool) -> None:
    swap = make_range(metal).swapped(structure)
    assert (list(swap.species), swap.certain, bool(swap)) == (order, certain, bool(order))


def test_equal_shares_can_only_be_told_by_close_pairs() -> None:
    even = make_range(composition=[(0.4, 0.6), (0.4, 0.6)], min_distance=[0.8, 0.8, 1.2])
    swap = even.swapped(observed(50, 50, closest=[1.3, 0.9, 0.85]))
    assert list(swap.species) == [1, 0] and not swap.certain
    assert "distance is 0.85, below 1.2" in _core.swapped_elements(swap, ["A", "B"], "use B A")


def test_three_species_in_a_circle() -> None:
    three = _core.TrainingRange(
        species=["A", "B", "C"], composition=[(0.6, 0.65), (0.25, 0.3), (0.05, 0.1)], number_density=(1, 2),
        temperature=(0, 0), min_distance=[], species_are_elements=False,
    )  # fmt: skip
    swap = three.swapped(_core.Observed(counts=[28, 8, 64]))
    assert list(swap.species) == [1, 2, 0]
    assert _core.exchanged(swap.species, ["A", "B", "C"]) == "with B for A, C for B, A for C"


@pytest.mark.parametrize(
    ("masses", "species", "index", "order"),
    [
        ([63.546, 91.224], [0, 1], None, []),
        ([63.55, 91.22], [0, 1], None, []),
        ([63.546, 91.224], [1, 0], 0, [1, 0]),
        ([63.546, 1.0], [0, 1], 1, []),
        ([1.0, 91.224], [-1, 1], None, []),
        ([91.224, 63.546, 63.546], [0, 1, -1], 0, [1, 0]),
        ([float("nan"), 91.224], [0, 1], 0, []),
    ],
)
def test_masses(masses: list[float], species: list[int], index: int | None, order: list[int]) -> None:
    wrong = _core.find_wrong_mass(masses, species, [63.546, 91.224])
    assert bool(wrong) == (index is not None)
    if wrong:
        assert wrong.index == index and list(wrong.order) == order
        text = wrong.describe("type 9", ["Cu", "Zr"], "use this")
        assert text.startswith("type 9 has mass") and text.endswith(": use this")
        assert ("swapped" in text) == bool(order)


@pytest.mark.parametrize(
    ("elements", "null", "found"),
    [
        (["Zr", "Cu"], False, [1, 0]),
        (["NULL", "Zr"], True, [-1, 1]),
        (["NULL", "Zr"], False, "element NULL of type 1 is not in the model"),
        (["Cu"], False, "too few elements: got 1 for 2 atom types"),
        (["Cu", "Zr", "Zr"], False, "too many elements: got 3 for 2"),
        (["Cu", "Al"], False, "element Al of type 2 is not in the model.*Cu Zr"),
        (["NULL", "NULL"], True, "no atom type is mapped"),
    ],
)
def test_elements_of_types(elements: list[str], null: bool, found: list[int] | str) -> None:
    if isinstance(found, list):
        assert _core.species_of_types(elements, 2, ["Cu", "Zr"], null) == found
        return
    with pytest.raises(VitrifyError, match=found):
        _core.species_of_types(elements, 2, ["Cu", "Zr"], null)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"negative": 0, "outside": 0}, ""),
        ({"negative": 1, "outside": 50}, ""),
        ({"negative": 2, "outside": 0}, "the barrier of 2 of 100 atoms is negative, the lowest is -1.5 eV"),
        ({"negative": 0, "outside": 51}, "51 of 100 atoms are unlike the training data"),
    ],
)
def test_impossible_barriers(counts: dict[str, int], words: str) -> None:
    found = _core.impossible_property("barrier", "eV", atoms=100, lowest=-1.5, limit=0.2, **counts)
    assert words in found and bool(words) == bool(found)
    assert not _core.impossible_property("propensity", "", atoms=9, negative=9, lowest=-1, outside=9, limit=0.0)


def test_a_watch_tells_of_a_quantity_once_and_counts() -> None:
    watch = Watch(read_metadata("kalj.ogn.pt"))
    types = np.repeat([0, 1], [80, 20])
    assert watch.look(types, 100 / 1.2) == [] and watch.summary("steps") == ""
    (first,) = watch.look(types, 100 / 1.3)
    assert "the number density is 1.3, outside" in first
    assert watch.look(types, 100 / 1.4) == []
    (second,) = watch.look(np.repeat([0, 1], [60, 40]), 100 / 1.2)
    assert "the fraction of A is 0.6" in second
    text = "3 of 4 steps were unlike the training data (composition 1, number density 2)"
    assert watch.summary("steps") == text and watch.outside == 3
    watch.begin_run()
    assert watch.summary("steps") == "" and watch.outside == 3


def test_a_watch_refuses_unless_forced_and_can_be_copied() -> None:
    metadata = read_metadata("kalj.ogn.pt")
    swapped = np.repeat([0, 1], [20, 80])
    with pytest.raises(Impossible, match=r"be swapped.*: change A to B, B to A, or force=True if that is meant"):
        Watch(metadata).look(swapped, 100 / 1.2)
    with pytest.raises(Impossible, match="in one place"):
        Watch(metadata).look(np.repeat([0, 1], [80, 20]), 100 / 1.2, closest=[0.001, INF, INF])
    for make in (copy.deepcopy, lambda watch: pickle.loads(pickle.dumps(watch))):
        forced = make(Watch(metadata, force=True))
        assert len(forced.look(swapped, 100 / 1.2)) == 2 and forced.look(swapped, 100 / 1.2) == []


@pytest.mark.parametrize(
    ("atoms", "negative", "refused"), [(1, 1, False), (8, 1, False), (8, 2, True), (100, 1, False), (300, 4, True)]
)
def test_one_atom_at_a_defect_may_have_a_negative_barrier(atoms: int, negative: int, refused: bool) -> None:
    found = _core.impossible_property("barrier", "eV", atoms=atoms, negative=negative, lowest=-1, outside=0, limit=0.0)
    assert bool(found) == refused
