"""Glasses whose melt and quench a model takes in strides."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitrify.core.errors import VitrifyError, VitrifyWarning
from vitrify.datagen.glass.integrator import choose_integrator
from vitrify.datagen.glass.melt_quench import check_settings, make_glass
from vitrify.datagen.glass.result import Result, read_history, read_recipe
from vitrify.datagen.glass.script import GlassSettings, glass_script
from vitrify.modelfile.archive import shipped_models

CUZR: dict[str, Any] = {"melt_temperature": 1500.0, "final_temperature": 500.0, "rate": 1e15, "melt_time": 1.0}


def settings(formula: str = "Cu64.5Zr35.5", **changes: Any) -> GlassSettings:
    return check_settings(formula, **{"atoms": 200, **CUZR, **changes})


def test_auto_takes_the_model_of_the_potential_whatever_the_order_of_elements() -> None:
    for formula in ("Cu64.5Zr35.5", "Zr35.5Cu64.5"):
        found = choose_integrator("auto", settings(formula))
        assert found is not None and found.file == "cuzr.ogn.pt" and found.stride == 0.04


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"final_temperature": 1.0}, "cuzr.ogn.pt is for 437 to 3923 K"),
        ({"melt_temperature": 5000.0}, "cuzr.ogn.pt is for 437 to 3923 K"),
        ({"formula": "Cu50Zr50"}, "cuzr.ogn.pt is for 62.5 to 66.5% Cu"),
        ({"formula": "Al80Cu20", "potential": "pair_style lj/cut 5; pair_coeff * * 0.1 2"}, "no shipped model moves"),
        ({"potential": "pair_style lj/cut 5; pair_coeff * * 0.1 2"}, "trained with another potential"),
        ({"formula": "SiO2"}, "sio2.ogn.pt was trained with another potential"),
    ],
)
def test_auto_says_why_it_takes_md(changes: dict[str, Any], reason: str) -> None:
    with pytest.warns(VitrifyWarning, match=f"{re.escape(reason)}.*: the quench is MD"):
        assert choose_integrator("auto", settings(**changes)) is None


@pytest.mark.parametrize(
    ("name", "formula", "message"),
    [
        ("nowhere.ogn.pt", "Cu64Zr36", "no model file nowhere.ogn.pt"),
        ("Cu64Zr36.symgnn.pt", "Cu64Zr36", "is of kind symgnn, which moves no atoms"),
        ("kalj.ogn.pt", "Cu64Zr36", "is for units lj"),
        ("si.ogn.pt", "Cu64Zr36", "knows Si, but Cu64Zr36 has Cu, Zr, too"),
    ],
)
def test_models_that_cannot(name: str, formula: str, message: str) -> None:
    with pytest.raises(VitrifyError, match=message):
        settings(formula, integrator=name)


def test_the_script_counts_strides_from_the_melt_on(tmp_path: Path) -> None:
    found = settings(integrator="cuzr.ogn.pt")
    assert found.ends == (0, 25, 50)  # 1 ps of melt, 1 ps of quench
    script = glass_script(found, "glass", {})
    assert script.count("fix ogn") == 1 and script.count(" ogn cuzr.ogn.pt Cu Zr ") == 2
    assert "reset_timestep 0\n\n#" in script and "fix           warm all nve" in script
    assert "npt" in glass_script(replace(found, integrator=None), "glass", {})


@pytest.mark.slow
def test_a_glass_by_strides_is_that_of_md(tmp_path: Path) -> None:
    """Density and energy at rest, of 500 atoms at a rate at which they hardly depend on the start."""
    options: dict[str, Any] = {"atoms": 500, "ranks": 1, "progress": False, **CUZR, "rate": 2e14}
    files = {name: make_glass("Cu64.5Zr35.5", out=tmp_path / f"{name}.data", integrator=name, **options)
             for name in ("md", "cuzr.ogn.pt")}  # fmt: skip
    md, ogn = (Result(**read_recipe(file)["result"]) for file in files.values())
    assert ogn.energy_per_atom == pytest.approx(md.energy_per_atom, abs=0.01)
    assert ogn.density == pytest.approx(md.density, rel=0.01)
    columns, stages = read_history(files["cuzr.ogn.pt"].with_suffix(".history.csv"))
    quench = stages == "quench"
    slope = np.polyfit(columns["time"][quench], columns["temperature"][quench], 1)[0]
    assert slope == pytest.approx(-200.0, rel=0.2)  # K/ps
    assert read_recipe(files["cuzr.ogn.pt"])["settings"]["integrator"]["file"] == "cuzr.ogn.pt"
    assert shipped_models()["cuzr.ogn.pt"].exists()
