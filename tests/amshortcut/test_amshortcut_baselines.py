"""The baselines of generators: a small liquid of the real LAMMPS, and files of glasses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from benchmarks.amshortcut.baselines import best, main
from vitrify.amshortcut.evaluate.baselines import md_from_random
from vitrify.core.errors import VitrifyError

SILICON = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")


@pytest.fixture(scope="module")
def liquid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    edge = (64 / 0.0518) ** (1 / 3)
    made = md_from_random([np.eye(3) * edge] * 12, [{"Si": 64}] * 12, ["Si"], SILICON, 2500.0, 400, 0.003, 99)
    for number, atoms in enumerate(made.samples):
        atoms.info = {"sample": number // 2}
    path = tmp_path_factory.mktemp("liquid") / "liquid.extxyz"
    write(path, made.samples)
    return path


def write_glass(path: Path, **info: Any) -> Path:
    frames = []
    for number in range(4):
        atoms = bulk("Si", cubic=True) * 2
        atoms.info = {"sample": number // 2, **{k: v + 0.1 * (number // 2) for k, v in info.items()}}
        frames.append(atoms)
    write(path, frames)
    return path


def test_tables_of_liquid_and_glass(liquid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """More MD is nearer to the liquid; energies are means over simulations; nothing is computed twice."""
    glass = write_glass(tmp_path / "glass.extxyz", inherent_energy=-4.2, log10_cooling_rate=14.0)
    glass.with_name("glass.extxyz.json").write_text(json.dumps({"cpu_seconds_per_sample": 31.25}))
    given = ["--liquid", str(liquid), "--out", str(tmp_path), "--samples", "6", "--timesteps", "0.002", "0.003"]
    main([*given, "--steps", "0", "100", "--glass", str(glass)])
    found = json.loads((tmp_path / "md_baseline.json").read_text())
    rows = {(row["steps"], row["timestep"]): row for row in found["runs"]}
    assert set(rows) == {(0, 0.002), (100, 0.002), (100, 0.003)}
    assert rows[100, 0.003]["rdf"] < 0.6 * rows[0, 0.002]["rdf"]
    assert rows[100, 0.003]["cpu_seconds"] > rows[0, 0.002]["cpu_seconds"] > 0
    assert (found["floor"]["samples"], found["floor"]["against"]) == (6, 6) and found["floor"]["rdf"] > 0
    (of,) = found["glasses"]
    assert of["samples"] == 2 and of["energy"] == pytest.approx(-4.15) and of["stderr"] == pytest.approx(0.05)
    assert of["cpu_seconds"] == 31.25 and of["rate"] == pytest.approx(1e14)
    # A random start is above the crystal and above any glass.
    assert -4.2 < found["minimised"]["energy"] < -3.6
    text = (tmp_path / "md_baseline.md").read_text()
    assert "| 1e+14 | 2 | -4.1500 ± 0.0500 | 31.2 |" in text and text in capsys.readouterr().out
    main([*given, "--steps", "0", "100"])
    again = json.loads((tmp_path / "md_baseline.json").read_text())
    assert again["runs"] == found["runs"]


def test_the_best_time_step_counts_both_distributions() -> None:
    rows = ((1, 0.1, 9.0), (2, 0.2, 1.0), (3, 0.5, 1.0))
    runs = [{"steps": 5, "timestep": timestep, "rdf": rdf, "adf": adf} for timestep, rdf, adf in rows]
    assert best(runs, 5)["timestep"] == 2


def test_a_glass_without_energies_is_refused(liquid: Path, tmp_path: Path) -> None:
    glass = write_glass(tmp_path / "glass.extxyz")
    with pytest.raises(VitrifyError, match="says no inherent_energy"):
        main(["--liquid", str(liquid), "--glass", str(glass), "--out", str(tmp_path)])
