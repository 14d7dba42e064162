"""The networks of OGN: `VARIANTS` by name, the default first."""

from __future__ import annotations

from vitrify.models.base import Variants
from vitrify.ogn.models.pair import PairConfig
from vitrify.ogn.models.paper import PaperConfig, PaperOGN
from vitrify.ogn.models.stress import pair_network

VARIANTS: Variants = {"pair": (PairConfig, pair_network), "paper": (PaperConfig, PaperOGN)}
