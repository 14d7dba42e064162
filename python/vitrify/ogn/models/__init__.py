"""The networks of OGN: `VARIANTS` by name, the default first."""

from __future__ import annotations

from vitrify.models.base import Variants
from vitrify.ogn.models.pair import PairConfig, PairOGN
from vitrify.ogn.models.paper import PaperConfig, PaperOGN

VARIANTS: Variants = {"pair": (PairConfig, PairOGN), "paper": (PaperConfig, PaperOGN)}
