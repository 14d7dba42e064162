"""Building blocks of the networks of all systems, and building a model from its configuration."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.kinds import KINDS
from vitrify.models.base import ModelConfig, System, Variants

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
            f"variant {variant!r} of {kind} is unknown{did_you_mean(variant, variants)}: "
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
        raise VitrifyError(f"{where}: {first['msg']}, got {first['input']!r}") from None


def build_model(kind: str, config: dict[str, Any] | ModelConfig, system: System) -> Any:
    """An untrained model of `kind` for `system`, from its `model:` section; VitrifyError as `parse_model_config`."""
    parsed = config if isinstance(config, ModelConfig) else parse_model_config(kind, config)
    variant = str(parsed.model_dump()["variant"])
    model = variants_of(kind)[variant][1](parsed, system)
    # A model file keeps the configuration, so that the network can be built again without the program in the file.
    model.built_from = parsed  # type: ignore[assignment]
    return model
