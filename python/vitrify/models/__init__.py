"""The models: one dictionary from kind to the variants that build it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from torch import nn

from vitrify.amshortcut.models.flow import FlowAMShortcut, FlowConfig
from vitrify.amshortcut.models.paper import ODEConfig, PaperAMShortcut, PaperAMShortcutConfig, SDEConfig
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.glassvae.models.equivariant import EquivariantConfig, EquivariantGlassVAE
from vitrify.glassvae.models.paper import DistanceGlassVAE, DistanceGlassVAEConfig, PaperGlassVAE, PaperGlassVAEConfig
from vitrify.models.base import ModelConfig, System
from vitrify.ogn.models.base import OGN
from vitrify.ogn.models.pair import PairConfig, PairOGN
from vitrify.ogn.models.paper import PaperConfig, PaperOGN
from vitrify.symgnn.models.baselines import (
    EGNNConfig,
    EGNNSymGNN,
    GCNConfig,
    GCNSymGNN,
    MGCNConfig,
    MGCNSymGNN,
    MLPConfig,
    MLPSymGNN,
    SchNetConfig,
    SchNetSymGNN,
)
from vitrify.symgnn.models.exact import ExactConfig, ExactSymGNN
from vitrify.symgnn.models.frames import FAENetConfig, FAENetSymGNN
from vitrify.symgnn.models.paper import EGATConfig, LengthEGAT, PaperSymGNN, PaperSymGNNConfig
from vitrify.symgnn.models.ridge import RidgeConfig, RidgeSymGNN

__all__ = ["MODELS", "OGN", "ModelConfig", "System", "build_model", "parse_model_config"]

MODELS: dict[str, dict[str, tuple[type[ModelConfig], type[nn.Module]]]] = {
    "ogn": {"pair": (PairConfig, PairOGN), "paper": (PaperConfig, PaperOGN)},
    "symgnn": {
        "exact": (ExactConfig, ExactSymGNN),
        "ridge": (RidgeConfig, RidgeSymGNN),
        "paper": (PaperSymGNNConfig, PaperSymGNN),
        "egat": (EGATConfig, LengthEGAT),
        "mlp": (MLPConfig, MLPSymGNN),
        "gcn": (GCNConfig, GCNSymGNN),
        "egnn": (EGNNConfig, EGNNSymGNN),
        "schnet": (SchNetConfig, SchNetSymGNN),
        "mgcn": (MGCNConfig, MGCNSymGNN),
        "faenet": (FAENetConfig, FAENetSymGNN),
    },
    "amshortcut": {
        "flow": (FlowConfig, FlowAMShortcut),
        "paper": (PaperAMShortcutConfig, PaperAMShortcut),
        "sde": (SDEConfig, PaperAMShortcut),
        "ode": (ODEConfig, PaperAMShortcut),
    },
    "glassvae": {
        "equivariant": (EquivariantConfig, EquivariantGlassVAE),
        "paper": (PaperGlassVAEConfig, PaperGlassVAE),
        "distance": (DistanceGlassVAEConfig, DistanceGlassVAE),
    },
}


def parse_model_config(kind: str, config: dict[str, Any]) -> ModelConfig:
    """The validated `model:` section of a config; its `variant` defaults to the first of the kind.

    Raises VitrifyError for an unknown kind, variant or key (with the nearest known one) and for a bad value.
    """
    if kind not in MODELS:
        raise VitrifyError(f"kind {kind!r} is unknown{did_you_mean(kind, MODELS)}: use one of {', '.join(MODELS)}")
    variants = MODELS[kind]
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
    """An untrained model of `kind` for `system`, from its `model:` section."""
    parsed = config if isinstance(config, ModelConfig) else parse_model_config(kind, config)
    variant = str(parsed.model_dump()["variant"])
    return MODELS[kind][variant][1](parsed, system)
