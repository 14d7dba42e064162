"""The latent vector before training: the best linear code of what it must tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toy_glassvae
from vitrify.data.frames import load_frames
from vitrify.glassvae.models.base import graph_sums
from vitrify.glassvae.training.batches import Items, make_batch
from vitrify.glassvae.training.latent_start import start_latents
from vitrify.models import build_model

LATENT = 3


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A model whose latents were started on 40 structures, its z of them, and their batch."""
    path = toy_glassvae.write_frames(tmp_path_factory.mktemp("start") / "f.extxyz", groups=10, frames=4)
    torch.manual_seed(0)
    model = build_model("glassvae", {**toy_glassvae.CONFIG, "latent": LATENT, "summary": 6}, toy_glassvae.SYSTEM)
    model = model.double()
    frames = load_frames([path], toy_glassvae.SYSTEM.species)
    source = Items(frames, model)
    items = [source[index, 0] for index in range(len(frames))]
    start_latents(model, items)
    batch = make_batch(items, model.rdf_mean)
    with torch.no_grad():
        contributions = model.atoms(batch.types, batch.pairs, batch.vectors, len(batch.types))[1]
        mu, log_variance, _ = model.head(graph_sums(contributions, batch.sample, len(items)), batch.counts)
    return model, mu, log_variance, batch


def test_codes_are_centred_independent_and_of_one_size(started):
    _, mu, log_variance, _ = started
    z = mu.numpy()
    np.testing.assert_allclose(z.mean(0), 0.0, atol=1e-6)
    np.testing.assert_allclose(z.T @ z / len(z), np.eye(LATENT), atol=0.02)
    assert float(log_variance.max()) < -3.0


def test_no_linear_code_of_the_pair_distances_tells_more(started):
    model, mu, _, batch = started
    with torch.no_grad():
        said = model.decode_rdf(mu).flatten(1).numpy()
    true = batch.rdf.flatten(1).numpy()
    left = np.square(said - true).sum()
    centred = true - true.mean(0)
    whole = np.square(centred).sum()
    # any 3 numbers of a structure, linear in its g(r) or not, leave at least what its principal axes leave
    principal = np.square(np.linalg.svd(centred)[1][LATENT:]).sum()
    assert principal <= left < 1.15 * principal < 0.8 * whole
    # of other numbers that are linear in the same distances, random ones tell far less
    random = np.random.default_rng(0).normal(size=(len(true), LATENT))
    fit = random @ np.linalg.lstsq(random, centred, rcond=None)[0]
    assert left < 0.7 * np.square(centred - fit).sum()
