"""Files that a native engine cannot run: one clear error each, for every kind, and never a crash."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import native_models.glassvae
import native_models.ogn
import native_models.symgnn
from changed_files import Header, with_hyperparameters, with_random_damage, with_weights
from glass_files import write_glass
from vitrify import _core
from vitrify.core.errors import VitrifyError
from vitrify.engines.open import engines_of, open_model
from vitrify.glassvae.native import NativeGlassVAE
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.models import build_model
from vitrify.ogn.native import NativeOGN
from vitrify.symgnn.native import NativeSymGNN

Change = Callable[[Header, bytearray], object]


@dataclass(frozen=True)
class Kind:
    """How files of one kind are tested.

    write: writes a model in double precision with everything that a model of this kind can have. open: its native
    engine. use: a prediction. weights, hyperparameters: changes to the file, each with the error that it must bring.
    """

    write: Callable[[Path], Path]
    open: Callable[[Path], Any]
    use: Callable[[Any], object]
    weights: list[tuple[Change, str]]
    hyperparameters: list[tuple[dict[str, object], str]]


def write_ogn(path: Path) -> Path:
    return native_models.ogn.write(path, native_models.ogn.make_model("angles, two cutoffs"), "float64")


def write_symgnn(path: Path) -> Path:
    return native_models.symgnn.write(path, native_models.symgnn.make_model("network"), "float64")


def open_flow_network(path: Path) -> _core.NativeFlowNetwork:
    return _core.NativeFlowNetwork(str(path))


def use_flow_network(network: _core.NativeFlowNetwork) -> np.ndarray:
    rng, cell = np.random.default_rng(12), np.array([[11.0, 0, 0], [4.0, 10.0, 0], [-3.0, 2.0, 12.0]])
    case = cell, (3 * rng.random((12, 3)) - 1) @ cell, rng.integers(0, 2, 12)
    return network.velocity(*case, 0.5, 0.1, [30.0, 6.0], [1, 1])


def put_nan(header: Header, values: bytearray) -> None:
    (first, _) = header["readout"]["data_offsets"]
    values[first : first + 8] = struct.pack("<d", float("nan"))


KINDS = {
    "ogn": Kind(
        write=write_ogn,
        open=NativeOGN,
        use=lambda native: native.predict(*native_models.ogn.liquid(2)),
        weights=[
            (lambda h, v: h.pop("times"), "has no times|leave values out"),
            (lambda h, v: h["times"].update(dtype="I64"), "times as I64"),
            (lambda h, v: h["times"].update(dtype="F32"), "another size of times"),
            (lambda h, v: h["times"].update(shape=[2, 2]), "another size of times"),
            (lambda h, v: h["recall"].update(shape=[1, 25]), r"shape \(1, 25\) of recall, not \(5, 5\)"),
            (lambda h, v: h["recall"].update(shape=[2**40, 2**40]), "too large"),
            (lambda h, v: h["recall"].update(shape=[-1, 25]), "damaged header|too large"),
            (lambda h, v: h["times"].update(data_offsets=[8, 0]), "wrong offsets of times"),
            (lambda h, v: h["times"].update(data_offsets=[0, 2**60]), "wrong offsets of times"),
            (lambda h, v: h["times"].update(data_offsets=[0]), "wrong offsets of times"),
            (lambda h, v: h.update(times=7), "damaged header"),
        ],
        hyperparameters=[
            ({"channels": 3}, "make it"),
            ({"channels": 1.5}, "channels is 1.5"),
            ({"hidden": 0}, "hidden is 0"),
            ({"hidden": 10**9}, "hidden is 1000000000"),
            ({"basis": 17}, "filters.weight"),
            ({"cutoffs": [2.1]}, "contradict"),
            ({"cutoffs": [9.9] * 5}, "has the cutoff 9.9"),
            ({"moments": 2}, "contradict"),
            ({"reach": "far"}, "hyperparameters are damaged"),
        ],
    ),
    "symgnn": Kind(
        write=write_symgnn,
        open=NativeSymGNN,
        use=lambda native: native.predict(*native_models.symgnn.glass(2)),
        weights=[
            (lambda h, v: h.pop("centre"), "has no centre|leave values out"),
            (lambda h, v: h.pop("label_scale"), "has no label_scale|leave values out"),
            (lambda h, v: h["field_bias"].update(shape=[2, 5, 4]), r"shape \(2, 5, 4\) of field_bias, not \(2, 4, 5\)"),
            (lambda h, v: h["first_weight"].update(dtype="F32"), "another size of first_weight"),
            (lambda h, v: h["whiten"].update(shape=[1, 0]), r"shape \(1, 0\) of whiten"),
            (put_nan, "a value of readout that is not finite"),
            (lambda h, v: v.clear(), "wrong offsets"),
        ],
        hyperparameters=[
            ({"basis": 11}, r"of centre, not \("),
            ({"degree": 1.5}, "degree is 1.5"),
            ({"degree": 4000}, "degree is 4000"),
            ({"degree": 32, "basis": 4096}, "centre"),
            ({"fields": 0}, "fields is 0"),
            ({"fields": 3}, "make it 12"),
            ({"inner": 9.0}, "contradict"),
            ({"core": "near"}, "hyperparameters are damaged"),
        ],
    ),
    "amshortcut": Kind(
        write=write_glass,
        open=open_flow_network,
        use=use_flow_network,
        weights=[
            (lambda h, v: h.pop("blocks.1.mix"), "has no blocks.1.mix|leave values out"),
            (lambda h, v: h["gate.weight"].update(shape=[4, 16]), r"shape \(4, 16\) of gate.weight, not \(8, 8\)"),
            (lambda h, v: h["embedding"].update(dtype="I64"), "embedding as I64"),
            (lambda h, v: h["blocks.0.filters.weight"].update(shape=[2**40, 2**40]), "too large"),
            (lambda h, v: h["condition.null"].update(data_offsets=[8, 0]), "wrong offsets of condition.null"),
        ],
        hyperparameters=[
            ({"width": 16}, "node_width is 8, but"),
            ({"width": 12}, "width is 12, not a multiple of 8"),
            ({"width": 10**9}, "width is 1000000000"),
            ({"splines": 0}, "splines is 0"),
            ({"splines": 9}, "filters.weight"),
            ({"condition": 16}, r"condition\.times\.weight"),
            ({"condition": "wide"}, "hyperparameters are damaged"),
        ],
    ),
    "glassvae": Kind(
        write=native_models.glassvae.write,
        open=NativeGlassVAE,
        use=lambda native: native.predict(*native_models.glassvae.glass(1)),
        weights=[
            (lambda h, v: h.pop("energy.species"), "has no energy.species|leave values out"),
            (lambda h, v: h["least"].update(dtype="I64"), "least as I64"),
            (lambda h, v: h["least"].update(shape=[4]), r"shape \(4\) of least, not \(2, 2\)"),
            (lambda h, v: h["invariants.mix"].update(shape=[16, 16]), "of invariants.mix, not"),
            (lambda h, v: h["reference"].update(data_offsets=[0]), "wrong offsets of reference"),
        ],
        hyperparameters=[
            ({"width": 12}, "node_width is 33"),
            ({"width": 4}, "width is 4"),
            ({"hidden": 1.5}, "hidden is 1.5"),
            ({"splines": 10**9}, "splines is 1000000000"),
            ({"summary": 5}, "edge_path.weight"),
            ({"latent": 5}, "contradict"),
            ({"start": 9.0}, "contradict"),
            ({"start": "far"}, "hyperparameters are damaged"),
        ],
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model file of each kind."""
    folder = tmp_path_factory.mktemp("native_files")
    return {name: kind.write(folder / f"{name}.pt") for name, kind in KINDS.items()}


def cases(what: str) -> list[Any]:
    """Kind, change and message of every entry of a list of the table."""
    return [
        pytest.param(name, change, message, id=f"{name}-{number}")
        for name, kind in KINDS.items()
        for number, (change, message) in enumerate(getattr(kind, what))
    ]


@pytest.mark.parametrize(("kind", "change", "message"), cases("weights"))
def test_weights_that_contradict_their_header(
    kind: str, change: Change, message: str, files: dict[str, Path], tmp_path: Path
) -> None:
    path = with_weights(files[kind], tmp_path / "bad.pt", change)
    with pytest.raises(VitrifyError, match=rf"bad\.pt.*({message}).*export the model again"):
        KINDS[kind].open(path)


@pytest.mark.parametrize(("kind", "changes", "message"), cases("hyperparameters"))
def test_hyperparameters_that_make_no_sense(
    kind: str, changes: dict[str, object], message: str, files: dict[str, Path], tmp_path: Path
) -> None:
    path = with_hyperparameters(files[kind], tmp_path / "bad.pt", **changes)
    with pytest.raises(VitrifyError, match=message):
        KINDS[kind].open(path)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_weights_never_crash(kind: str, files: dict[str, Path], tmp_path: Path) -> None:
    """Cut or changed anywhere, with checksums that hold: one clear error, or other numbers."""
    rng, refused = random.Random(3), 0
    for trial in range(200):
        path = with_random_damage(files[kind], tmp_path / "bad.pt", trial, rng)
        try:
            KINDS[kind].use(KINDS[kind].open(path))
        except VitrifyError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 130


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_that_is_damaged_elsewhere_is_sound(kind: str, files: dict[str, Path]) -> None:
    KINDS[kind].use(KINDS[kind].open(files[kind]))


@pytest.mark.parametrize(
    ("opener", "wants", "kind"),
    [
        (_core.NativeOGN, "ogn", "symgnn"),
        (_core.NativeSymGNN, "symgnn", "glassvae"),
        (_core.NativeFlowNetwork, "amshortcut", "ogn"),
        (_core.NativeGlassVAE, "glassvae", "amshortcut"),
    ],
)
def test_a_file_of_another_kind(opener: Any, wants: str, kind: str, files: dict[str, Path]) -> None:
    with pytest.raises(VitrifyError, match=f"is of kind {kind}, not {wants}"):
        opener(str(files[kind]))


@pytest.mark.parametrize("kind", ["symgnn", "glassvae"])
def test_arguments_that_make_no_sense(kind: str, files: dict[str, Path]) -> None:
    native = KINDS[kind].open(files[kind])
    positions, cell, types = native_models.symgnn.glass(2)
    for case, message in [
        ((positions[:, :2], cell, types), r"positions \(N, 3\)"),
        ((positions, cell[:2], types), r"cell \(3, 3\)"),
        ((positions, cell, types + 5), "has the type [56]: the model has 2 species"),
        ((positions * np.nan, cell, types), "NaN"),
        ((positions, 0 * cell, types), "no volume"),
    ]:
        with pytest.raises(VitrifyError, match=message):
            native.predict(*case)


def test_a_variant_that_has_no_native_weights(tmp_path: Path) -> None:
    system = native_models.glassvae.system_of(2)
    distance = build_model("glassvae", {"variant": "distance"}, system).eval()
    path = native_models.glassvae.write_model(tmp_path / "d.pt", distance, 2, "float32", "distance")
    assert engines_of(path) == ("torch",) and isinstance(open_model(path, kind="glassvae"), TorchGlassVAE)
    for opener in (lambda: open_model(path, "native", kind="glassvae"), lambda: _core.NativeGlassVAE(str(path))):
        with pytest.raises(VitrifyError, match=r"variant distance\).*: use engine torch"):
            opener()


def test_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    path = write_ogn(tmp_path / "a.pt").rename(tmp_path / os.fsdecode(b"a\xff.pt"))
    assert engines_of(path) and NativeOGN(path).sha256
