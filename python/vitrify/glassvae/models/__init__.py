"""The networks of GlassVAE: `VARIANTS` by name, the default first."""

from __future__ import annotations

from vitrify.glassvae.models.equivariant import EquivariantConfig, EquivariantGlassVAE
from vitrify.glassvae.models.paper import DistanceGlassVAE, DistanceGlassVAEConfig, PaperGlassVAE, PaperGlassVAEConfig
from vitrify.models.base import Variants

VARIANTS: Variants = {
    "equivariant": (EquivariantConfig, EquivariantGlassVAE),
    "paper": (PaperGlassVAEConfig, PaperGlassVAE),
    "distance": (DistanceGlassVAEConfig, DistanceGlassVAE),
}
