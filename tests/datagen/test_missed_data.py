"""What a data command was asked for and did not make is said: pressures, minima, compositions, samples, labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

import toy_labels
from vitrify.core.errors import VitrifyWarning
from vitrify.data.label_files import LabelFile
from vitrify.datagen.barriers.summary import summary as label_summary
from vitrify.datagen.glass.result import summary as glass_summary
from vitrify.datagen.structures import campaign
from vitrify.datagen.structures.campaign import Sample, make_ensemble


def glass(folder: Path, formula: str, counts: list[int], asked: float, pressure: float, force: float) -> Path:
    """A finished glass, of which only the recipe is read."""
    names = re.findall("[A-Z][a-z]?", formula)
    settings = {"formula": formula, "species": names, "counts": counts, "pressure": asked}
    result = {"energy_per_atom": -4.4, "pressure": pressure, "density": 7.5, "max_force": force}
    atoms = Atoms("Cu", cell=[5.0] * 3, pbc=True)
    atoms.info = {"vitrify": {"settings": settings, "result": result, "versions": {}}}
    write(folder / "glass.extxyz", atoms)
    (folder / "glass.data").touch()
    return folder / "glass.data"


@pytest.mark.parametrize(
    ("formula", "counts", "asked", "pressure", "force", "words"),
    [
        ("Cu64Zr36", [64, 36], 0.0, 12.0, 1e-5, []),
        ("Cu64Zr36", [64, 36], 1e4, 10020.0, 1e-5, []),
        ("Cu64Zr36", [64, 36], 0.0, 900.0, 1e-5, ["the pressure of 0 bar that was asked for was missed"]),
        ("Cu64Zr36", [64, 36], 1e4, 12.0, 1e-5, ["the pressure of 10000 bar that was asked for was missed"]),
        ("Cu64Zr36", [64, 36], 0.0, float("nan"), 1e-5, ["the pressure of 0 bar"]),
        ("Cu64Zr36", [64, 36], 0.0, 12.0, 2e-3, ["no minimum was reached"]),
        ("Cu64Zr36", [64, 36], 0.0, -900.0, 2e-3, ["no minimum was reached; the pressure of 0 bar"]),
        ("Cu64Zr36", [7, 4], 0.0, 12.0, 1e-5, []),
        ("Cu64Zr36", [6, 4], 0.0, 12.0, 1e-5, ["10 atoms of Cu64Zr36 have 60% Cu, 40% Zr, ask for more atoms"]),
        ("SiO2", [3, 7], 0.0, 12.0, 1e-5, ["10 atoms of SiO2 have 30% Si, 70% O"]),
    ],
)
def test_a_glass_says_what_it_missed(
    formula: str, counts: list[int], asked: float, pressure: float, force: float, words: list[str], tmp_path: Path
) -> None:
    said = glass_summary(glass(tmp_path, formula, counts, asked, pressure, force))
    assert ":" in said if words else not re.search("missed|no minimum|ask for", said)
    assert all(text in said for text in words)


@pytest.mark.parametrize("failing", [{1}, {0, 2}, set()])
def test_samples_that_fail_are_said(failing: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = "1\nProperties=species:S:1:pos:R:3 sample={}\nSi 0.0 0.0 0.0\n"

    def run(make: Any, setup: Any, tasks: Any, *, record: Any, **_: Any) -> None:
        for index in tasks:
            bad = index in failing
            record(index, Sample(index, "" if bad else frame.format(index), 0.1, 0.0, f"no {index}" if bad else None))

    monkeypatch.setattr(campaign, "run_tasks", run)
    out = tmp_path / "a.extxyz"
    if not failing:
        make_ensemble("si-glass", out, count=3)
        return
    first = min(failing)
    words = rf"{len(failing)} of 3 samples failed and are missing in a.extxyz .*the first, {first}: no {first}"
    with pytest.warns(VitrifyWarning, match=words):
        make_ensemble("si-glass", out, count=3)


@pytest.mark.parametrize("searches", [[(0, 1), (1, 1)], [(0, 0), (1, 1)], [(k, 3 - k % 3) for k in range(9)]])
def test_atoms_without_a_barrier_are_counted(searches: list[tuple[int, int]], tmp_path: Path) -> None:
    path = toy_labels.fill(tmp_path / "labels.h5", searches)
    with LabelFile(path) as file:
        labels = file.labels()["barrier"]
    tried = sorted({atom for atom, _ in searches})
    without = [atom for atom in tried if np.isnan(labels[atom])]
    text = label_summary(path)
    if without:
        line = next(line for line in text.splitlines() if line.startswith("without barrier"))
        assert f"{len(without)} of {len(tried)} atoms, which have no label: {without[0] + 1}" in line
    else:
        assert "without barrier" not in text
