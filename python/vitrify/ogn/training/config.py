"""The configuration of the training of an OGN."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vitrify.training.config import Config, FilesConfig


class DataConfig(FilesConfig):
    """Trajectory files, and the choice of pairs (a configuration, and the one a stride later) from them.

    stride: base steps between the two configurations of a pair.
    time_reversal: also use every pair backwards, (r', -v') -> (r, -v).
    augmentation: "cube" turns each sample by one of the 48 symmetries of a cube (paper, section 4.4 vii).
    validation_pairs: number of pairs of the validation, evenly spread over its trajectories.
    """

    validation: tuple[Path, ...] = Field(min_length=1)
    stride: int = Field(ge=1, le=10**6)
    time_reversal: bool = True
    augmentation: Literal["none", "cube"] = "none"
    validation_pairs: int = Field(64, ge=1, le=10**6)

    @staticmethod
    def _remedy() -> str:
        return "give validation its own trajectories"


class OGNConfig(Config):
    """The configuration of an OGN."""

    data: DataConfig
