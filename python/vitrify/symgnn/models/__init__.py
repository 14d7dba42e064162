"""The models of SymGNN: `VARIANTS` by name, the default first."""

from __future__ import annotations

from vitrify.models.base import Variants
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

VARIANTS: Variants = {
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
}
