"""Configurations that are no configurations: each is refused at once, in one line that names the place."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from vitrify.core.errors import VitrifyError
from vitrify.training.config import load_config
from vitrify.training.yaml_text import DEEPEST, LARGEST, parse_yaml, read_yaml

GOOD = """
kind: ogn
model: {variant: pair, layers: 3}
data: {train: [a.h5], validation: [b.h5], stride: 5}
training: {max_steps: 10}
"""
LAUGHS = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}}}\n" for i in range(1, 40))

# What the file holds, the line that the message names (None: no line of the file), words of the message.
WRONG = {
    "a day that there is not": ("kind: ogn\ndata: 2024-99-99\n", 2, "no timestamp"),
    "no whole number": ("kind: !!int xyz\n", 1, "'xyz' is no int"),
    "an empty whole number": ("kind: !!int ''\n", 1, "is no int"),
    "no number": ("kind: !!float a.b\n", 1, "is no float"),
    "no truth": ("kind: !!bool perhaps\n", 1, "is no bool"),
    "no time": ("kind: !!timestamp soon\n", 1, "is no timestamp"),
    "no base 64": ("kind: !!binary '*'\n", None, "is unknown"),
    "5000 digits": (f"\nmodel: {'7' * 5000}\n", 2, "is no int"),
    "minutes of 6000 digits": (f"model: 1{':59' * 3000}.5\n", 1, "is no float"),
    "5000 brackets": ("kind: ogn\nmodel: " + "[" * 5000, 2, f"more than {DEEPEST}"),
    "5000 braces": ("model: " + "{a: " * 5000, 1, f"more than {DEEPEST}"),
    "5000 lists": ("- " * 5000, 1, f"more than {DEEPEST}"),
    "aliases": (LAUGHS, 2, r"\*a0 is an alias"),
    "an alias of itself": ("a: &a {b: *a}\n", 1, r"\*a is an alias"),
    "an alias of nothing": ("kind: ogn\nmodel: *none\n", 2, "alias"),
    "merged keys": ("base: &b {layers: 1}\nmodel: {<<: *b}\n", 2, r"\*b is an alias"),
    "tabs": ("model:\n\tlayers: 1\n", 2, "indent with spaces"),
    "an open bracket": ("kind: [\n", 2, "not a YAML file"),
    "an open quote": ("kind: 'ogn\n", 2, "not a YAML file"),
    "two documents": ("kind: ogn\n---\nkind: ogn\n", 2, "second document"),
    "a tag of Python": ("kind: !!python/object/apply:os.system [ls]\n", 1, "without a tag"),
    "a tag of its own": ("kind: !ogn x\n", 1, "without a tag"),
    "a key twice": ("kind: ogn\nkind: ogn\n", 2, "'kind' is given twice, again in line 2"),
    "a key twice inside": ("model:\n  layers: 1\n  layers: 2\n", 3, "'layers' is given twice"),
    "a list as a key": ("? [a, b]\n: 1\n", 1, "is no key"),
    "a control character": ("kind: ogn\nmodel: \x01\n", 2, "delete it"),
    "a zero byte": ("kind: ogn\n\n\0\n", 3, "delete it"),
    "bytes that are no text": (b"kind: ogn\nmodel: \xff\xfe\n", 2, "save it as UTF-8"),
    "half of UTF-16": ("kind: ogn".encode("utf-16")[:-1], 1, "no text"),
    "a list": ("- kind\n", None, "wanted the keys"),
    "a word": ("kind\n", None, "wanted the keys"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), 1, "no text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_configuration_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    content, line, words = WRONG[name]
    path = tmp_path / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.monotonic()
    with pytest.raises(VitrifyError, match=words) as error:
        load_config(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 500
    assert line is None or f"line {line}" in message
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_configuration_is_read_in_each_encoding_that_yaml_has(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(GOOD.replace("a.h5", "Gläser.h5").encode(encoding))
    assert load_config(path).data.train == (tmp_path / "Gläser.h5",)


def test_keys_are_texts_whatever_yaml_would_make_of_them() -> None:
    assert parse_yaml("{on: 1, 2: 3, No: x, 2024-01-01: y}", "here") == {"on": 1, "2": 3, "No": "x", "2024-01-01": "y"}


def test_large_files_and_folders_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with (path := tmp_path / "large.yaml").open("wb") as file:
        file.truncate(10**10)  # takes no room on the disk
    with pytest.raises(VitrifyError, match=f"larger than {LARGEST // 1000} kB"):
        read_yaml(path)
    with pytest.raises(VitrifyError, match="is a folder"):
        read_yaml(tmp_path)
    with pytest.raises(VitrifyError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "override",
    [
        "training.seed=[", "training.seed=2024-99-99", "=", "=1", "training", "training.=1", ".seed=1", "..=",
        "training.seed=&a [*a]", "training.seed={a: 1, a: 2}", "training.seed=!!int x", "training.seed=\t[",
        "training.seed=1\n---\n2", "training.seed=\0", f"training.seed={'9' * 5000}", f"training.seed={'[' * 5000}",
        "training.seed=-1", "training.seed=1.5", "training.seed=1e400", "training.seed=.nan", f"training.seed={2**64}",
        f"training.max_steps=0x{'f' * 5000}", "training.learning_rate=.inf", "training.learning_rate=1e400",
        "training.learning_rate=nan", "training.batch_size=1000000000", "training.workers=100000", "training.sed=1",
        "trainin.seed=1", "kind=ogm", "kind.a=1", "data.stride=0", "data.stride=5 steps", "data=1", "data.train=a",
        "data.train=[]", "data.train=[[a]]", "training=", "model=[1]",
    ],
)  # fmt: skip
def test_wrong_overrides_are_one_line(override: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    with pytest.raises(VitrifyError) as error:
        load_config(path, [override])
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_an_override_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    with pytest.raises(VitrifyError, match=r"training.seed is given twice"):
        load_config(path, ["training.seed=1", "training.seed=2"])


def test_keys_near_the_right_one_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    for override, wanted in {"training.sed=1": "seed", "data.strid=1": "stride", "trainin.seed=1": "training"}.items():
        with pytest.raises(VitrifyError, match=f"did you mean '{wanted}'"):
            load_config(path, [override])


def test_garbage_never_raises_anything_else() -> None:
    """All texts of three of YAML's own characters."""
    for parts in itertools.product("[]{}:,-?!&*|>'\"%@`#\t \n.1ea<~=", repeat=3):
        text = "".join(parts)
        for whole in (text, f"a: {text}"):
            try:
                parse_yaml(whole, "here")
            except VitrifyError as error:
                assert "\n" not in str(error)
