"""Files that the native engine for latent models cannot run: one clear error each, and never a crash."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_export import rewrite
from test_native_glassvae import glass, system_of, write, write_model
from test_native_ogn_files import with_header

from glass_files import write_glass
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.engines.open import engines_of, open_model
from vitrify.glassvae.native import NativeGlassVAE
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.models import build_model


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in double precision."""
    return write(tmp_path_factory.mktemp("native_glassvae") / "network.pt")


def test_a_variant_that_has_no_native_weights(tmp_path: Path) -> None:
    paper = build_model("glassvae", {"variant": "distance"}, system_of(2)).eval()
    path = write_model(tmp_path / "d.pt", paper, 2, "float32", "distance")
    assert engines_of(path) == ("torch",) and isinstance(open_model(path, kind="glassvae"), TorchGlassVAE)
    for opener in (lambda: open_model(path, "native", kind="glassvae"), lambda: _core.NativeGlassVAE(str(path))):
        with pytest.raises(VitrifyError, match=r"variant distance\).*: use engine torch"):
            opener()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("energy.species"), "has no energy.species"),
        (lambda h: h["least"].update(dtype="I64"), "least as I64"),
        (lambda h: h["least"].update(shape=[4]), r"shape \(4\) of least, not \(2, 2\)"),
        (lambda h: h["invariants.mix"].update(shape=[16, 16]), "of invariants.mix, not"),
        (lambda h: h["reference"].update(data_offsets=[0]), "wrong offsets of reference"),
    ],
)
def test_weights_that_contradict_their_header(change: Any, message: str, network: Path, tmp_path: Path) -> None:
    path = with_header(network, tmp_path / "bad.pt", change)
    with pytest.raises(VitrifyError, match=rf"bad\.pt.*({message}).*export the model again"):
        NativeGlassVAE(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 12}, "node_width is 33"),
        ({"width": 4}, "width is 4"),
        ({"hidden": 1.5}, "hidden is 1.5"),
        ({"splines": 10**9}, "splines is 1000000000"),
        ({"summary": 5}, "edge_path.weight"),
        ({"latent": 5}, "contradict"),
        ({"start": 9.0}, "contradict"),
        ({"start": "far"}, "hyperparameters are damaged"),
    ],
)
def test_hyperparameters_that_make_no_sense(
    changes: dict[str, Any], message: str, network: Path, tmp_path: Path
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("vitrify.json"):
            return content
        document = json.loads(content)
        document["hyperparameters"].update(changes)
        return json.dumps(document).encode()

    with pytest.raises(VitrifyError, match=message):
        NativeGlassVAE(rewrite(network, tmp_path / "bad.pt", change))


def test_damaged_weights_never_crash(network: Path, tmp_path: Path) -> None:
    """Cut or changed anywhere, with checksums that hold: one clear error, or other numbers."""
    rng, path, refused = random.Random(3), tmp_path / "bad.pt", 0
    for trial in range(60):

        def damage(name: str, content: bytes, trial: int = trial) -> bytes:
            if not name.endswith(".safetensors"):
                return content
            if trial % 3 == 0:
                return content[: rng.randrange(len(content))]
            changed, header = bytearray(content), 8 + int.from_bytes(content[:8], "little")
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(header if trial % 3 == 1 else len(content))] = rng.randrange(256)
            return bytes(changed)

        rewrite(network, path, damage)
        try:
            NativeGlassVAE(path).predict(*glass(1))
        except VitrifyError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 20


def test_arguments_that_make_no_sense(network: Path, tmp_path: Path) -> None:
    native, (positions, cell, types) = NativeGlassVAE(network), glass(1)
    for case, message in [
        ((positions[:, :2], cell, types), r"positions \(N, 3\)"),
        ((positions, cell[:2], types), r"cell \(3, 3\)"),
        ((positions, cell, types + 5), "has the type [56]: the model has 2 species"),
        ((positions * np.nan, cell, types), "NaN"),
        ((positions, 0 * cell, types), "no volume"),
    ]:
        with pytest.raises(VitrifyError, match=message):
            native.predict(*case)
    with pytest.raises(VitrifyError, match="is of kind amshortcut, not glassvae"):
        _core.NativeGlassVAE(str(write_glass(tmp_path / "g.pt")))
