"""Writes the model file of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.locks import claim_file
from vitrify.engines.torchscript import TorchModel
from vitrify.export.write import export_model
from vitrify.kinds import KINDS
from vitrify.modelfile.metadata import Provenance
from vitrify.training.checkpoint import BEST, LAST, LOG
from vitrify.training.run import LoadedRun, load_run


def export_run(
    run_dir: str | Path, path: str | Path, dtype: str | None = None, responses: Sequence[str] = ()
) -> TorchModel:
    """Exports the best checkpoint of a training run, finished or not, as the model file `path`.

    dtype: "float32" or "float64"; by default the run's precision. responses: how a generator's properties follow their
    targets, NAME=INTERCEPT,SLOPE as in "ring_size=3.1,0.5" (`vitrify.amshortcut.training.responses`).

    Raises VitrifyError if the folder holds no run, for responses that do not fit the model, if the file cannot be
    written or another process writes it, and if it would not reproduce the model.
    """
    with claim_file(path, "vitrify export", [Path(run_dir) / name for name in (BEST, LAST, LOG)]):
        return _export(load_run(run_dir), path, dtype, responses)


def _export(run: LoadedRun, path: str | Path, dtype: str | None, responses: Sequence[str]) -> TorchModel:
    kind = KINDS[run.kind]
    if responses:
        if not kind.has("adjust"):
            raise VitrifyError(f"the model has no property {responses[0].partition('=')[0]!r}: it has none")
        kind.load("adjust")(run, responses)
    trained_in = "float64" if run.config["training"]["precision"] == 64 else "float32"
    validity = kind.load("metadata").model_fields["validity"].annotation
    return export_model(
        run.model.exportable(),
        path,
        kind=run.kind,
        variant=run.config["model"]["variant"],
        species=tuple(run.info["species"]),
        units=run.info["units"],
        validity=validity.model_validate(run.info["validity"]),
        dtype=dtype or trained_in,
        provenance=Provenance.model_validate({**run.provenance, "config": _without_folders(run.config)}),
        metrics=run.metrics,
        citation=kind.citation,
        **{name: run.info[name] for name in kind.exported},
    )


def _without_folders(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the names of its files alone: their folders on one machine mean nothing elsewhere."""
    data = dict(config["data"])
    for key in ("train", "validation"):
        data[key] = [Path(name).name for name in data[key]]
    if data.get("potential"):
        data["potential"] = Path(data["potential"]).name
    if config.get("start"):
        config = {**config, "start": {**config["start"], "model": Path(config["start"]["model"]).name}}
    return {**config, "data": data}
