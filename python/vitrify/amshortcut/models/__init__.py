"""The networks of AMShortcut: `VARIANTS` by name, the default first."""

from __future__ import annotations

from vitrify.amshortcut.models.flow import FlowAMShortcut, FlowConfig
from vitrify.amshortcut.models.paper import ODEConfig, PaperAMShortcut, PaperAMShortcutConfig, SDEConfig
from vitrify.models.base import Variants

VARIANTS: Variants = {
    "flow": (FlowConfig, FlowAMShortcut),
    "paper": (PaperAMShortcutConfig, PaperAMShortcut),
    "sde": (SDEConfig, PaperAMShortcut),
    "ode": (ODEConfig, PaperAMShortcut),
}
