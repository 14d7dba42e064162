"""Files with structures on the command line: errors and notes in one line, patterns, and the style of atoms by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitrify.cli.main import app

runner = CliRunner()
MODEL = str(Path(__file__).parents[2] / "potentials" / "Cu64Zr36.symgnn.pt")
HEAD = "t\n\n{} atoms\n2 atom types\n0 {} xlo xhi\n0 {} ylo yhi\n0 {} zlo zhi\n\nAtoms\n\n"


def glass(path: Path, row: str) -> Path:
    """A simple cubic crystal of 64 atoms, with labels beside it. row: with {i}, {t} and {x}."""
    n, spacing = 4, 2.6
    places = [(a, b, c) for a in range(n) for b in range(n) for c in range(n)]
    rows = [
        row.format(i=i, t=1 + (sum(place) % 3 == 0), x=" ".join(str(spacing * k) for k in place))
        for i, place in enumerate(places, 1)
    ]
    path.write_text(HEAD.format(len(rows), *[n * spacing] * 3) + "\n".join(rows) + "\n")
    labels = "\n".join(f"{i},{1 + 0.1 * (i % 7)}" for i in range(1, len(rows) + 1))
    path.with_name(f"{path.stem}.barrier.csv").write_text(labels + "\n")
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = runner.invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_errors_and_notes_are_lines(tmp_path: Path) -> None:
    glass(tmp_path / "one.data", "{i} {t} {x}")
    status, output = run("evaluate", MODEL, "--data", tmp_path / "*.data", "--out", tmp_path / "o")
    assert status == 0, output
    notes = [line for line in output.splitlines() if line.startswith("note: ")]
    assert notes[0] == (
        f"note: {tmp_path / 'one.data'}: the section Atoms names no atom style, and was read as atomic (id type x y z)"
    )
    assert all("unlike the training data" in note for note in notes[1:])  # a lattice
    (tmp_path / "two.dump").write_text("once\n")
    status, output = run("evaluate", MODEL, "--data", tmp_path / "two.dump", "--out", tmp_path / "o")
    assert (status, output.count("\n")) == (1, 1)
    assert output.startswith(f"vitrify: {tmp_path / 'two.dump'}, line 1: this is no LAMMPS text dump")


@pytest.mark.parametrize("style", ["charge", "molecular"])
def test_the_style_of_atoms_by_name(style: str, tmp_path: Path) -> None:
    """Columns that are ids of molecules or types, types or charges; the two readings have other compositions."""
    path = glass(tmp_path / "g.data", "{i} {t} 1 {x}")
    status, output = run("evaluate", MODEL, "--data", path, "--atom-style", style, "--out", tmp_path / "o")
    assert status == 0, output
    metrics = (tmp_path / "o" / "metrics.json").read_text()
    assert ('"Zr": 0.0' in metrics) == (style == "molecular")
