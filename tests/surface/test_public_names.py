"""Public names, the command line, configurations and metadata are what they were when `record.py` wrote them down."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import public_surface
import vitrify
from surface_records import check, load

# Names that stand at the top besides those of the record.
ADDED = {"load_frames", "load_model", "load_samples", "load_structures", "open_model", "read_metadata"}
# Names in examples that are called otherwise now.
RENAMED = {"Corrector": "Relaxation"}


@pytest.fixture(scope="module")
def then() -> dict[str, Any]:
    return load("python")


def test_public_names_and_their_signatures_are_as_they_were(then: dict[str, Any]) -> None:
    now = public_surface.python_names()
    added = set(now["vitrify"]["__all__"]) - set(then["names"]["vitrify"]["__all__"])
    assert added <= ADDED
    for name in added:
        assert inspect.isfunction(getattr(vitrify, name)), name
        del now["vitrify"][name]
    now["vitrify"]["__all__"] = [name for name in now["vitrify"]["__all__"] if name not in added]
    check(then["names"], now)


def test_glasscalc_offers_the_same_properties(then: dict[str, Any]) -> None:
    assert public_surface.calculator_properties() == then["calculator"]


def test_documents_and_examples_import_public_names_from_where_they_did(then: dict[str, Any]) -> None:
    """Other names may have moved; each file must still show the same public ones."""
    public = {(place, name) for place in ("vitrify", "vitrify.lammps") for name in then["names"][place]["__all__"]}
    now = public_surface.documented_imports()
    for file, modules in then["imports"].items():
        shown = {(module, name) for module, names in modules.items() for name in names} & public
        assert shown <= {(module, name) for module, names in now[file].items() for name in names}, file


def test_what_examples_import_takes_the_same_arguments(then: dict[str, Any]) -> None:
    now = public_surface.documented_names()
    found = {name: now.get(RENAMED.get(name, name), now.get(name, "gone")) for name in then["documented"]}
    check(then["documented"], found)


RECORDS = {
    "commands": public_surface.command_tree,
    "configurations": public_surface.configurations,
    "hyperparameters": public_surface.hyperparameters,
    "metadata": public_surface.metadata_keys,
}


@pytest.mark.parametrize("name", RECORDS)
def test_nothing_is_new_or_gone_or_different(name: str) -> None:
    check(load(name), RECORDS[name]())
