"""The compiled core: the reader of model files."""

from __future__ import annotations

import json
import pickle
import random
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from lammps_inputs.fix_ogn import lj_liquid, lj_model
from toy_ogn import metadata_of, save
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.plugin import path as plugin_path


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    return metadata_of(lj_model(), lj_liquid((3, 3, 3)), "lj", ["A", "B"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, Any]) -> Path:
    return save(lj_model(), metadata, tmp_path_factory.mktemp("core") / "toy.pt")


def rewrite(source: Path, target: Path, **changes: Any) -> Path:
    """A copy of an archive; `changes` are arguments of writestr."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), **changes)
    return target


def test_the_metadata_come_back_as_written(model: Path, metadata: dict[str, Any]) -> None:
    assert json.loads(_core.read_metadata(str(model))) == metadata


def test_an_archive_of_torch_itself_is_refused(tmp_path: Path, model: Path, metadata: dict[str, Any]) -> None:
    # torch writes zip64 records, pads them, and compresses code, which is refused
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated upstream
        raw = torch.jit.load(str(model))
        torch.jit.save(raw, str(tmp_path / "raw.pt"), _extra_files={"vitrify.json": json.dumps(metadata)})
    with pytest.raises(VitrifyError, match=r"has no vitrify\.json that vitrify has written"):
        _core.read_metadata(str(tmp_path / "raw.pt"))
    torch.save({"weights": torch.zeros(3)}, tmp_path / "weights.pt")
    with pytest.raises(VitrifyError, match=r"has no vitrify\.json that vitrify has written"):
        _core.read_metadata(str(tmp_path / "weights.pt"))


def test_every_truncation_is_refused(tmp_path: Path, model: Path) -> None:
    whole = model.read_bytes()
    damaged = tmp_path / "damaged.pt"
    rng = random.Random(1)
    for length in [0, 1, 4, 22, 30, len(whole) - 1, *rng.sample(range(len(whole)), 60)]:
        damaged.write_bytes(whole[:length])
        with pytest.raises(VitrifyError, match=r"damaged\.pt"):
            _core.read_metadata(str(damaged))


def test_no_flipped_byte_crashes_or_changes_what_is_read(tmp_path: Path, model: Path) -> None:
    whole = model.read_bytes()
    text = _core.read_metadata(str(model))
    damaged = tmp_path / "damaged.pt"
    directory = whole.rindex(b"PK\x05\x06") - 3000
    rng = random.Random(2)
    places = rng.sample(range(len(whole)), 300) + rng.sample(range(directory, len(whole)), 600)
    refused = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << rng.randrange(8)
        damaged.write_bytes(bytes(content))
        try:
            assert _core.read_metadata(str(damaged)) == text  # a byte that nobody reads, such as a date
        except (VitrifyError, UnicodeDecodeError):
            refused += 1
    assert refused > 300


def test_containers_that_are_not_ours(tmp_path: Path, model: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(VitrifyError) as caught:
            _core.read_metadata(str(path))
        return str(caught.value)

    assert "does not exist" in message(tmp_path / "nowhere.pt")
    assert "not a regular file" in message(tmp_path)
    (tmp_path / "text.pt").write_text("hello")
    assert "not a model file" in message(tmp_path / "text.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps([1]))
    assert "pickle" in message(tmp_path / "pickle.pt")
    assert "compressed" in message(rewrite(model, tmp_path / "packed.pt", compress_type=zipfile.ZIP_DEFLATED))

    twice = rewrite(model, tmp_path / "twice.pt")
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"")
    assert "twice" in message(twice)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema": 2}, "schema is 2, .* reads schema 1: update vitrify"),
        ({"schema": 0}, "schema is 0, .* reads schema 1: export the model again"),
        ({"kind": "vae"}, 'kind is "vae"'),
        ({"units": "real"}, 'units is "real", .* "lj" or "metal"'),
        ({"dtype": "float16"}, 'dtype is "float16"'),
        ({"masses": [1.0]}, "one mass for each species"),
        ({"masses": [1.0, -1.0]}, "masses must be positive"),
        ({"cutoff": 0.0}, "cutoff must be positive"),
        ({"cutoff": "wide"}, "damaged or incomplete"),
        ({"layers": 0}, "layers is 0, not a whole number from 1"),
        ({"timestep": -0.1}, "timestep must be positive"),
        ({"reference": {}}, "damaged or incomplete"),
    ],
)
def test_metadata_that_make_no_sense(
    tmp_path: Path, metadata: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    save(lj_model(), {**metadata, **change}, tmp_path / "bad.pt")
    with pytest.raises(VitrifyError, match=expected):
        _core.read_metadata(str(tmp_path / "bad.pt"))


def test_the_plugin_is_where_lmp_looks() -> None:
    folder = Path(plugin_path())
    assert (folder / "vitrifyplugin.so").is_file()
    assert (folder / "libvitrify_torch.so").is_file()
