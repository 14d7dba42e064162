"""Building blocks of the networks of all systems, and building a model from its configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from vitrify.core.errors import VitrifyError, did_you_mean, shown
from vitrify.kinds import KINDS
from vitrify.models.base import ModelConfig, System, Variants, largest_size

_SURELY_FITS = 256  # largest number in the configuration of a model whose memory need not be estimated
_COPIES = 5  # of the weights in training: themselves, gradients, two moments of Adam, the average

__all__ = ["ModelConfig", "System", "Variants", "build_model", "parse_model_config", "variants_of"]


def variants_of(kind: str) -> Variants:
    """The variants of a kind, by name, the default first; VitrifyError for an unknown kind."""
    variants: Variants = KINDS.find(kind).load("variants")
    return variants


def parse_model_config(kind: str, config: dict[str, Any]) -> ModelConfig:
    """The validated `model:` section of a config; its `variant` defaults to the first of the kind.

    Raises VitrifyError for an unknown kind, variant or key (with the nearest known one) and for a bad value.
    """
    variants = variants_of(kind)
    variant = str(config.get("variant", next(iter(variants))))
    if variant not in variants:
        raise VitrifyError(
            f"variant {shown(variant)} of {kind} is unknown{did_you_mean(variant, variants)}: "
            f"use one of {', '.join(variants)}"
        )
    config_class = variants[variant][0]
    for key in config:
        if key not in config_class.model_fields:
            known = config_class.model_fields
            raise VitrifyError(
                f"model.{key} is not a setting of {kind} variant {variant}{did_you_mean(key, known)}: "
                f"use {', '.join(known)}"
            )
    try:
        return config_class(**config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["model", *map(str, first["loc"])])
        if first["type"] == "value_error":
            raise VitrifyError(f"{where}: {first['ctx']['error']}") from None
        raise VitrifyError(f"{where}: {first['msg']}, got {shown(first['input'])}") from None


def build_model(kind: str, config: dict[str, Any] | ModelConfig, system: System) -> Any:
    """An untrained model of `kind` for `system`, from its `model:` section.

    Raises VitrifyError as `parse_model_config`, and for a model that is larger than the memory of this machine.
    """
    parsed = config if isinstance(config, ModelConfig) else parse_model_config(kind, config)
    variant = str(parsed.model_dump()["variant"])
    network = variants_of(kind)[variant][1]
    _require_memory(network, parsed, system)
    model: Any = network(parsed, system)
    # A model file keeps the configuration, so that the network can be built again without the program in the file.
    model.built_from = parsed
    return model


def _require_memory(network: Callable[[ModelConfig, System], nn.Module], config: ModelConfig, system: System) -> None:
    """Refuses a model whose weights, with what an optimizer keeps for them, exceed the memory of this machine."""
    if largest_size(config) <= _SURELY_FITS:
        return
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            shapes = network(config, system)
    except (NotImplementedError, RuntimeError):
        return  # it computes with numbers while it is built: memory itself has to say
    weights, buffers = (
        sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        for tensors in (shapes.parameters(), shapes.buffers())
    )
    needed, there = _COPIES * weights + buffers, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise VitrifyError(
            f"a model of these sizes needs {needed / 1e9:,.0f} GB to train, this machine has {there / 1e9:,.0f} GB: "
            "give smaller numbers in model"
        )
