"""`vitrify explain`: its report and files, runs that were interrupted, and one clear error for bad input."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from typer.testing import CliRunner

import model_files
from lammps_runner import Configuration
from toy_explain import QUICK, PlantedSymGNN, as_structure, needs_homcloud, write
from toy_symgnn import METAL, glass, write_toy
from vitrify.cli.main import app
from vitrify.engines.load import load_model
from vitrify.symgnn.explain import EXPLANATION, measure, store, topology
from vitrify.symgnn.explain.dumps import write_dump
from vitrify.symgnn.explain.explainer import Explanation, explain_atom
from vitrify.symgnn.explain.mask import open_masked
from vitrify.symgnn.explain.subgraph import all_edges


def as_extxyz(c: Configuration, path: Path, species: tuple[str, ...] = METAL.species) -> Path:
    atoms = ase.Atoms([species[t] for t in c.types], positions=c.positions, cell=c.cell, pbc=True)
    ase.io.write(path, atoms, format="extxyz")
    return path


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@needs_homcloud
def test_a_report_from_the_command_line(tmp_path: Path) -> None:
    model, baseline = (write_toy(tmp_path / f"{name}.pt", seed=seed) for name, seed in (("one", 3), ("two", 8)))
    structure = tmp_path / "glass.npz"
    c = glass(counts=(8, 8, 8))
    np.savez(structure, positions=c.positions, cell=c.cell, types=np.asarray(c.types) + 1)
    out = tmp_path / "out"
    words = ["--atoms", "500,3", "--epochs", "4", "--top", "8", "--permutations", "20", "--baseline", str(baseline)]
    result = CliRunner().invoke(app, ["explain", str(model), str(structure), "--out", str(out), *words])
    assert result.exit_code == 0, result.output
    page = text_of(out / "report.html")
    for expected in (
        "one.pt (toy)", "two.pt (toy)", "length-matched null", "Table", "DOES NOT SURVIVE", "data:image/png;base64,",
        "--atoms 3,500", "optimal 1-cycles",
    ):  # fmt: skip
        assert expected in page
    assert "http" not in page

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is not JSON")

    metrics = json.loads(text_of(out / "metrics.json"), parse_constant=refuse)
    assert [each["name"] for each in metrics["models"]] == ["one.pt", "two.pt"]
    values = load_model(model).predict(c.positions, c.cell, c.types)[0]  # type: ignore[call-arg, arg-type]
    first = metrics["models"][0]
    assert [atom["atom"] for atom in first["atoms"]] == [3, 500]
    assert [atom["prediction"] for atom in first["atoms"]] == pytest.approx(values[[2, 499]], abs=1e-9)
    assert set(first["optimal_cycles"]) == {"high", "medium", "low", "random"}
    assert set(first["optimal_cycles"]["high"]["nulls"]) == {"length", "length and species"}
    for prefix in ("", "baseline_"):
        assert all((out / f"pictures/{prefix}atom_{n}.png").stat().st_size > 10_000 for n in (3, 500))
    check_files(out, c, [3, 500])


def check_files(out: Path, c: Configuration, ids: list[int]) -> None:
    """The files for OVITO say what the explanations on disk say."""
    found = {int(path.stem[5:]): store.load_explanation(path) for path in out.glob("explanations/*/atom_*.npz")}
    lines = text_of(out / "edges.dump").splitlines()
    starts = [index for index, line in enumerate(lines) if line == "ITEM: TIMESTEP"]
    assert [int(lines[start + 1]) for start in starts] == ids
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        body = np.array(
            [line.split() for line in lines[start:end] if line[:1].isdigit() and len(line.split()) == 6], float
        )
        assert len(body) == int(lines[start + 3]) and (np.diff(body[:, 4]) <= 0).all()
        d = c.positions[body[:, 2].astype(int) - 1] - c.positions[body[:, 1].astype(int) - 1]
        d -= np.rint(d @ np.linalg.inv(c.cell)) @ c.cell
        assert np.linalg.norm(d, axis=1) == pytest.approx(body[:, 3], rel=1e-4)
        assert body[:, 5].max() > 0
    lines = text_of(out / "importance.dump").splitlines()
    table = np.array([line.split()[6:] for line in lines if len(line.split()) == 9 and line[:1].isdigit()], float)
    frames = ase.io.read(out / "importance.extxyz", ":")
    names = ("importance", "hops", "distance")
    both = np.concatenate([np.column_stack([frame.arrays[name] for name in names]) for frame in frames])
    assert np.array_equal(table, both)
    dumped = ase.io.read(out / "importance.dump", ":", format="lammps-dump-text")
    assert [int(frame.info["centre"]) for frame in frames] == ids and len(dumped) == len(ids) and set(ids) <= set(found)
    for frame, other in zip(frames, dumped, strict=True):
        importance = frame.arrays["importance"]
        assert importance.max() > 0 and (importance[frame.arrays["hops"] < 0] == 0).all()
        assert frame.arrays["distance"][int(frame.info["centre"]) - 1] == 0
        off = (other.positions - c.positions) @ np.linalg.inv(c.cell)
        assert np.abs(off - np.rint(off)).max() < 1e-5


def test_dumps_of_triclinic_cells_keep_all_distances(tmp_path: Path) -> None:
    """Turned as LAMMPS wants it, also for a left-handed cell that lies anyhow in space."""
    c = glass(tilt=0.3)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    rotation[:, 0] *= -np.sign(np.linalg.det(rotation))
    structure = dataclasses.replace(as_structure(c), positions=c.positions @ rotation, cell=c.cell @ rotation)
    assert np.linalg.det(structure.cell) < 0
    edges = all_edges(structure.positions, structure.cell, 5.0)
    toy = open_masked(str(write_toy(tmp_path / "toy.pt")))
    found = explain_atom(toy, edges, structure.types, 0, 0.1, 0.1, QUICK)
    write_dump(tmp_path / "a.dump", structure, METAL.species, [found])
    read = ase.io.read(tmp_path / "a.dump", format="lammps-dump-text")
    assert read.get_volume() == pytest.approx(abs(np.linalg.det(structure.cell)), rel=1e-6)
    # The lattice and its image in a mirror have the same distances.
    expected = np.sort(np.linalg.norm(edges.vectors, axis=1))
    got = np.sort(np.linalg.norm(all_edges(read.positions, np.array(read.cell), 5.0).vectors, axis=1))
    assert len(got) == len(expected) and got == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write_toy(tmp_path / "m.pt")
    structure = as_extxyz(glass(tilt=0.2), tmp_path / "glass.xyz")
    real, done = measure.explain_atom, []

    def stop_after_two(*arguments: Any) -> Explanation:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments[3])
        return real(*arguments)

    monkeypatch.setattr(measure, "explain_atom", stop_after_two)
    settings = dataclasses.replace(QUICK, number=3, topology=False)
    with pytest.raises(KeyboardInterrupt):
        EXPLANATION.run(model, structure, tmp_path / "out", settings, progress=False)
    more: list[int] = []
    monkeypatch.setattr(measure, "explain_atom", lambda *a: more.append(a[3]) or real(*a))
    first = EXPLANATION.run(model, structure, tmp_path / "out", settings, progress=False)
    assert len(more) == 1 and not set(more) & set(done)
    assert "no persistent homology here: it was not asked for" in text_of(first)
    # Other settings of the mask are other work; other nulls are not.
    EXPLANATION.run(model, structure, tmp_path / "out", dataclasses.replace(settings, permutations=10), progress=False)
    assert len(more) == 1
    EXPLANATION.run(model, structure, tmp_path / "out", dataclasses.replace(settings, epochs=3), progress=False)
    assert len(more) == 4


def test_without_homcloud_the_rest_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "find_spec", lambda name: None)
    c = glass("lj", counts=(9, 9, 9))
    structure = tmp_path / "glass.npz"
    np.savez(structure, positions=c.positions, cell=c.cell, types=np.asarray(c.types) + 1)
    settings = dataclasses.replace(QUICK, atoms=(5,))
    page = text_of(
        EXPLANATION.run(write_toy(tmp_path / "m.pt", "lj"), structure, tmp_path / "out", settings, progress=False)
    )
    assert "homcloud is not installed" in page and "pip install" in page and "vitrify[explain]" in page
    assert json.loads(text_of(tmp_path / "out/metrics.json"))["models"][0]["optimal_cycles"] is None


def test_a_baseline_may_name_its_species_in_another_order(tmp_path: Path) -> None:
    c = glass()
    structure = as_extxyz(c, tmp_path / "glass.xyz")
    one = write_toy(tmp_path / "one.pt")
    swapped = write_toy(tmp_path / "two.pt", species=("Zr", "Cu"))
    settings = dataclasses.replace(QUICK, atoms=(1, 2), topology=False)
    EXPLANATION.run(
        one, structure, tmp_path / "out", dataclasses.replace(settings, baseline=str(swapped)), progress=False
    )
    metrics = json.loads(text_of(tmp_path / "out/metrics.json"))
    values = load_model(swapped).predict(c.positions, c.cell, 1 - np.asarray(c.types))[0]  # type: ignore[call-arg, arg-type]
    assert [atom["prediction"] for atom in metrics["models"][1]["atoms"]] == pytest.approx(values[:2], abs=1e-9)


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    model = write_toy(tmp_path / "m.pt")
    c = glass(counts=(3, 3, 3))
    good = as_extxyz(c, tmp_path / "glass.xyz")
    alien = as_extxyz(c, tmp_path / "alien.xyz", ("Cu", "Ni"))
    open_cell = tmp_path / "cluster.xyz"
    ase.io.write(open_cell, ase.Atoms("Cu4", positions=np.eye(4, 3) * 2), format="extxyz")
    ogn = model_files.export(tmp_path / "ogn.pt").path
    lj = write_toy(tmp_path / "lj.pt", "lj")
    flat = write(tmp_path / "flat.pt", PlantedSymGNN(5.0, 0), "flat")
    cases: list[tuple[list[str], str]] = [
        ([str(model), str(good), "--atoms", "1,99"], "atom 99 is not in the structure"),
        ([str(model), str(good), "--atoms", "0"], "atoms count from 1"),
        ([str(model), str(good), "--atoms", "2,2"], "repeat"),
        ([str(model), str(good), "--atoms", "one"], "not integers"),
        ([str(model), str(good), "--number", "500"], "ask for fewer"),
        ([str(model), str(good), "--epochs", "0"], "epochs is 0"),
        ([str(model), str(alien)], "Ni"),
        ([str(model), str(open_cell)], "not periodic"),
        ([str(model), str(tmp_path / "none.xyz")], "none.xyz"),
        ([str(ogn), str(good)], "kind 'ogn'"),
        ([str(model), str(good), "--baseline", str(lj)], "compare models of one system"),
        ([str(flat), str(good)], "nothing to explain"),
    ]
    for words, expected in cases:
        result = CliRunner().invoke(app, ["explain", *words, "--out", str(tmp_path / "out"), "--no-topology"])
        assert result.exit_code == 1, (words, result.output)
        assert result.output.startswith("vitrify: ") and expected in result.output, result.output
        assert result.output.count("\n") == 1, result.output
