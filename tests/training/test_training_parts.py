"""Parts of the training of SymGNN: pieces of a structure, the variance of errors, the potential of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from labelled_glass import CONFIG, SMALL, glass
from symgnn_variants import graph_of, make_atoms
from vitrify.core.errors import VitrifyError
from vitrify.data.structures import load_structures
from vitrify.engines.open import open_model
from vitrify.export.from_run import export_run
from vitrify.symgnn.training.subgraphs import k_hop_subgraph
from vitrify.symgnn.training.task import fit_variance
from vitrify.training.run import load_run, train

pytestmark = pytest.mark.train


def test_a_piece_holds_all_edges_of_its_complete_atoms() -> None:
    graph = graph_of(*make_atoms(8), cutoff=4.0)
    piece, atoms, complete = k_hop_subgraph(graph, 100, 2)
    assert 0 < complete.sum() < len(atoms) < len(graph.types)
    assert torch.equal(piece.types, graph.types[atoms])
    counts = torch.bincount(graph.edge_index[0], minlength=len(graph.types))[atoms]
    found = torch.bincount(piece.edge_index[0], minlength=len(atoms))
    assert torch.equal(found[complete], counts[complete]) and (found[~complete] < counts[~complete]).any()
    neighbours = set(graph.edge_index[1, graph.edge_index[0] == 100].tolist())
    assert set(atoms[complete].tolist()) == neighbours | {100}
    vectors = {(i, j): v for (i, j), v in zip(graph.edge_index.T.tolist(), graph.edge_vectors.tolist(), strict=True)}
    for (i, j), vector in zip(atoms[piece.edge_index].T.tolist(), piece.edge_vectors.tolist(), strict=True):
        assert vectors[i, j] == vector


def test_the_variance_of_errors_is_found() -> None:
    rng = np.random.default_rng(0)
    spreads = torch.from_numpy(rng.uniform(0.0, 0.1, 50_000))
    errors = (0.3 + 5.0 * spreads).sqrt() * torch.from_numpy(rng.standard_normal(50_000))
    variance, gain = fit_variance(errors.square(), spreads)
    assert float(variance) == pytest.approx(0.3, rel=0.05) and float(gain) == pytest.approx(5.0, rel=0.08)
    # members that agree more where they are worse say nothing
    variance, gain = fit_variance(errors.square(), 0.1 - spreads)
    assert float(gain) == 0.0 and float(variance) == pytest.approx(float(errors.square().mean()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glasses")
    for seed, name in enumerate("abcd"):
        glass(folder / f"{name}.npz", seed)
    rows = [f"{n} {r:.8f} {(5 - r) ** 4 / 300:.10f} 0.0" for n, r in enumerate(np.linspace(1.0, 5.0, 300), 1)]
    sections = [f"{pair}\nN 300\n\n" + "\n".join(rows) for pair in ("Cu-Cu", "Cu-Zr", "Zr-Zr")]
    (folder / "psi.table").write_text("\n\n".join(sections))
    config = CONFIG.replace("VARIANT", f"exact, {SMALL}, members: 2, fields: 4, stiffness: true")
    (folder / "stiff.yaml").write_text(config.replace("unit: eV", "unit: eV, potential: psi.table"))
    (folder / "schnet.yaml").write_text(CONFIG.replace("VARIANT", "schnet, cutoff: 4.0"))
    return folder


def test_a_model_with_the_potential_of_its_labels(folder: Path, tmp_path: Path) -> None:
    train(folder / "stiff.yaml", tmp_path / "run")
    model = load_run(tmp_path / "run").model
    (unseen,) = load_structures([folder / "d.npz"], ["Cu", "Zr"], "barrier")
    graph = graph_of(unseen.positions, unseen.cell, unseen.types)
    with torch.no_grad():
        wanted = model.double()(*graph)
        stiffness, _ = model.stiffness_pass(0, *model.start(*graph), *graph, len(graph.types))
    assert float(stiffness[:, :3].mean()) == pytest.approx(1.0, rel=0.1)  # in units of the training mean
    path = export_run(tmp_path / "run", tmp_path / "stiff.symgnn.pt").path
    assert open_model(path, "native", kind="symgnn").metadata.validity.max_deviation > 0
    assert str(folder) not in path.read_bytes().decode("latin1")
    for engine in ("native", "torch"):
        found = open_model(path, engine, kind="symgnn").predict(unseen.positions, unseen.cell, unseen.types)
        for got, expected in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got, expected.numpy(), rtol=3e-5)


def test_a_potential_and_stiffness_go_together(folder: Path, tmp_path: Path) -> None:
    for overrides, message in (
        (["model.stiffness=false"], r"does not use it: set model\.stiffness"),
        (["data.potential=null"], r"needs data\.potential"),
        (["data.potential=none.table"], r"none\.table: no such file"),
        (["data.pieces=2"], "for whole structures"),
    ):
        with pytest.raises(VitrifyError, match=message):
            train(folder / "stiff.yaml", tmp_path, overrides=overrides)


def test_training_on_pieces_learns(folder: Path, tmp_path: Path) -> None:
    overrides = ["data.pieces=2", "training.max_steps=200"]
    train(folder / "schnet.yaml", tmp_path, overrides=overrides)
    assert load_run(tmp_path).metrics["pearson"] > 0.5
