"""From the folder of a training run to a model file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrify.amshortcut.models import base as amshortcut
from vitrify.amshortcut.training.responses import Response, apply_responses
from vitrify.export.write import Provenance, TorchModel, Validity, export_model
from vitrify.glassvae.models import base as glassvae
from vitrify.modelfile.archive import OGNValidity
from vitrify.ogn.models import base as ogn
from vitrify.symgnn.models import base as symgnn
from vitrify.training.run import load_run

CITATIONS = {kind.__name__.rpartition(".")[2]: kind.CITATION for kind in (ogn, symgnn, amshortcut, glassvae)}


def export_run(
    run_dir: str | Path, path: str | Path, dtype: str | None = None, responses: Mapping[str, Response] | None = None
) -> TorchModel:
    """Exports the best checkpoint of a training run, finished or not; `dtype` defaults to the run's
    precision. responses: of a generator to its targets, by property, see `vitrify.amshortcut.training.responses`.

    Raises VitrifyError if the folder holds no run, or the file would not reproduce the model.
    """
    run = load_run(run_dir)
    if responses:
        apply_responses(run, responses)
    trained_in = "float64" if run.config["training"]["precision"] == 64 else "float32"
    validity = (OGNValidity if run.kind == "ogn" else Validity).model_validate(run.info["validity"])
    own: dict[str, Any]
    if run.kind == "ogn":
        own = {name: run.info[name] for name in ("base_timestep", "stride")} | {"masses": tuple(run.info["masses"])}
    elif run.kind == "amshortcut":
        own = {name: run.info[name] for name in ("properties", "statistics", "charges")}
        own["masses"] = tuple(run.info["masses"])
    elif run.kind == "glassvae":
        own = {"masses": tuple(run.info["masses"]), "latent_energy": run.info["latent_energy"]}
    else:
        own = {"property": run.info["property"]}
    return export_model(
        run.model.exportable(),
        path,
        kind=run.kind,
        variant=run.config["model"]["variant"],
        species=tuple(run.info["species"]),
        units=run.info["units"],
        validity=validity,
        dtype=dtype or trained_in,
        provenance=Provenance.model_validate({**run.provenance, "config": _without_folders(run.config)}),
        metrics=run.metrics,
        citation=CITATIONS[run.kind],
        **own,
    )


def _without_folders(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with data files by name: where they lay on one machine is nobody's business."""
    data = dict(config["data"])
    for key in ("train", "validation"):
        data[key] = [Path(name).name for name in data[key]]
    if data.get("potential"):
        data["potential"] = Path(data["potential"]).name
    if config.get("start"):
        config = {**config, "start": {**config["start"], "model": Path(config["start"]["model"]).name}}
    return {**config, "data": data}
