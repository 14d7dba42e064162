"""The configuration of the training of the toy."""

from __future__ import annotations

from pydantic import Field

from vitrify.training.config import Config, FilesConfig


class ToyDataConfig(FilesConfig):
    """Extended XYZ files with a column `label` for each atom; species in the order of the types."""

    species: tuple[str, ...] = Field(min_length=1)
    label: str


class ToyConfig(Config):
    """The configuration of the toy."""

    data: ToyDataConfig
