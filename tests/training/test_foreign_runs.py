"""Folders of runs that something else has made, cut files, and files of another kind: one line that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from small_runs.train import trained
from vitrify.cli.main import app
from vitrify.training.checkpoint import BEST, LAST, LOG

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("pair", tmp_path_factory.mktemp("run"))


def saved(content: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Writes a checkpoint of ours with a change."""

    def write(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return write


def info(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def make(content: dict[str, Any]) -> None:
        found = json.loads(content["info"])
        change(found)
        content["info"] = json.dumps(found)

    return changed(make)


FOREIGN: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:3000]),
    "weights alone": saved({"layer.weight": torch.zeros(3, 3)}),
    "of lightning": saved({"epoch": 3, "global_step": 7, "state_dict": {}, "pytorch-lightning_version": "2.1"}),
    "a tensor": saved(torch.zeros(3)),
    "a list": saved([1, 2]),
    "progress of another": changed(lambda content: content["progress"].update(lr=1.0)),
    "no progress": changed(lambda content: content.update(progress=7)),
    "no info": changed(lambda content: content.pop("info")),
    "info that is no text": changed(lambda content: content.update(info=3)),
    "info that is no JSON": changed(lambda content: content.update(info="{")),
    "info that is a list": changed(lambda content: content.update(info="[]")),
    "no configuration": info(lambda found: found.pop("config")),
    "a configuration of nothing": info(lambda found: found.update(config={})),
    "no weights": changed(lambda content: content.pop("averaged")),
    "other weights": changed(lambda content: content.update(averaged={"model.x": torch.zeros(2)})),
    "weights that are none": changed(lambda content: content.update(averaged={"model.x": "y"})),
}


def one_line(arguments: list[str], name: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert name in lines[-1] and "internal error" not in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("case", FOREIGN)
def test_export_names_a_foreign_checkpoint(run: Path, case: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    FOREIGN[case](folder / BEST)
    one_line(["export", str(folder), "-o", str(tmp_path / "m.pt")], BEST)
    assert not (tmp_path / "m.pt").exists()


@pytest.mark.parametrize("case", FOREIGN)
def test_training_names_a_foreign_checkpoint(run: Path, case: str, tmp_path: Path) -> None:
    shutil.copytree(run.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / run.name
    FOREIGN[case](folder / LAST)
    config = next((tmp_path / "copy").glob("*.yaml"))
    one_line(["train", str(config), "--out", str(folder)], LAST)


@pytest.mark.parametrize("text", ["epoch,loss\none,2\n", "\x00\x01\n\x02\n", "step\n,\n"])
def test_training_names_a_foreign_log(run: Path, text: str, tmp_path: Path) -> None:
    shutil.copytree(run.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / run.name
    (folder / LOG).write_bytes(text.encode() + b"\n")
    config = next((tmp_path / "copy").glob("*.yaml"))
    one_line(["train", str(config), "--out", str(folder)], LOG)


def test_training_names_a_log_that_is_no_text(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run.parent, tmp_path / "copy")
    folder = tmp_path / "copy" / run.name
    (folder / LOG).write_bytes(b"step\n\xff\xfe1,2\n")
    one_line(["train", str(next((tmp_path / "copy").glob("*.yaml"))), "--out", str(folder)], LOG)
