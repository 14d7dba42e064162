"""Configurations: what is read, and that each mistake gives one error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from vitrify.core.errors import VitrifyError
from vitrify.training.config import TrainingConfig, differences, load_config

GOOD = """
kind: ogn
model: {variant: pair, layers: 1}
data: {train: [a.h5], validation: [sub/b.h5], stride: 5}
training: {max_steps: 10, learning_rate: 1e-3}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    path = write(GOOD)
    monkeypatch.chdir("/")
    config = load_config(path)
    assert config.data.train == (tmp_path / "a.h5",)
    assert config.data.validation == (tmp_path / "sub" / "b.h5",)
    assert config.training.learning_rate == 1e-3  # YAML 1.1 reads 1e-3 as text
    assert config.model == {"variant": "pair", "layers": 1}


def test_overrides_are_applied_and_checked(write):
    path = write(GOOD)
    config = load_config(path, ["training.max_steps=7", "training.max_time=00:01:30", "model.layers=3"])
    assert (config.training.max_steps, config.training.max_time, config.model["layers"]) == (7, 90.0, 3)
    for bad, message in (
        ("training.max_stps=7", "max_steps"),
        ("training", "KEY=VALUE"),
        ("kind.x=1", "a value"),
    ):
        with pytest.raises(VitrifyError, match=message):
            load_config(path, [bad])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('"00:40:00"', 2400),
        ("00:40:00", 2400),
        ("1:00:00", 3600),
        ("10:30", 630),
        ("90", 90),
        ("12:00:01", 43201),
    ],
)
def test_durations(write, text, seconds):
    config = load_config(write(GOOD.replace("max_steps: 10", f"max_time: {text}")))
    assert config.training.max_time == seconds


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        (
            "learning_rate",
            "learning_rat",
            ["unknown key 'training.learning_rat'", "did you mean 'learning_rate'"],
        ),
        ("stride: 5", "strid: 5", ["data.strid", "did you mean 'stride'"]),
        ("kind: ogn", "knd: ogn", ["'knd'", "did you mean 'kind'"]),
        ("stride: 5", "wombat: 5, stride: 5", ["data.wombat", "known: train, validation, stride"]),
        ("stride: 5", "time_reversal: true", ["'data.stride' is missing"]),
        ("stride: 5", "stride: many", ["data.stride", "'many'", "integer"]),
        ("stride: 5", "stride: 0", ["data.stride", "got 0", "greater than or equal to 1"]),
        ("max_steps: 10,", "", ["training", "max_steps or max_time"]),
        ("1e-3", "1e-9", ["final_learning_rate is above learning_rate"]),
        ("1e-3", ".nan", ["training.learning_rate", "finite"]),
        ("1e-3", "1e-3, schedule: linear", ["training.schedule", "'linear'", "'cosine' or 'exponential'"]),
        ("sub/b.h5", "a.h5", ["a.h5 is in both train and validation"]),
        ("train: [a.h5]", "train: []", ["data.train", "at least 1"]),
        ("stride: 5", "stride: 5, stride: 6", ["'stride' is given twice, again in line 4"]),
        ("kind: ogn", "kind: [", ["not a YAML file"]),
        ("{max_steps: 10, learning_rate: 1e-3}", "5", ["training: got 5", "TrainingConfig"]),
    ],
)
def test_each_mistake_is_one_clear_error(write, old, new, parts):
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    with pytest.raises(VitrifyError) as error:
        load_config(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    for part in parts:
        assert part in message


def test_a_missing_or_empty_file_is_refused(write, tmp_path):
    with pytest.raises(VitrifyError, match="no such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(VitrifyError, match="wanted the keys kind, model"):
        load_config(write(""))


def test_sections_are_frozen():
    config = TrainingConfig(max_steps=1)
    with pytest.raises(ValidationError, match="frozen"):
        config.max_steps = 2  # type: ignore[misc]


def test_differences_name_the_place():
    old, new = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": None}
    assert differences(old, new) == ["a.c: 2, now 3", "d: [1], now None"]
