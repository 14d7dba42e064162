"""The configuration of the training of a model of a property of each atom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from vitrify.core.errors import VitrifyError, shown
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.symgnn.metadata import SymGNNMetadata
from vitrify.training.config import Config, FilesConfig, Section, parse


class StructuresConfig(FilesConfig):
    """Structures at rest with a label for each atom, as `vitrify.data.structures.load_structures` reads them.

    species: names in the order of the files' type ids, or the elements. label: name of the labels in the files. unit:
    unit of the labels. property: name of the property in the model file; default: the label. label_species: species
    whose labels count; default: all. units: LAMMPS's unit system of the lengths. potential: file of the potential that
    the labels belong to, for a model with stiffness (`vitrify.data.potentials`). pieces: number of hops (edges) from
    the centre of the subgraphs that training uses in place of whole structures; 0: whole structures. atom_style: of
    LAMMPS data files that do not name theirs.

    Without `validation`, each member of an ensemble is validated on the training structures that it has not seen;
    any other model is validated on its own training structures.
    """

    species: tuple[str, ...] = Field(min_length=1)
    label: str
    unit: str
    property: str | None = None
    units: Literal["lj", "metal"] = "metal"
    label_species: tuple[str, ...] | None = None
    potential: Path | None = None
    pieces: int = Field(0, ge=0, le=100)
    atom_style: str | None = None

    def located(self, base: Path) -> Self:
        """The section with its files relative to the folder `base`."""
        found = super().located(base)
        return found.model_copy(update={"potential": base / self.potential.expanduser()}) if self.potential else found


class StartConfig(Section):
    """The model that is fine-tuned.

    model: path of its file, or the name of a shipped model. adapt: the parameters that change: `output`, offsets and a
    gain; `weights`, also the weights (`vitrify.symgnn.training.fine_tune`).
    """

    model: str
    adapt: Literal["output", "weights"] = "weights"


class SymGNNConfig(Config):
    """The configuration of a model of a property of each atom.

    start: fine-tunes a model file. The settings of the file (variant and hyperparameters, species, units, property and
    its unit, precision) need not be given and cannot be changed, and atoms of the training structures may lack a label.
    """

    data: StructuresConfig
    start: StartConfig | None = None

    @classmethod
    def completed(cls, values: dict[str, Any], path: Path) -> dict[str, Any]:
        """The values, completed by those of the model file in `start`, if there is one.

        Raises VitrifyError for a file that cannot be fine-tuned, and for values that disagree with it.
        """
        return values if values.get("start") is None else _with_start(values, path)


def _with_start(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values of the configuration file `path`, completed by those of the model file in `start`."""
    start = parse(StartConfig, values["start"], f"{path}: start")
    beside = path.resolve().parent / start.model
    file = beside if os.path.isfile(beside) else find_model(start.model).resolve()
    metadata = read_metadata(file)
    if not isinstance(metadata, SymGNNMetadata):
        raise wrong_kind(file, metadata.kind, "symgnn")
    model = metadata.provenance.config.get("model")
    if not isinstance(model, dict):
        raise VitrifyError(
            f"{file} does not say how its model was made (no configuration in its provenance), so that it cannot be "
            "fine-tuned: give a file that vitrify export has made of a run"
        )
    name, unit = metadata.property.name, metadata.property.unit
    data = {"species": list(metadata.species), "units": metadata.units, "unit": unit, "property": name}
    given = {section: values.get(section, {}) for section in ("model", "data", "training")}
    for section, found in given.items():
        if not isinstance(found, Mapping):
            raise VitrifyError(f"{path}: {section}: got {shown(found)}, wanted keys and values")
    if given["data"].get("potential"):
        raise VitrifyError(f"{path}: {file.name} holds its potential, or needs none: leave data.potential out")
    fixed = {"model": {"variant": metadata.variant, **model}, "data": data}
    fixed["training"] = {"precision": 64 if metadata.dtype == "float64" else 32}
    for section, known in fixed.items():
        for key, value in known.items():
            if key in given[section] and given[section][key] != value:
                raise VitrifyError(
                    f"{path}: {section}.{key} is {given[section][key]}, but {file.name} has {value}: leave it out, or "
                    "start from another file"
                )
    data["label"] = name
    full = {section: {**known, **given[section]} for section, known in fixed.items()}
    full["training"].setdefault("max_steps", 1)  # solved in closed form
    return {**values, **full, "start": start.model_copy(update={"model": str(file)}).model_dump()}
