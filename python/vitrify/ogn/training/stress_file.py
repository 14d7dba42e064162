"""`vitrify stress`: from a model file and trajectories to the file of a model that gives the stress of a stride too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.locks import claim_file
from vitrify.core.progress import Meter, counted
from vitrify.core.units import get_units
from vitrify.data.datasets import load_trajectories
from vitrify.data.trajectories import Trajectory, TrajectoryFile, TrajectoryMeta
from vitrify.engines.rebuild import rebuilt_network
from vitrify.export.write import export_model
from vitrify.modelfile.archive import find_model, open_archive
from vitrify.modelfile.metadata import parse_metadata
from vitrify.models import System, build_model, parse_model_config
from vitrify.ogn.metadata import OGNMetadata
from vitrify.ogn.models.stress import StressedPairOGN
from vitrify.ogn.training import stress
from vitrify.report.verdicts import Verdict
from vitrify.training.info import data_files


def give_stress(
    model: str | Path,
    train: Sequence[Path],
    validation: Sequence[Path],
    out: Path,
    *,
    strides: int = 60,
    progress: bool = True,
) -> list[Verdict]:
    """Fits the stress of a stride to the trajectories of `train`, and writes the model with it as the file `out`.

    validation: files of other trajectories, whose errors the file records, and the verdicts tell. strides: at most, of
    each trajectory. What the model predicted before, it predicts still.

    Raises VitrifyError for a model that is no OGN of variant pair, for files of another system, and for trajectories
    that lack the virial.
    """
    path = find_model(model)
    archive = open_archive(path)
    metadata = parse_metadata(archive.metadata_text, path)
    if not isinstance(metadata, OGNMetadata) or metadata.variant != "pair":
        raise VitrifyError(
            f"{path} is of kind {metadata.kind}, variant {metadata.variant}: only kind ogn, variant pair, can get the "
            "stress of a stride"
        )
    if same := {Path(place).resolve() for place in train} & {Path(place).resolve() for place in validation}:
        raise VitrifyError(f"{min(same)} is among the files of the fit and of the validation: keep them apart")
    with claim_file(out, "vitrify stress", [path, *train, *validation]):
        network = _with_stress(metadata, rebuilt_network(path, archive, metadata))
        fitted, frames = _load(train, metadata)
        held_out, held_frames = _load(validation, metadata)
        ridge = _fit(network, fitted, frames, strides, progress)
        shown = counted(held_out, "errors on other trajectories", "trajectory", progress)
        states = [stress.compare(network, run, held_frames, strides, metadata.units) for run in shown]
        found = {
            "unit": get_units(metadata.units).pressure,
            **stress.accuracy(states),
            "strides": sum(len(state.true) for state in states),
            "trajectories": len(states),
            "atoms": min(len(run.types) for run in held_out),
            **_ranges(fitted),
            "ridge": ridge,
            "data": data_files(train, _recipe),
        }
        _write(network, out, metadata, found)
    return _verdicts(states, found)


def _with_stress(metadata: OGNMetadata, old: Any) -> StressedPairOGN:
    """The network with a stress whose weights are zero."""
    parsed = parse_model_config("ogn", {**old.config.model_dump(), "stress": 1})
    system = System(metadata.species, metadata.masses, metadata.units, metadata.timestep)
    network: StressedPairOGN = build_model("ogn", parsed, system).to(old.times.dtype)
    weights = {name: value for name, value in old.state_dict().items() if not name.startswith("stress.")}
    network.load_state_dict(weights, strict=False)
    return network.eval().requires_grad_(False)


def _load(paths: Sequence[Path], metadata: OGNMetadata) -> tuple[list[Trajectory], int]:
    """The trajectories of some files that hold a stride of the model, and its number of frame intervals."""
    meta, trajectories = load_trajectories(paths)
    _require_system(paths[0], meta, metadata)
    names = ", ".join(map(str, paths))
    try:
        frames = stress.frames_of_stride(metadata.timestep, meta.base_timestep, meta.frame_interval)
        found = list(stress.usable(trajectories, frames))
    except VitrifyError as error:
        raise VitrifyError(f"{names}: {error}") from None
    if not found:
        raise VitrifyError(f"{names}: no trajectory is as long as a stride of the model: make longer ones")
    return found, frames


def _require_system(path: Path, meta: TrajectoryMeta, metadata: OGNMetadata) -> None:
    for name, here, wanted in (
        ("species", meta.species, metadata.species),
        ("masses", meta.masses, metadata.masses),
        ("units", meta.units, metadata.units),
    ):
        if here != wanted:
            raise VitrifyError(f"{path}: {name} is {here}, but {wanted} in the model: give trajectories of its system")


def _fit(
    network: StressedPairOGN, trajectories: Sequence[Trajectory], frames: int, wanted: int, progress: bool
) -> float:
    total = sum(len(stress.strides(trajectory, frames, wanted)) for trajectory in trajectories)
    with Meter(total, "stress of strides", "stride", progress) as meter:
        parts = [stress.sums_of(network, trajectory, frames, wanted, meter.update) for trajectory in trajectories]
    return stress.fit(parts, network)


def _ranges(trajectories: Sequence[Trajectory]) -> dict[str, tuple[float, float]]:
    """The ranges of the fit: mean temperature and number density of a trajectory."""
    temperatures = [float(trajectory.temperature.mean()) for trajectory in trajectories]
    densities = [stress.number_density(trajectory) for trajectory in trajectories]
    return {
        "temperature": (min(temperatures), max(temperatures)),
        "number_density": (min(densities), max(densities)),
    }


def _recipe(path: Path) -> dict[str, Any]:
    with TrajectoryFile(path) as file:
        return file.meta.recipe


def _write(network: StressedPairOGN, out: Path, metadata: OGNMetadata, accuracy: dict[str, Any]) -> None:
    """The model file, with what the old one said of the model's motion."""
    export_model(
        network, out, kind=metadata.kind, variant=metadata.variant, species=metadata.species, units=metadata.units,
        validity=metadata.validity, dtype=metadata.dtype, provenance=metadata.provenance, metrics=metadata.metrics,
        citation=metadata.citation, masses=metadata.masses, base_timestep=metadata.base_timestep,
        stride=metadata.stride, stress=accuracy,
    )  # fmt: skip


def _verdicts(states: Sequence[stress.State], found: dict[str, Any]) -> list[Verdict]:
    """A row for each trajectory that was kept apart, and rows for all of them."""
    unit, limit = found["unit"], 0.03 * found["spread"]
    rows = [
        Verdict(
            f"T {state.temperature:.4g}, {state.number_density:.4g} atoms per volume",
            f"{_shown(state.rms)} {unit}",
            f"mean error {_shown(state.bias)}",
            "",
        )
        for state in states
    ]
    within = "within" if found["rms"] <= limit else "larger"
    above = "above" if found["shear_r"] > 0.995 else "below"
    return [
        *rows,
        Verdict("pressure, rms error", f"{_shown(found['rms'])} {unit}", f"3% of spread: {_shown(limit)}", within),
        Verdict("pressure, largest mean error", f"{_shown(found['bias'])} {unit}", "", ""),
        Verdict("shear, correlation", f"{found['shear_r']:.4f}", "0.995", above),
    ]


def _shown(pressure: float) -> str:
    return f"{pressure:,.0f}" if abs(pressure) >= 100 else f"{pressure:.3g}"
