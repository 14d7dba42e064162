"""Networks that are built again from the metadata and the weights of a file, without its program."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import model_files
import symgnn_variants
import toy_glassvae
import toy_samples
from changed_files import with_entry, with_metadata
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.replay import check_reference
from vitrify.engines.torchscript import TorchModel
from vitrify.export.write import export_model
from vitrify.modelfile.archive import open_archive, shipped_models
from vitrify.modelfile.metadata import Validity
from vitrify.modelfile.trust import is_trusted
from vitrify.models import build_model

Writer = Callable[[Path], TorchModel]


def ogn(variant: str) -> Writer:
    return lambda path: model_files.export(path, variant)


def symgnn(name: str) -> Writer:
    def write(path: Path) -> TorchModel:
        model: Any = symgnn_variants.make_model(name)
        return export_model(
            model.exportable(), path, kind="symgnn", variant=symgnn_variants.CONFIGS[name]["variant"], units="metal",
            species=("Cu", "Zr"), dtype="float64", property={"name": "barrier", "unit": "eV"},
            validity=Validity(number_density=(0.055, 0.065), composition={"Cu": (0.2, 0.8), "Zr": (0.2, 0.8)}),
        )  # fmt: skip

    return write


def amshortcut(name: str) -> Writer:
    names = ("number_density", "fraction:Si", "fraction:O", "stiffness", "ring_size")
    statistics = {"names": names, "mean": (0.066, 1 / 3, 2 / 3, 30.0, 6.0), "covariance": np.eye(5).tolist()}
    units = {"stiffness": "GPa", "ring_size": ""}

    def write(path: Path) -> TorchModel:
        return export_model(
            toy_samples.make_generator(name), path, kind="amshortcut", variant=toy_samples.CONFIGS[name]["variant"],
            species=("Si", "O"), units="metal", dtype="float64", masses=(28.085, 15.999), statistics=statistics,
            properties=[{"name": name, "unit": unit, "range": (1.0, 50.0)} for name, unit in units.items()],
            validity=Validity(number_density=(0.05, 0.08), composition={"Si": (0.3, 0.4), "O": (0.6, 0.7)}),
        )  # fmt: skip

    return write


def glassvae(settings: dict[str, Any]) -> Writer:
    def write(path: Path) -> TorchModel:
        torch.manual_seed(1)
        model = build_model("glassvae", settings, toy_glassvae.SYSTEM).double().eval()
        return export_model(
            model, path, kind="glassvae", variant=settings["variant"], species=("Cu", "Au"), units="metal",
            dtype="float64", masses=toy_glassvae.SYSTEM.masses, validity=toy_glassvae.VALIDITY,
        )  # fmt: skip

    return write


SMALL = {"cutoff": 3.6, "width": 8, "latent": 4, "atoms": 32}
WRITERS: dict[str, Writer] = {
    **{f"ogn {name}": ogn(name) for name in ("pair", "paper")},
    **{f"symgnn {name}": symgnn(name) for name in symgnn_variants.CONFIGS},
    **{f"amshortcut {name}": amshortcut(name) for name in toy_samples.CONFIGS},
    "glassvae paper": glassvae({"variant": "paper", "layers": 2, **SMALL}),
    "glassvae distance": glassvae({"variant": "distance", **SMALL}),
    "glassvae equivariant": toy_glassvae.write,
}
QUICK = ("ogn pair", "symgnn exact", "amshortcut flow", "glassvae equivariant")


def stranger(source: Path, target: Path) -> Path:
    """The same model in a file that nobody knows: its dates differ."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, (1999, 1, 1, 0, 0, 0)), old.read(name))
    assert not is_trusted(open_archive(target))
    return target


@pytest.fixture
def never_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("torch got the program of a stranger")

    monkeypatch.setattr(torch.jit, "load", load)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WRITERS]
)
def test_every_variant_is_built_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = WRITERS[name](tmp_path / "own.pt")
    assert is_trusted(open_archive(own.path)), "own exports are trusted"
    assert own.metadata.network["variant"] == own.metadata.variant
    unknown = stranger(own.path, tmp_path / "unknown.pt")
    monkeypatch.setattr(torch.jit, "load", None)
    again = load_model(unknown)
    assert check_reference(again) == pytest.approx(check_reference(own), abs=1e-12)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_files_have_what_rebuilds_them(name: str) -> None:
    from vitrify.engines.rebuild import rebuilt_network
    from vitrify.modelfile.metadata import parse_metadata

    path = shipped_models()[name]
    archive = open_archive(path)
    metadata = parse_metadata(archive.metadata_text, path)
    state = rebuilt_network(path, archive, metadata).state_dict()
    program = load_model(path).module.state_dict()
    assert state.keys() == program.keys()
    assert all(torch.equal(state[key], program[key]) for key in state)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_files.export(tmp_path_factory.mktemp("own") / "own.ogn.pt", "paper").path


def settings(**changes: Any) -> dict[str, Any]:
    known = {"variant": "paper", "cutoff": 2.0, "layers": 2, "width": 64}
    return {"network": {**known, **changes}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (settings(width=32), "the settings of its network make"),
        (settings(width=256, layers=256), "(cannot be built again .*GB|its network make)"),
        (settings(layers=3), "the settings of its network make"),
        (settings(width=10**9), "its weights have at most"),
        (settings(layers=10**12), "its weights have at most"),
        (settings(width=-5), "greater than or equal to 1"),
        (settings(width="wide"), "valid integer"),
        (settings(depth=3), "depth is not a setting"),
        (settings(cutoff=-1.0), "greater than 0"),
        ({"network": {"far": [[1]] * 5000}}, "5000 values"),
        ({"network": {}, "provenance": {}}, "lacks the weights or the settings"),
        ({"network": {}, "provenance": {"config": {"model": "pair"}}}, "lacks the weights or the settings"),
        ({"variant": "unknown"}, "variant 'unknown' of ogn is unknown"),
    ],
)
@pytest.mark.usefixtures("never_load")
def test_settings_that_make_no_sense(change: dict[str, Any], message: str, own: Path, tmp_path: Path) -> None:
    path = with_metadata(own, tmp_path / "bad.pt", **change)
    with pytest.raises(VitrifyError, match=message) as caught:
        load_model(path)
    assert str(caught.value).isprintable()


def _header(text: bytes, **first: Any) -> bytes:
    """The weights with another description of the first tensor."""
    length = int.from_bytes(text[:8], "little")
    header = json.loads(text[8 : 8 + length])
    name = next(key for key in header if key != "__metadata__")
    header[name].update(first)
    changed = json.dumps(header).encode()
    return len(changed).to_bytes(8, "little") + changed + text[8 + length :]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:4],
        lambda text: text[:-4],
        lambda text: (2**62).to_bytes(8, "little") + text[8:],
        lambda text: _header(text, shape=[2**40, 2**40]),
        lambda text: _header(text, dtype="F8_E5M2"),
        lambda text: _header(text, dtype="I16"),
        lambda text: _header(text, data_offsets=[0, 2**50]),
        lambda text: _header(text, data_offsets=[-4, 4]),
        lambda text: b"\x02\0\0\0\0\0\0\0{}",
    ],
)
@pytest.mark.usefixtures("never_load")
def test_weights_that_make_no_sense(change: Callable[[bytes], bytes], own: Path, tmp_path: Path) -> None:
    path = with_entry(own, tmp_path / "bad.pt", ".safetensors", change)
    with pytest.raises(VitrifyError) as caught:
        load_model(path)
    assert str(caught.value).isprintable()


@pytest.mark.usefixtures("never_load")
def test_old_files_without_weights_need_trust_and_say_so(own: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    with zipfile.ZipFile(own) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if not name.endswith(".safetensors"):
                new.writestr(name, old.read(name))
    with pytest.raises(VitrifyError, match=r"as older files do: not loaded; .* give trust=True"):
        load_model(path)


def test_trust_loads_the_program(own: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    with zipfile.ZipFile(own) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if not name.endswith(".safetensors"):
                new.writestr(name, old.read(name))
    assert check_reference(load_model(path, trust=True)) < 1e-5
