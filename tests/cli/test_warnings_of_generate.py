"""What `vitrify generate` says while it makes structures: each warning once, the last one too, and no one else's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from vitrify.cli import generate as command
from vitrify.core.errors import VitrifyError, VitrifyWarning


@pytest.mark.parametrize("fails", [False, True])
def test_each_warning_is_said_once(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(model: str, count: int, **options: Any) -> Iterator[Atoms]:
        for seed in range(count):
            warnings.warn("outside", VitrifyWarning, stacklevel=1)
            warnings.warn("not of vitrify", RuntimeWarning, stacklevel=1)
            yield Atoms("Si", cell=[5, 5, 5], pbc=True, info={"seed": seed})
        warnings.warn("the last", VitrifyWarning, stacklevel=1)
        if fails:
            raise VitrifyError("stopped")

    monkeypatch.setattr("vitrify.generation.generate.generate_many", made)
    monkeypatch.setattr(command, "_species", lambda model: ({14: "Si"}, None))
    try:
        command._generate("model", tmp_path / "a.extxyz", 3, [])
    except VitrifyError:
        assert fails
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert lines == ["warning: outside", "warning: the last"]
