"""Trains a model in a folder, from a configuration, and loads the model from the folder again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from vitrify.core.errors import VitrifyError
from vitrify.core.files import own_content, writing
from vitrify.core.locks import claim_folder
from vitrify.core.progress import say
from vitrify.kinds import KINDS
from vitrify.models import System, build_model, parse_model_config
from vitrify.training.checkpoint import BEST, CHECKPOINT, LAST, LOG, Log, Progress, load_checkpoint, save_checkpoint
from vitrify.training.config import Config, differences, load_config
from vitrify.training.loop import Fit, StopSignal
from vitrify.training.task import Prepared


@dataclass(frozen=True)
class LoadedRun:
    """The best model of a run, with its description.

    config: the whole configuration, as plain values. info: the entry that `prepare` of the kind has written into the
    checkpoint. provenance: as `vitrify.modelfile.metadata.Provenance` has it. metrics: figures of the validation.
    """

    model: Any
    kind: str
    config: dict[str, Any]
    info: dict[str, Any]
    provenance: dict[str, Any]
    metrics: dict[str, float]


def train(
    config_path: str | Path,
    run_dir: str | Path,
    resume: bool = True,
    overrides: Iterable[str] = (),
    stop: StopSignal | None = None,
) -> bool:
    """Trains the model of a configuration file in the folder `run_dir`; an interrupted run continues.

    The folder gets last.ckpt (to continue from), best.ckpt (to export) and log.csv. Under torchrun, each process is a
    rank. resume: False starts again. overrides: as for `vitrify.training.config.load_config`. stop: tells afterwards
    which signal has stopped the run. Returns True if the run is finished, False if a signal stopped it.

    Raises:
        VitrifyError: wrong configuration or data, a folder that cannot be written, that another process trains in or
            that holds a run of another configuration, or a loss that is not finite.
    """
    config = load_config(config_path, overrides)
    model_config = parse_model_config(config.kind, config.model)
    config = config.model_copy(update={"model": model_config.model_dump()})
    torch.set_num_threads(config.training.threads)
    fabric = _fabric(config)
    folder = Path(run_dir)
    with claim_folder(folder, "vitrify train") if fabric.is_global_zero else nullcontext():
        if fabric.is_global_zero and resume:
            _check_same(folder, config)
        fabric.barrier()
        torch.manual_seed(config.training.seed)
        prepared: Prepared = KINDS[config.kind].load("prepare")(config, model_config)
        # Only now: data that cannot be read must not cost the run that is there.
        if fabric.is_global_zero and not resume:
            _remove(folder)
        fabric.barrier()
        if any(parameter.requires_grad for parameter in prepared.task.parameters()):
            finished = Fit(fabric, prepared, config.training, folder, stop).run()
        else:  # solved in closed form
            finished = True
            if fabric.is_global_zero:
                _keep_solved(folder, prepared)
        if finished and prepared.finish and fabric.is_global_zero:
            prepared.finish(folder)
    if fabric.world_size > 1:
        # A rank that leaves while another still works can abort as its connection goes down: leave together.
        fabric.barrier()
        torch.distributed.destroy_process_group()
    return finished


def load_run(run_dir: str | Path) -> LoadedRun:
    """The best model of a run, finished or not, in evaluation mode on the CPU, for export.

    Raises:
        VitrifyError: the folder holds no checkpoint, or a damaged one.
    """
    folder = Path(run_dir)
    path = folder / BEST if (folder / BEST).is_file() else folder / LAST
    with own_content(path, CHECKPOINT):
        return _loaded(*load_checkpoint(path))


def _loaded(progress: Progress, content: dict[str, Any]) -> LoadedRun:
    info = json.loads(content["info"])
    config = info["config"]
    timestep = info.get("stride", 0) * info.get("base_timestep", 0.0)
    properties = tuple(found["name"] for found in info.get("properties", ()))
    system = System(tuple(info["species"]), tuple(info.get("masses", ())), info["units"], timestep, properties)
    model = build_model(config["kind"], config["model"], system)
    if config["training"]["precision"] == 64:
        model = model.double()
    if config.get("start"):
        model.take_file_form()
    weights = {name: tensor for name, tensor in content["averaged"].items() if name.startswith("model.")}
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in weights.items()})
    provenance = {
        "config": config,
        "data": info["data"],
        "seed": config["training"]["seed"],
        "steps": progress.step,
        "versions": info["versions"],
    }
    return LoadedRun(model.eval(), config["kind"], config, info, provenance, progress.metrics)


def _fabric(config: Config) -> Fabric:
    """Lightning Fabric for the device of the configuration, over all ranks if torchrun started this process."""
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    device = config.training.device
    if device == "cuda" and not torch.cuda.is_available():
        raise VitrifyError("training.device is cuda, but torch finds no CUDA device here; use cpu or auto")
    if config.training.compile and not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")):
        raise VitrifyError(
            "training.compile needs a C++ compiler, and there is no g++ here; install one or switch it off"
        )
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    ranks, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=ranks // local,
        # The gates of an OGN's last stage act on nothing: DDP must not wait for their gradients.
        strategy="ddp_find_unused_parameters_true" if ranks > 1 else "auto",
        precision="64-true" if config.training.precision == 64 else "32-true",
    )
    fabric.launch()
    return fabric


def _remove(folder: Path) -> None:
    """Removes the run in a folder, to start again."""
    for name in (LAST, BEST, LOG):
        with writing(folder):
            (folder / name).unlink(missing_ok=True)


def _check_same(folder: Path, config: Config) -> None:
    """VitrifyError if there is a run in the folder that has another configuration."""
    if (folder / LAST).is_file():
        with own_content(folder / LAST, CHECKPOINT):
            old = json.loads(load_checkpoint(folder / LAST)[1]["info"])["config"]
            changed = differences(_identity(old), _identity(json.loads(config.model_dump_json())))
        if changed:
            raise VitrifyError(
                f"{folder} holds a run with another configuration ({'; '.join(changed)}); "
                "choose another folder with --out, or start again with --restart"
            )


def _keep_solved(folder: Path, prepared: Prepared) -> None:
    """Writes the files of a run whose model was solved in closed form."""
    task = prepared.task.eval()
    metrics = prepared.metrics
    if metrics is None:
        rows = [task.statistics(task.collate([prepared.validation[index, 0]])) for index in prepared.validate_on]
        metrics = task.metrics(torch.stack(rows).mean(0))
    progress = Progress(metrics=metrics)
    say(Log(folder / LOG, 0).append({"step": 0, **progress.metrics}))
    for name in (BEST, LAST):
        save_checkpoint(folder / name, progress, {"averaged": task.state_dict()}, prepared.info)


def _identity(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that a continued run must not change. Limits and rates may change, and files may move."""
    kept = ("seed", "precision", "batch_size", "optimizer", "amsgrad", "ema", "noise")
    training = {name: config["training"][name] for name in kept}
    data = {
        **config["data"],
        **{name: [Path(f).name for f in config["data"][name]] for name in ("train", "validation")},
    }
    start = config.get("start")
    if start:
        start = {"model": Path(start["model"]).name, "adapt": start["adapt"]}
    found = {"kind": config["kind"], "model": config["model"], "data": data, "training": training, "start": start}
    return {**found, "loss": config["loss"]} if "loss" in config else found
