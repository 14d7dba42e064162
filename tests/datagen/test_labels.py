"""The store of saddle searches: nothing that was finished is lost, bits stay as they are, labels can be trained on."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from labelled_glass import CONFIG, SMALL, glass
from toy_labels import HEADER, N, fill, search, structure, writer
from vitrify.core.errors import VitrifyError
from vitrify.data.label_files import LabelFile, Search
from vitrify.data.structures import load_structures
from vitrify.datagen.barriers.journal import LabelWriter
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.training.run import load_run, train

EMPTY = np.zeros((0, 3))


def same(a: Search, b: Search) -> bool:
    """Every bit, but for the time it took."""
    names = [field.name for field in fields(Search) if field.name != "seconds"]
    return all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=n not in ("outcome", "moved")) for n in names)


def contents(path: Path) -> dict[str, Any]:
    """All datasets but the times, as bytes."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name != "searches/seconds":
            found[name] = item[:].tolist() if item.dtype.kind == "O" else item[:].tobytes()

    with h5py.File(path) as file:
        file.visititems(visit)
        found["header"] = file.attrs["vitrify"]
    return found


KEYS = [(atom, number) for atom in (3, 0, 17, 29) for number in range(5)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = fill(tmp_path / "labels.h5", KEYS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.h5"]
    with LabelFile(path) as file:
        found, labels, glass = file.searches(), file.labels(), file.structure
        assert file.header["settings"] == HEADER["settings"] and file.keys == set(KEYS) and len(file) == len(KEYS)
    assert [s.key for s in found] == sorted(KEYS)
    assert all(same(s, search(*s.key)) and s.seconds == search(*s.key).seconds for s in found)
    for name, value in structure().items():
        assert np.array_equal(getattr(glass, name), value)
    for atom in range(N):
        barriers = [s.barrier for s in found if s.atom == atom and s.outcome == "accepted"]
        assert labels["searches"][atom] == sum(s.atom == atom for s in found)
        assert labels["accepted"][atom] == len(barriers)
        expected = {
            "barrier": np.mean(barriers) if barriers else np.nan,
            "barrier_std": np.std(barriers, ddof=1) if len(barriers) > 1 else np.nan,
            "barrier_minimum": min(barriers, default=np.nan),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(labels[name][atom], value, rtol=1e-12)
    with h5py.File(path) as raw:
        assert raw["searches/atom"][0] == 1 and raw["structure/types"][:].min() == 1
        assert raw["moved/atom"][:].min() >= 1 and raw["searches/first"][-1] == len(raw["moved/atom"])


def test_the_file_depends_neither_on_order_nor_on_interruptions(tmp_path: Path) -> None:
    whole = contents(fill(tmp_path / "whole.h5", KEYS))
    assert contents(fill(tmp_path / "turned.h5", KEYS[::-1])) == whole
    path = tmp_path / "pieces.h5"
    with pytest.raises(KeyboardInterrupt), writer(path) as file:
        for key in KEYS[:7]:
            file.append(search(*key))
        raise KeyboardInterrupt
    assert not path.exists()
    with writer(path) as file:
        assert file.finished == set(KEYS[:7])
        file.append(replace(search(*KEYS[8]), seconds=9.0))
    assert [entry.name for entry in tmp_path.glob("pieces*")] == ["pieces.h5"]
    # what is there already stays as it is
    with writer(path, {"searches": 5, "ids": "1:30", "versions": {"vitrify": "1"}}) as file:
        assert file.finished == {*KEYS[:7], KEYS[8]}
        for key in KEYS:
            file.append(search(*key) if key != KEYS[0] else replace(search(*key), barrier=99.0, outcome="accepted"))
    pieces = contents(path)
    assert json.loads(pieces.pop("header"))["searches"] == 5
    del whole["header"]
    assert pieces == whole
    before = path.stat().st_mtime_ns
    with writer(path) as file:
        assert len(file.finished) == len(KEYS)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("cut", [0, 1, 40, None])
def test_a_torn_line_is_dropped(cut: int | None, tmp_path: Path) -> None:
    """Whatever part of the last line, or of the settings, a kill has left."""
    path, journal = tmp_path / "labels.h5", tmp_path / "labels.h5.part"
    with pytest.raises(KeyboardInterrupt), writer(path) as file:
        for key in KEYS[:4]:
            file.append(search(*key))
        raise KeyboardInterrupt
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][: -1 if cut is None else cut])
    with writer(path) as file:
        assert file.finished == set(KEYS[:3])
        file.append(search(*KEYS[3]))
    assert contents(path) == contents(fill(tmp_path / "other.h5", KEYS[:4]))
    journal.write_bytes(lines[0][:cut])
    with writer(path) as file:
        assert file.finished == set(KEYS[:4])
    journal.write_bytes(lines[0] + b"{nonsense}\n" + lines[1])
    with pytest.raises(VitrifyError, match="damaged in line 2"):
        writer(path)


SCRIPT = """
import itertools, sys
from pathlib import Path
from toy_labels import search, writer

with writer(Path(sys.argv[1])) as file:
    for number in itertools.count():
        file.append(search(number % 7, number // 7))
        print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_and_a_second_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "helpers")},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(20)]
    with pytest.raises(VitrifyError, match=rf"labels.h5 is in use by process {process.pid} on .*artn"):
        writer(path)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    lines += process.communicate()[0].splitlines()
    said = max(int(line) for line in lines if line.strip())
    with writer(path) as file:
        assert len(file.finished) >= said + 1
        assert file.finished >= {(number % 7, number // 7) for number in range(said + 1)}
    with LabelFile(path) as found:
        assert all(same(s, search(*s.key)) for s in found)


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(finished: bool, tmp_path: Path) -> None:
    path = tmp_path / "labels.h5"
    if finished:
        fill(path, KEYS[:2])
    else:
        with pytest.raises(KeyboardInterrupt), writer(path) as file:
            file.append(search(0, 0))
            raise KeyboardInterrupt
    before = sorted(entry.name for entry in tmp_path.iterdir())
    changed: dict[str, Any] = {"seed": 2, "settings": {"push": 0.2, "tolerance": 1e-3, "cap": 5}}
    with pytest.raises(VitrifyError, match=r"other settings \(seed, settings.cap, settings.push\).*remove labels.h5"):
        writer(path, changed)
    with pytest.raises(VitrifyError, match=r"other settings \(the structure\)"):
        writer(path, seed=1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before


def test_bad_searches_and_files_are_refused(tmp_path: Path) -> None:
    good = replace(search(1, 1), moved=np.array([2]), saddle=np.ones((1, 3)), minimum=np.ones((1, 3)))
    with writer(tmp_path / "labels.h5") as file:
        for wrong in ({"atom": N}, {"number": -1}, {"moved": np.array([N])}, {"saddle": np.ones((2, 3))}):
            with pytest.raises(VitrifyError, match="search"):
                file.append(replace(good, **wrong))
        with pytest.raises(VitrifyError, match="accepted, but its barrier is nan"):
            file.append(replace(good, outcome="accepted", barrier=math.nan))
    with LabelFile(tmp_path / "labels.h5") as empty:
        assert empty.searches() == [] and np.isnan(empty.labels()["barrier"]).all()
    with pytest.raises(VitrifyError, match="does not exist"):
        LabelFile(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("once upon a time")
    with pytest.raises(VitrifyError, match="not a readable HDF5"):
        LabelFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["particles"] = 1
    with pytest.raises(VitrifyError, match=r"not a label file \(it has no group /structure\)"):
        LabelFile(tmp_path / "other.h5")
    (tmp_path / "blocked").write_text("")
    with pytest.raises(VitrifyError, match=r"cannot write .*labels.h5: Not a directory"):
        writer(tmp_path / "blocked" / "labels.h5")


def test_label_files_are_read_as_structures(tmp_path: Path) -> None:
    """Atoms that were not searched have no label, which needs no permission."""
    path = fill(tmp_path / "labels.h5", KEYS)
    (got,) = load_structures(path, ["Zr", "Cu"], "barrier")
    given = structure()
    assert np.array_equal(got.types, 1 - given["types"]) and np.array_equal(got.positions, given["positions"])
    assert set(np.flatnonzero(got.labelled)) == {3, 0, 17, 29}
    with LabelFile(path) as file:
        assert np.array_equal(got.labels, file.labels()["barrier"], equal_nan=True)
    (counts,) = load_structures(path, ["Cu", "Zr"], "accepted")
    assert counts.labels.sum() == sum((a + n) % 3 > 0 for a, n in KEYS)
    (bare,) = load_structures(path, ["Cu", "Zr"])
    assert not bare.labelled.any()
    with pytest.raises(VitrifyError, match=r"no label 'barier' \(did you mean 'barrier'\?\)"):
        load_structures(path, ["Cu", "Zr"], "barier")
    with pytest.raises(VitrifyError, match="no atom of Cu, Zr has a label"):
        load_structures(fill(tmp_path / "none.h5", []), ["Cu", "Zr"], "barrier")


def test_a_model_learns_from_the_atoms_that_have_labels(tmp_path: Path) -> None:
    """The deviation of a run on four glasses in which a third of the atoms were searched, and of those alone."""
    names = "abcd"
    for seed, name in enumerate(names):
        glass(tmp_path / f"{name}.npz", seed)
        with np.load(tmp_path / f"{name}.npz") as file:
            full = {key: file[key] for key in file.files}
        barriers = full.pop("barrier")
        searched = range(seed, len(barriers), 3)
        given = {"positions": full["positions"], "cell": np.diag(full["box"]), "types": full["types"] - 1}
        with LabelWriter(tmp_path / f"{name}.h5", HEADER, **given, species=("Cu", "Zr")) as writer:
            for atom in searched:
                writer.append(replace(search(atom, 1), moved=EMPTY[:, 0], saddle=EMPTY, minimum=EMPTY,
                                      barrier=float(barriers[atom]), outcome="accepted"))  # fmt: skip
    config = CONFIG.replace("VARIANT", f"exact, {SMALL}, members: 2, fields: 2, hidden: 4").replace(".npz", ".h5")
    (tmp_path / "exact.yaml").write_text(config)
    assert train(tmp_path / "exact.yaml", tmp_path / "run")
    run = load_run(tmp_path / "run")
    unseen = load_structures(tmp_path / "d.h5", ["Cu", "Zr"], "barrier")[0]
    graph = build_structure_graph(unseen.positions, unseen.cell, unseen.types, run.model.cutoff)
    with torch.no_grad():
        value = run.model(*graph)[0].numpy()
    known = unseen.labelled
    assert known.sum() == 39
    error = (value - unseen.labels)[known]
    assert run.metrics["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert run.metrics["pearson"] > 0.3
