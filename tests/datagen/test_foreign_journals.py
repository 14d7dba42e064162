"""Journals and records that something else has written: one line that names the file, and it stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import toy_labels
from vitrify.core.errors import VitrifyError
from vitrify.datagen.structures.campaign import _Journal
from vitrify.ogn.evaluate.lammps_run import DONE, run_lmp_once

OURS = {"atom": 1, "number": 2}
LINES = [
    "{}", '{"atom": 1}', json.dumps(OURS), '{"atom": "x", "number": null}', '{"index": 0, "text": "", "failure": null}',
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_journal_of_searches(line: str, tmp_path: Path) -> None:
    path, journal = tmp_path / "labels.h5", tmp_path / "labels.h5.part"
    with pytest.raises(RuntimeError), toy_labels.writer(path) as file:
        file.append(toy_labels.search(0, 0))
        raise RuntimeError
    before = journal.read_text() + line + "\n"
    journal.write_text(before)
    with pytest.raises(VitrifyError, match=r"labels\.h5\.part, line 3: not a search in the journal of vitrify artn"):
        toy_labels.writer(path)
    assert journal.read_text() == before


HEADER = {"system": "si", "settings": {}, "seed": 1, "commands": [], "property_units": {}}


@pytest.mark.parametrize("text", ["{", "[]", "7", "null", '{"settings": 3}', json.dumps(HEADER) + "\n{}", "\xff\xfe"])
def test_a_journal_of_samples(text: str, tmp_path: Path) -> None:
    path, journal = tmp_path / "a.extxyz", tmp_path / "a.extxyz.part"
    journal.write_bytes(text.encode("latin-1") + b"\n")
    with pytest.raises(VitrifyError, match=r"a\.extxyz\.part(: not the journal of| was made with other)"):
        _Journal(path, HEADER)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": {}}', json.dumps({**HEADER, "samples": 3})])
def test_a_recipe_of_samples(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    path.write_text("1\nProperties=species:S:1:pos:R:3\nSi 0 0 0\n")
    (tmp_path / "a.extxyz.json").write_text(text)
    with pytest.raises(VitrifyError, match=r"a\.extxyz(\.json)?(: not (the|one of)| was made with other)"):
        _Journal(path, HEADER)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run": 3}'])
def test_a_record_of_a_run(text: str, tmp_path: Path) -> None:
    script = tmp_path / "in.lammps"
    script.write_text("units lj\n")
    (tmp_path / DONE).write_text(text)
    if text == '{"run": 3}':  # of another run: that is made anew
        assert run_lmp_once(script, tmp_path, [])[1]
        return
    with pytest.raises(VitrifyError, match=f"{DONE}: not the record of a run of vitrify evaluate"):
        run_lmp_once(script, tmp_path, [])
