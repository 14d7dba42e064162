"""`vitrify evaluate` for latent models: the potential against its labels, and what the latent vector alone tells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import vitrify
from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.data.frames import Frame, load_frames
from vitrify.engines.load import load_model
from vitrify.engines.predictions import EnergyPrediction
from vitrify.glassvae.evaluate.metrics import (
    LinearBaseline,
    Rdf,
    explained_by,
    means_of,
    potential_scores,
    r_squared,
    rms,
    segments_of,
    shuffled_between,
)
from vitrify.glassvae.evaluate.structures import (
    Generated,
    StructureSettings,
    decoded_structures,
    generated_structures,
)
from vitrify.glassvae.metadata import GlassVAEMetadata
from vitrify.glassvae.torchscript import TorchGlassVAE
from vitrify.modelfile.archive import find_model, read_metadata, wrong_kind
from vitrify.report.metrics_file import model_card, write_metrics


@dataclass(frozen=True)
class GlassVAEEvaluation:
    """Everything that an evaluation found. frames, answers: of all files, `file` (F,) says of which."""

    loaded: TorchGlassVAE
    frames: list[Frame]
    file: np.ndarray
    segments: np.ndarray
    answers: list[EnergyPrediction]
    rdf: Rdf
    true_rdf: np.ndarray
    said_rdf: np.ndarray | None
    generated: Generated | None
    metrics: dict[str, Any]

    @property
    def latents(self) -> np.ndarray:
        """(F, latent)"""
        return np.array([answer.latent for answer in self.answers])


def evaluate_glassvae(
    model: str | Path,
    data: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    training: Sequence[str | Path] = (),
    structures: StructureSettings | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Evaluates a latent model on frames that it has not seen; several files are kept apart in the tables.

    Writes metrics.json, figures and report.html into `out` and returns the path of the report.

    Args:
        data: extended XYZ with energies, as `load_frames` reads it; the first file is the test, others are external.
        training: frames that baselines are fitted to: means of each temperature, a linear model on g(r), a linear code.
        structures: how many structures are decoded and generated, and the potential that judges them.

    Raises:
        VitrifyError: a model of another kind, data that it was trained on, and as `load_frames`.
    """
    from vitrify.glassvae.evaluate.report import write_page  # matplotlib takes a while to load

    path = find_model(model)
    metadata = read_metadata(path)
    if not isinstance(metadata, GlassVAEMetadata):
        raise wrong_kind(path, metadata.kind, "glassvae")
    files = [Path(file) for file in data]
    sources = [{"name": file.name, "sha256": sha256(file)} for file in files if file.is_file()]
    _check_unseen(sources, metadata)
    parts = [load_frames([file], metadata.species, forces=False) for file in files]
    frames = [frame for part in parts for frame in part]
    file = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    known = load_frames(list(training), metadata.species, forces=False) if training else []
    loaded: Any = load_model(path, device)

    bar = tqdm(frames, desc="structures", unit="structure", disable=not progress)
    start = time.process_time()
    answers = [loaded.predict(frame.positions, frame.cell, frame.types) for frame in bar]
    seconds = time.process_time() - start
    rdf = _bins(metadata)
    segments = segments_of(frames)
    true_rdf, known_rdf = (_rdf(rdf, some, len(metadata.species)) for some in (frames, known))
    metrics: dict[str, Any] = {
        "model": model_card(loaded),
        "data": sources,
        "training": [Path(name).name for name in training],
        "versions": {"vitrify": vitrify.__version__},
        "microseconds_per_atom": 1e6 * seconds / sum(map(len, frames)),
        "potential": {name: _potential(frames, answers, file == number, segments)
                      for number, name in enumerate(source["name"] for source in sources)},
        "baselines": _baselines(frames, file, segments, true_rdf, known, known_rdf, sources),
    }  # fmt: skip
    said = latent_of(loaded, frames, answers, segments, rdf, true_rdf, known, known_rdf)
    if said is not None:
        metrics["latent"], said_rdf = said
    elif "reconstruct" in loaded.module._c._method_names():
        metrics["reconstruction"], said_rdf = reconstruction(loaded, frames), None
    else:
        said_rdf = None
    generated = None
    if metadata.statistics is not None and structures is not None and structures.count:
        metrics["decoded"] = decoded_structures(loaded, frames, answers, rdf, true_rdf, structures, progress)
        if structures.potential:
            generated = generated_structures(loaded, [*known, *frames], rdf, structures, progress)
            metrics["generated"] = generated.metrics
    folder = Path(out) if out else Path("out") / f"{path.name.removesuffix('.pt')}.evaluate"
    folder.mkdir(parents=True, exist_ok=True)
    write_metrics(folder, metrics)
    found = GlassVAEEvaluation(
        loaded, frames, file, segments, answers, rdf, true_rdf, said_rdf, generated, metrics
    )  # fmt: skip
    return write_page(found, folder)


def _check_unseen(sources: Sequence[dict[str, str]], model: GlassVAEMetadata) -> None:
    seen = {entry.get("sha256") for entry in model.provenance.data}
    for source in sources:
        if source["sha256"] in seen:
            raise VitrifyError(
                f"{source['name']} was used to train this model, so it says nothing about it: give frames of other "
                "simulations"
            )


def _bins(metadata: GlassVAEMetadata) -> Rdf:
    """The bins of the model's own g(r), or the usual ones."""
    hyper = metadata.hyperparameters
    return Rdf(hyper["start"], metadata.cutoff, hyper["bins"]) if "bins" in hyper else Rdf(stop=metadata.cutoff)


def _rdf(rdf: Rdf, frames: Sequence[Frame], n_species: int) -> np.ndarray:
    """(F, P, bins)"""
    pairs = n_species * (n_species + 1) // 2
    found = [rdf.of(frame.positions, frame.cell, frame.types, n_species) for frame in frames]
    return np.array(found).reshape(len(found), pairs, rdf.bins)


def _potential(
    frames: Sequence[Frame], answers: Sequence[EnergyPrediction], chosen: np.ndarray, segments: np.ndarray
) -> dict[str, Any]:
    """Scores of the frames of a file: of all that have a temperature together, and of each part."""

    def scores(where: np.ndarray) -> dict[str, Any]:
        numbers = np.flatnonzero(where).tolist()
        return potential_scores([frames[i] for i in numbers], [answers[i] for i in numbers])

    thermal = chosen & np.array([frame.thermal for frame in frames])
    parts = list(dict.fromkeys(segments[chosen].tolist()))
    found = {"segments": {name: scores(chosen & (segments == name)) for name in parts}}
    return found | ({"thermal": scores(thermal)} if thermal.any() else {})


def _baselines(
    frames: Sequence[Frame], file: np.ndarray, segments: np.ndarray, true_rdf: np.ndarray, known: Sequence[Frame],
    known_rdf: np.ndarray, sources: Sequence[dict[str, str]],
) -> dict[str, Any]:  # fmt: skip
    """What needs no network, fitted to the training frames, for the thermal frames of each file."""
    if not known:
        return {}
    energies = np.array([frame.energy_per_atom for frame in known])
    true = np.array([frame.energy_per_atom for frame in frames])
    mean = means_of(energies, known, frames)
    warm = np.array([frame.thermal for frame in known])
    linear = LinearBaseline(known_rdf[warm], np.array([f.number_density for f in known])[warm], energies[warm])
    said = {"mean": mean, "linear": linear.predict(true_rdf, np.array([frame.number_density for frame in frames]))}
    thermal = np.array([frame.thermal for frame in frames])
    found: dict[str, Any] = {}
    for number, source in enumerate(sources):
        mine = thermal & (file == number)
        found[source["name"]] = {
            name: {
                "energy_rmse": rms(values[mine] - true[mine]),
                "energy_r2": r_squared(values[mine], true[mine]),
                "within": {
                    part: r_squared(values[mine & (segments == part)], true[mine & (segments == part)])
                    for part in dict.fromkeys(segments[mine].tolist())
                },
            }
            for name, values in said.items()
        }
    return found


def latent_of(
    loaded: TorchGlassVAE, frames: Sequence[Frame], answers: Sequence[EnergyPrediction], segments: np.ndarray, rdf: Rdf,
    true_rdf: np.ndarray, known: Sequence[Frame], known_rdf: np.ndarray,
) -> tuple[dict[str, Any], np.ndarray] | None:  # fmt: skip
    """What z alone tells of thermal frames, and the g(r) that it gives (F, P, bins); None for a model without decoder.

    "shuffled": with the z of a frame of another temperature. "mean": the mean of the frame's temperature in the
    training frames, or in these ones without them.
    """
    if "decode_rdf" not in loaded.module._c._method_names():
        return None
    z = np.array([answer.latent for answer in answers])
    other = shuffled_between(segments)
    said, said_energies = decode(loaded, z)
    own, of_own = (known_rdf, known) if len(known) else (true_rdf, frames)
    mean = means_of(own, of_own, frames)
    thermal = np.array([frame.thermal for frame in frames])
    rdf_errors = {"z": said, "shuffled z": said[other], "mean of the temperature": mean}
    logits = [species_logits(loaded, frame, z[number]) for number, frame in enumerate(frames)]
    mixed = [species_logits(loaded, frame, z[other[number]]) for number, frame in enumerate(frames)]
    share = np.bincount(np.concatenate([frame.types for frame in frames])) / sum(map(len, frames))
    true = np.array([[frame.energy_per_atom, frame.inherent_energy] for frame in frames])
    parts = list(dict.fromkeys(segments[thermal].tolist()))
    metrics: dict[str, Any] = {
        "numbers": z.shape[1],
        "rdf": {name: float(rdf.error(g, true_rdf)[thermal].mean()) for name, g in rdf_errors.items()},
        "wasserstein": {name: float(rdf.wasserstein(g, true_rdf)[thermal].mean()) for name, g in rdf_errors.items()},
        "linear_code": explained_by(true_rdf[thermal], own, z.shape[1]),
        "species": {
            "z": _species_scores(frames, logits),
            "shuffled z": _species_scores(frames, mixed),
            "most frequent": {"accuracy": float(share.max()), "cross_entropy": float(-(share * np.log(share)).sum())},
        },
        "energies": {},
    }
    for column, name in enumerate(("energy", "inherent_energy")):
        have = thermal & np.isfinite(true[:, column])
        metrics["energies"][name] = {
            "rmse": rms(said_energies[have, column] - true[have, column]),
            "r2": r_squared(said_energies[have, column], true[have, column]),
            "shuffled_r2": r_squared(said_energies[other][have, column], true[have, column]),
            "within": {
                part: r_squared(said_energies[have & (segments == part), column],
                                true[have & (segments == part), column])
                for part in parts
            },
        }  # fmt: skip
    return metrics, said


def decode(loaded: TorchGlassVAE, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g(r) (F, P, bins), and energy and inherent energy for each atom (F, 2), of latent vectors (F, latent)."""
    code = torch.as_tensor(z).to(loaded.device, loaded.dtype)
    with torch.inference_mode():
        found = loaded.module.decode_rdf(code), loaded.module.decode_energies(code)
    return found[0].double().cpu().numpy(), found[1].double().cpu().numpy()


def species_logits(loaded: TorchGlassVAE, frame: Frame, z: np.ndarray) -> np.ndarray:
    """(N, species) of the positions of a frame and a latent vector (latent,)."""
    graph = loaded.graph(frame.positions, frame.cell, frame.types)
    code = torch.as_tensor(z).to(loaded.device, loaded.dtype).unsqueeze(0)
    with torch.inference_mode():
        sample = torch.zeros_like(graph.types)
        logits = loaded.module.decode_species(sample, graph.edge_index, graph.edge_vectors, code)
    found: np.ndarray = logits.double().cpu().numpy()
    return found


def _species_scores(frames: Sequence[Frame], logits: Sequence[np.ndarray]) -> dict[str, float]:
    types, scores = np.concatenate([frame.types for frame in frames]), np.concatenate(logits)
    top = scores.max(1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
    right = float(np.mean(scores.argmax(1) == types))
    return {"accuracy": right, "cross_entropy": float(-logs[np.arange(len(types)), types].mean())}


def reconstruction(loaded: TorchGlassVAE, frames: Sequence[Frame]) -> dict[str, float]:
    """What a variant of the paper gives back of the edges and species that it was fed."""
    wrong, true, logits = [], [], []
    for frame in frames:
        graph = loaded.graph(frame.positions, frame.cell, frame.types)
        with torch.inference_mode():
            scores, distances = loaded.module.reconstruct(graph.types, graph.edge_index, graph.edge_vectors)
        exact = graph.edge_vectors.norm(dim=1).double().cpu().numpy()
        wrong.append(distances.double().cpu().numpy() - exact)
        true.append(exact)
        logits.append(scores.double().cpu().numpy())
    errors, exact = np.concatenate(wrong), np.concatenate(true)
    return {
        "distance_rmse": rms(errors),
        "distance_r2": r_squared(exact + errors, exact),
        **{f"species_{name}": value for name, value in _species_scores(frames, logits).items()},
    }
