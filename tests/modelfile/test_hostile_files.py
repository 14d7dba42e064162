"""Files from a stranger: no code runs, nothing crashes, memory stays small, and every host says the same."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import model_files
from hostile import in_lammps
from hostile.containers import CONTAINERS, entries_of, packed
from hostile.programs import MARK, PROGRAMS
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.open import open_model
from vitrify.engines.program import difference
from vitrify.modelfile.archive import read_metadata

GIGABYTE = 1 << 20  # in the unit of ru_maxrss


@dataclass(frozen=True)
class Files:
    """A good file, its entries, and hostile ones by name."""

    good: Path
    entries: dict[str, bytes]
    containers: dict[str, Path]
    programs: dict[str, Path]

    @property
    def all(self) -> list[Path]:
        return [*self.containers.values(), *self.programs.values()]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("hostile")
    good = folder / "good.ogn.pt"
    # In a process of its own: torch names the classes of a program otherwise if others of their names came before.
    helpers = str(Path(model_files.__file__).parent)
    code = "import sys; from pathlib import Path; from model_files import export; export(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(good)], env={**os.environ, "PYTHONPATH": helpers}, check=True)
    with zipfile.ZipFile(good) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}

    def write(name: str, content: bytes) -> Path:
        path = folder / f"{name.replace('/', ' ').replace(',', '')}.ogn.pt"
        path.write_bytes(content)
        return path

    containers = {name: write(name, make(entries)) for name, make in CONTAINERS.items()}
    changed = {name: make(entries) for name, make in PROGRAMS.items()}
    assert all(found != entries for found in changed.values())
    programs = {name: write(name, packed(entries_of(found))) for name, found in changed.items()}
    return Files(good, entries, containers, programs)


@pytest.fixture
def never_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("torch got the program of a stranger")

    monkeypatch.setattr(torch.jit, "load", load)


@pytest.fixture(scope="module")
def in_lmp(files: Files, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Path, str], str]:
    """What one LAMMPS said to all files, one after the other: (file, engine) -> its error."""
    folder = tmp_path_factory.mktemp("lammps")
    again = packed(entries_of(files.entries))
    unknown = files.good.with_name("unknown.ogn.pt")
    unknown.write_bytes(again)
    paths = [files.good, unknown, *files.all]
    done = subprocess.run(
        [sys.executable, in_lammps.__file__, *map(str, paths)],
        cwd=folder, text=True, capture_output=True, timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert not (folder / MARK).exists(), "code of a file has run"
    assert lines[-1][2] < GIGABYTE, "kB of memory"
    return {(Path(path), engine): error for path, engine, error in lines[:-1]}


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_archive_that_can_be_read_in_two_ways_is_refused_by_all(
    name: str, files: Files, in_lmp: dict[tuple[Path, str], str]
) -> None:
    path = files.containers[name]
    for read in (read_metadata, open_model, load_model):
        with pytest.raises(VitrifyError) as caught:
            read(path)
        message = str(caught.value)
        assert message.isprintable() and path.name in message
    for engine in ("native", "torch"):
        assert message in in_lmp[path, engine], "the same words in LAMMPS"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_not_ours_is_told_from_ours(name: str, files: Files) -> None:
    assert difference(PROGRAMS[name](files.entries), files.entries) or name in (
        "one other plain weight",
        "other settings",
    )
    assert not difference(files.entries, files.entries)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("never_torch")
def test_the_program_of_a_stranger_is_not_run(
    name: str, files: Files, in_lmp: dict[tuple[Path, str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = files.programs[name]
    # The weights are data: whatever the program is, the native engine runs them, in both hosts.
    open_model(path)
    assert in_lmp[path, "native"] == ""
    assert "not loaded: check it with `vitrify trust" in in_lmp[path, "torch"]
    with pytest.raises(VitrifyError, match="is not the one that this version of vitrify makes") as caught:
        load_model(path)
    assert str(caught.value).isprintable()
    assert not (tmp_path / MARK).exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 * GIGABYTE


def test_own_files_run_without_a_word_and_unknown_ones_say_what_to_type(
    files: Files, in_lmp: dict[tuple[Path, str], str]
) -> None:
    unknown = files.good.with_name("unknown.ogn.pt")
    assert in_lmp[files.good, "native"] == in_lmp[files.good, "torch"] == in_lmp[unknown, "native"] == ""
    assert f"check it with `vitrify trust {unknown}`, which remembers it" in in_lmp[unknown, "torch"]
    assert "or write `trust yes` if you know who made it" in in_lmp[unknown, "torch"]
