"""What benchmarks share: pages with tables, journals, timed predictions in a process of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.output import append, page, publish, read_journal
from benchmarks.common.predictions import jittered_lattice, measure


def test_pages_and_results_lie_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page("Cost", "python -m benchmarks.cost", ["atoms", "s"], [["4", "0.1"], ["8", "0.2"]])
    assert text.splitlines()[-4:] == ["| atoms | s |", "| --- | --- |", "| 4 | 0.1 |", "| 8 | 0.2 |"]
    publish(tmp_path / "results", "cost", {"rows": [0.1, 0.2]}, text)
    assert (tmp_path / "results" / "cost.md").read_text() == text and text in capsys.readouterr().out
    assert json.loads((tmp_path / "results" / "cost.json").read_text()) == {"rows": [0.1, 0.2]}


def test_a_journal_drops_the_line_that_a_kill_has_cut(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert read_journal(journal) == []
    append(journal, {"seed": 1})
    with journal.open("a") as file:
        file.write('{"seed": 2')
    assert read_journal(journal) == [{"seed": 1}]
    append(journal, {"seed": 3})
    assert read_journal(journal) == [{"seed": 1}, {"seed": 3}]


def test_predictions_are_timed_where_the_processor_can(tmp_path: Path) -> None:
    positions, cell = jittered_lattice(64, 0.5, np.random.default_rng(0))
    assert positions.shape == (64, 3) and len(positions) / np.linalg.det(cell) == pytest.approx(0.5)
    script = "import json, os, sys; print(json.dumps({'repeats': int(sys.argv[3]), 'set': os.environ['VITRIFY_SIMD']}))"
    found = measure(script, tmp_path / "model", tmp_path / "case", 3, "avx2")
    assert found == {"repeats": 3, "set": "avx2"}
    assert measure("raise SystemExit('VITRIFY_SIMD is unknown here')", tmp_path, tmp_path, 3, "avx512") is None
    with pytest.raises(SystemExit, match="broken"):
        measure("raise SystemExit('broken')", tmp_path, tmp_path, 3, "")
