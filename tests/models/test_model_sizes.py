"""Hyperparameters of models that no machine can build are refused before memory is taken."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from vitrify.core.errors import VitrifyError
from vitrify.kinds import KINDS
from vitrify.models import System, build_model, variants_of
from vitrify.models.base import LARGEST_SIZE, LONGEST_CUTOFF, ModelConfig

SYSTEM = System(("A", "B"), (1.0, 2.0), "lj", 0.025)
EVERY = [(kind, variant) for kind in ("ogn", "symgnn", "amshortcut", "glassvae") for variant in variants_of(kind)]


def whole_numbers(config: type[ModelConfig]) -> list[str]:
    return [name for name, field in config.model_fields.items() if field.annotation is int]


@pytest.mark.parametrize(("kind", "variant"), EVERY)
def test_every_size_is_bounded(kind: str, variant: str) -> None:
    config = variants_of(kind)[variant][0]
    assert whole_numbers(config) or variant == "paper"
    for name in whole_numbers(config):
        for value in (LARGEST_SIZE + 1, 10**9, 2**70, -1):
            with pytest.raises(VitrifyError, match=name):
                build_model(kind, {"variant": variant, name: value}, SYSTEM)
    for value in (float("inf"), float("nan"), LONGEST_CUTOFF * 1.01, 1e300, -1.0, 0.0):
        with pytest.raises(VitrifyError, match="cutoff"):
            build_model(kind, {"variant": variant, "cutoff": value}, SYSTEM)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("ogn", {"channels": 4096, "scalars": 4096, "basis": 4096, "hidden": 4096, "layers": 300}),
        ("ogn", {"variant": "paper", "width": 4096, "layers": 600}),
        ("symgnn", {"members": 4096, "fields": 4096}),
        ("symgnn", {"variant": "schnet", "width": 4096, "layers": 600}),
    ],
)
def test_a_model_beyond_the_memory_is_refused_at_once(kind: str, sizes: dict[str, Any]) -> None:
    start = time.monotonic()
    with pytest.raises(VitrifyError, match="GB to train, this machine has"):
        build_model(kind, sizes, SYSTEM)
    assert time.monotonic() - start < 30


def test_looking_at_the_size_changes_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def weights(limit: int) -> torch.Tensor:
        monkeypatch.setattr("vitrify.models._SURELY_FITS", limit)
        torch.manual_seed(3)
        model = build_model("ogn", {"variant": "paper", "width": 32}, SYSTEM)
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    assert torch.equal(weights(0), weights(10**6))
    assert KINDS["ogn"].load("variants")["paper"][0]().width == 64
