"""Scores of g(r), species and energies that are decoded from the latent vector z alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vitrify.data.frames import Frame
from vitrify.glassvae.evaluate.metrics import explained_by, means_of, r_squared, rms, shuffled_between
from vitrify.glassvae.evaluate.results import FrameSet, Predictions
from vitrify.glassvae.torchscript import TorchGlassVAE


def latent_scores(found: Predictions, training: FrameSet) -> tuple[dict[str, Any], np.ndarray]:
    """Scores of g(r), species and energies decoded from z for thermal frames, and the decoded g(r) (F, pairs, bins).

    "shuffled": with the z of a frame of another temperature. "mean": the mean of the frame's temperature in the
    training frames, or in these ones without them.
    """
    test, rdf, z = found.test, found.rdf, found.latents
    other = shuffled_between(test.segments)
    g, energies = decode(found.opened, z)
    own = training if training.frames else test
    mean = means_of(own.rdf, own.frames, test.frames)
    thermal = test.thermal
    compared = {"z": g, "shuffled z": g[other], "mean of the temperature": mean}
    metrics = {
        "numbers": z.shape[1],
        "rdf": {name: float(rdf.error(each, test.rdf)[thermal].mean()) for name, each in compared.items()},
        "wasserstein": {
            name: float(rdf.wasserstein(each, test.rdf)[thermal].mean()) for name, each in compared.items()
        },
        "linear_code": explained_by(test.rdf[thermal], own.rdf, z.shape[1]),
        "species": _species(found, other),
        "energies": _energies(test, energies, other),
    }
    return metrics, g


def _species(found: Predictions, other: np.ndarray) -> dict[str, dict[str, float]]:
    """Scores of species decoded from positions and z, from the z of the frames `other` (F,), and of a constant."""
    frames, z = found.test.frames, found.latents
    own, mixed = (
        [species_logits(found.opened, frame, z[row]) for frame, row in zip(frames, rows, strict=True)]
        for rows in (np.arange(len(frames)), other)
    )
    share = np.bincount(np.concatenate([frame.types for frame in frames])) / sum(map(len, frames))
    return {
        "z": _species_scores(frames, own),
        "shuffled z": _species_scores(frames, mixed),
        "most frequent": {"accuracy": float(share.max()), "cross_entropy": float(-(share * np.log(share)).sum())},
    }


def _energies(test: FrameSet, predicted: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Scores of energy and inherent energy (F, 2) decoded from z, and from the z of the frames `other` (F,)."""
    true = np.array([[frame.energy_per_atom, frame.inherent_energy] for frame in test.frames])
    thermal, found = test.thermal, {}
    for column, name in enumerate(("energy", "inherent_energy")):
        mine, shuffled, exact = predicted[:, column], predicted[other][:, column], true[:, column]
        have = thermal & np.isfinite(exact)
        within = {part: have & (test.segments == part) for part in test.parts(thermal)}
        found[name] = {
            "rmse": rms(mine[have] - exact[have]),
            "r2": r_squared(mine[have], exact[have]),
            "shuffled_r2": r_squared(shuffled[have], exact[have]),
            "within": {part: r_squared(mine[rows], exact[rows]) for part, rows in within.items()},
        }
    return found


def decode(opened: TorchGlassVAE, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g(r) (F, P, bins), and energy and inherent energy for each atom (F, 2), of latent vectors (F, latent)."""
    code = torch.as_tensor(z).to(opened.device, opened.dtype)
    with torch.inference_mode():
        found = opened.module.decode_rdf(code), opened.module.decode_energies(code)
    return found[0].double().cpu().numpy(), found[1].double().cpu().numpy()


def species_logits(opened: TorchGlassVAE, frame: Frame, z: np.ndarray) -> np.ndarray:
    """(N, species) of the positions of a frame and a latent vector (latent,)."""
    graph = opened.graph(frame.positions, frame.cell, frame.types)
    code = torch.as_tensor(z).to(opened.device, opened.dtype).unsqueeze(0)
    with torch.inference_mode():
        sample = torch.zeros_like(graph.types)
        logits = opened.module.decode_species(sample, graph.edge_index, graph.edge_vectors, code)
    found: np.ndarray = logits.double().cpu().numpy()
    return found


def _species_scores(frames: Sequence[Frame], logits: Sequence[np.ndarray]) -> dict[str, float]:
    types, scores = np.concatenate([frame.types for frame in frames]), np.concatenate(logits)
    top = scores.max(1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
    right = float(np.mean(scores.argmax(1) == types))
    return {"accuracy": right, "cross_entropy": float(-logs[np.arange(len(types)), types].mean())}


def reconstruction(opened: TorchGlassVAE, frames: Sequence[Frame]) -> dict[str, float]:
    """Scores of a variant of the paper that decodes the edges and species of its own input."""
    wrong, true, logits = [], [], []
    for frame in frames:
        graph = opened.graph(frame.positions, frame.cell, frame.types)
        with torch.inference_mode():
            scores, distances = opened.module.reconstruct(graph.types, graph.edge_index, graph.edge_vectors)
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
