"""The evaluation of generators: a stand-in of known quality against real silicon, with the real LAMMPS."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from typer.testing import CliRunner

from report_text import ReportText
from toy_samples import SYSTEM, make_generator
from vitrify.amshortcut.evaluate import EVALUATION
from vitrify.amshortcut.evaluate.baselines import md_from_random, random_starts, steps_for
from vitrify.amshortcut.evaluate.design import calculator, errors
from vitrify.amshortcut.evaluate.figures import quality_figure
from vitrify.amshortcut.evaluate.measure import GeneratorFile, open_model, read_ensemble
from vitrify.amshortcut.evaluate.metrics import ReferenceEnsemble
from vitrify.amshortcut.evaluate.runs import counts_of, open_generator
from vitrify.amshortcut.evaluate.settings import Amounts, Settings
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.core.options import from_options
from vitrify.export.write import export_model
from vitrify.modelfile.archive import read_metadata
from vitrify.modelfile.metadata import Validity

SILICON = ("pair_style sw", "pair_coeff * * {potentials/Si.sw} Si")
# fmt: off
METADATA: dict[str, Any] = {
    "schema": 1, "kind": "amshortcut", "variant": "flow", "process": "flow", "species": ["Si"], "units": "metal",
    "dtype": "float32", "cutoff": 5.0, "layers": 1, "node_width": 4, "masses": [28.085], "reverse_edges": False,
    "validity": {"number_density": [0.04, 0.06], "composition": {"Si": [1, 1]}},
    "properties": [{"name": "density", "unit": "g/cm^3", "range": [2.0, 2.6]}],
    "statistics": {"names": ["number_density", "fraction:Si", "density"], "mean": [0.05, 1.0, 2.33],
                   "covariance": [[1e-4, 0, 0], [0, 0, 0], [0, 0, 0.01]]},
    "reference": {"cell": [[9, 0, 0], [0, 9, 0], [0, 0, 9]], "positions": [[0, 0, 0]], "species": ["Si"],
                  "tolerance": 1e-5, "time": 0.5, "step": 0.1, "properties": [None], "vectors": [[0, 0, 0]]},
}
# fmt: on


def solid(seed: int, spread: float = 0.15, edge: float = 5.43) -> Atoms:
    """Hot silicon: a crystal of 64 atoms, shaken."""
    atoms = bulk("Si", cubic=True, a=edge) * 2
    atoms.positions += np.random.default_rng(seed).normal(scale=spread, size=atoms.positions.shape)
    return atoms


class Stand:
    """In place of a model: hot silicon that is shaken less with more steps, and has the density that is asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, like: Atoms, *, steps: int, seed: int, target: Mapping[str, float] | None, free: bool = False
    ) -> Atoms:
        self.calls += 1
        rng = np.random.default_rng(seed)
        asked = (target or {}).get("density", 2.33 + 0.2 * rng.normal())
        edge = 5.43 * (2.3305 / asked) ** (1 / 3) if free else like.cell[0, 0] / 2
        return solid(1000 + seed, 0.15 + 0.3 / steps, edge)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file without a model, reference data of twelve simulations and training data."""
    folder = tmp_path_factory.mktemp("generator")
    with zipfile.ZipFile(folder / "toy.amshortcut.pt", "w") as archive:
        archive.writestr("toy/extra/vitrify.json", json.dumps(METADATA))
    frames = []
    for seed in range(24):
        frames.append(solid(seed))
        frames[-1].info["sample"] = seed // 2
    write(folder / "reference.extxyz", frames)
    (folder / "reference.extxyz.json").write_text(json.dumps({"title": "hot silicon", "system": "si-liquid"}))
    write(folder / "training.extxyz", [*frames[:3], solid(50)])
    return folder


def replaced(path: Path, generate: Stand) -> GeneratorFile:
    """A model file in whose place `generate` makes structures."""
    return replace(open_model(path, Settings()), generate=generate)


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "samples": 6, "sampling_steps": (1, 10), "potential": SILICON, "temperature": 300.0, "corrector_steps": 20,
        "measured": Amounts(2, 2, 3), "target": "density", "targets": (2.1, 2.5, 5), **changes,
    }  # fmt: skip
    return Settings(**values)


@pytest.mark.slow
def test_numbers_figures_and_report(folder: Path, tmp_path: Path) -> None:
    """A stand-in whose quality is known comes out in the right order; a second run makes nothing anew.

    Long because an evaluation takes seconds, and all of its numbers are looked at.
    """
    make = Stand()
    chosen = settings(training=(folder / "training.extxyz",))
    model, data = folder / "toy.amshortcut.pt", folder / "reference.extxyz"
    report = EVALUATION.run(replaced(model, make), data, tmp_path, chosen, progress=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    rows = {(row["method"], row["steps"]): row for row in metrics["runs"]}
    assert set(rows) == {
        (method, steps) for method in ("generated", "corrected", "md-generated", "md-corrected") for steps in (1, 10)
    }
    good, bad = rows["generated", 10], rows["generated", 1]
    floor, reference = metrics["floor"], metrics["reference"]
    assert 0 < floor["rdf"] < good["rdf"]["total"] < bad["rdf"]["total"]
    assert (floor["samples"], floor["against"]) == (6, 18)
    assert bad["short_pairs"]["per_atom"] > 0 == reference["short_pairs"]["per_atom"]
    assert bad["coordination"]["Si-Si"]["defects"] > good["coordination"]["Si-Si"]["defects"]
    assert reference["coordination"]["Si-Si"]["mean"] == pytest.approx(4.0, abs=0.1)
    assert good["rings"]["mean"] == pytest.approx(6.0, abs=0.3)
    # The crystal at rest, where each shaken one ends; half of the training set is the reference itself.
    assert good["energy"]["mean"] == pytest.approx(-4.3366, abs=1e-3)
    assert bad["novelty"]["mean"] > good["novelty"]["mean"] > 0.1
    assert rows["corrected", 10]["cpu_seconds"] > good["cpu_seconds"]
    assert rows["corrected", 1]["adf"]["total"] < bad["adf"]["total"]
    md = rows["md-corrected", 10]
    assert md["md_steps"] == 0 or md["cpu_seconds"] > 0.0
    defects = [row["coordination"]["Si-Si"]["defects"] for row in (md, rows["corrected", 10])]
    assert defects[0] > defects[1] + 0.1
    design = metrics["design"][0]
    assert design["errors"]["mae"] < 1e-3 < 0.05 < design["unconditional_errors"]["mae"]
    assert design["values"] == pytest.approx(design["targets"], abs=1e-3)

    page = ReportText(report.read_text())
    assert not page.outside and page.images == 5
    for text in (
        "published AMShortcut, 10",
        "0.0224",
        "model, 10 steps + corrector",
        "MD in the time of 1 step",
        "floor",
        "Inverse design: density",
    ):
        assert text in page.text
    assert {p.name for p in tmp_path.glob("*.png")} == {
        "rdf.png", "adf.png", "quality.png", "density-1.png", "density-10.png"
    }  # fmt: skip
    kept = read(tmp_path / "samples/corrected-10.extxyz", index=":")
    assert len(kept) == 6 and all(len(atoms) == 64 for atoms in kept)
    calls = make.calls
    EVALUATION.run(replaced(model, make), data, tmp_path, chosen, progress=False)
    assert make.calls == calls + 2 * 10  # designs alone
    again = json.loads((tmp_path / "metrics.json").read_text())
    assert [row["rdf"] for row in again["runs"]] == [pytest.approx(row["rdf"], rel=1e-4) for row in metrics["runs"]]


def test_without_a_potential_there_is_less(folder: Path, tmp_path: Path) -> None:
    plain = settings(
        potential=(), temperature=None, sampling_steps=(5,), target=None, targets=None, measured=Amounts(2, 0, 3)
    )
    model = replaced(folder / "toy.amshortcut.pt", Stand())
    EVALUATION.run(model, folder / "reference.extxyz", tmp_path, plain, progress=False)
    (row,) = json.loads((tmp_path / "metrics.json").read_text())["runs"]
    assert row["method"] == "generated" and row["energy"] is row["novelty"] is row["rings"] is None
    assert "MD in the time of" not in ReportText((tmp_path / "report.html").read_text()).text


def test_a_file_of_the_training_data_is_named(folder: Path, tmp_path: Path) -> None:
    from vitrify.core.files import sha256

    data = folder / "reference.extxyz"
    seen = {**METADATA, "provenance": {"data": [{"name": "reference.extxyz", "sha256": sha256(data)}]}}
    with zipfile.ZipFile(tmp_path / "seen.amshortcut.pt", "w") as archive:
        archive.writestr("toy/extra/vitrify.json", json.dumps(seen))
    plain = settings(
        potential=(), temperature=None, sampling_steps=(5,), target=None, targets=None, measured=Amounts(2, 0, 3)
    )
    report = EVALUATION.run(replaced(tmp_path / "seen.amshortcut.pt", Stand()), data, tmp_path / "o", plain)
    assert "that the model was trained on" in ReportText(report.read_text()).text


def test_md_from_a_random_start_makes_liquid_silicon() -> None:
    """Enough steps reach what is known of the liquid at 2500 K: no gap of coordination, -3.63 eV an atom."""
    edge = (64 / 0.0518) ** (1 / 3)
    cells, counts = [np.eye(3) * edge] * 4, [{"Si": 64}] * 4
    made = md_from_random(cells, counts, ["Si"], SILICON, 2500.0, 300, 0.003, 7)
    energy = np.mean([atoms.info["energy"] / 64 for atoms in made.samples])
    assert energy == pytest.approx(-3.63, abs=0.06)
    assert made.cpu_seconds > 0
    again = md_from_random(cells[:2], counts[:2], ["Si"], SILICON, 2500.0, 300, 0.003, 7)
    assert np.array_equal(again.samples[1].positions, made.samples[1].positions)
    raw = [atoms for atoms, _ in random_starts(cells, counts, 7)]
    assert (
        ReferenceEnsemble(made.samples, ["Si"], amounts=Amounts(0, 0, 0)).measure(raw).metrics["short_pairs"]["samples"]
        == 1
    )


def test_steps_that_fit_a_time() -> None:
    assert steps_for(0.5, 0.1, 0.3, 100) == 200
    assert steps_for(0.05, 0.1, 0.3, 100) == 0


def test_properties_against_known_crystals() -> None:
    crystal = bulk("Si", cubic=True) * 2
    assert calculator("shear_modulus", SILICON, ["Si"])(crystal) == pytest.approx(56.4, rel=0.02)
    assert calculator("ring_size", (), ["Si"])(crystal) == pytest.approx(6.0)
    assert calculator("density", (), ["Si"])(crystal) == pytest.approx(2.33, abs=0.01)
    assert calculator("inherent_energy", SILICON, ["Si"])(crystal) == pytest.approx(-4.3366, abs=1e-3)
    assert calculator("li_fraction", (), ["Li", "O"])(Atoms("Li2O")) == pytest.approx(2 / 3)
    for name, message in (("shear_modulis", "did you mean 'shear_modulus'"), ("shear_modulus", "give --potential")):
        with pytest.raises(VitrifyError, match=message):
            calculator(name, (), ["Si"])


def test_errors_of_a_property() -> None:
    found = errors(np.array([1.0, 3.0, np.nan]), np.array([2.0, 2.0, 2.0]))
    assert found == {"mae": 1.0, "rmse": 1.0, "mape": 50.0, "failed": 1}
    assert np.isnan(errors(np.array([np.nan]), np.array([1.0]))["mae"])


def test_simulations_are_counted_over_files(folder: Path) -> None:
    samples, groups = read_ensemble([folder / "reference.extxyz", folder / "training.extxyz"])
    assert len(samples) == 28 and groups[:4] == [0, 0, 1, 1] and groups[23:] == [11, 12, 12, 13, 14]
    assert counts_of(Atoms("OSiO")) == {"O": 2, "Si": 1}


@pytest.mark.parametrize("variant", ["ode", "paper"])
def test_processes_of_the_paper_are_opened(variant: str, tmp_path: Path) -> None:
    names = ("number_density", "fraction:Si", "fraction:O", *SYSTEM.properties)
    model = make_generator(variant)
    path = export_model(
        model, tmp_path / "paper.pt", kind="amshortcut", variant=variant, species=SYSTEM.species, units="metal",
        validity=Validity(number_density=(0.04, 0.08), composition={"Si": (0, 1), "O": (0, 1)}), dtype="float64",
        masses=SYSTEM.masses, properties=[{"name": name, "unit": "", "range": (0, 100)} for name in SYSTEM.properties],
        statistics={"names": names, "mean": (0.06, 0.5, 0.5, 30.0, 6.0), "covariance": np.eye(5).tolist()},
    ).path  # fmt: skip
    like = bulk("Si", "diamond", a=5.4, cubic=True).repeat(2)
    made = open_generator(path, read_metadata(path), "auto", 0.0)(like, steps=3, seed=1, target=None)
    assert len(made) > 0 and np.isfinite(made.positions).all()
    assert set(made.get_chemical_symbols()) <= set(SYSTEM.species)
    with pytest.raises(VitrifyError, match="only engine torch runs it"):
        open_generator(path, read_metadata(path), "native", 0.0)


def test_quality_figure_shows_each_method() -> None:
    runs = [
        {"method": method, "steps": steps, "cpu_seconds": 0.1 * steps, "rdf": {"total": 0.5 / steps},
         "adf": {"total": 0.01 / steps}} for method in ("generated", "corrected", "md-generated") for steps in (1, 5)
    ]  # fmt: skip
    figure = quality_figure(runs, {"rdf": 0.01, "adf": 1e-4}, {"published": {1: (0.3, 0.02, 2.0)}})
    steps, times = figure.axes[:2]
    assert [line.get_label() for line in steps.get_lines()] == [
        "model", "model + corrector", "published", "floor"
    ]  # fmt: skip
    assert [line.get_label() for line in times.get_lines()][2:] == ["MD from a random start", "floor"]
    assert figure.axes[2].get_lines()[2].get_ydata().tolist() == [0.02]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampling-steps", "1,x"], "are no integers"),
        (["--sampling-steps", "0"], "must be positive"),
        (["--measured", "5,5"], "three numbers"),
        (["--samples", "1"], "must be at least 2"),
        (["--property", "density"], "go together"),
        (["--property", "density", "--targets", "3:2:5"], "a low below the high"),
        (["--property", "densty", "--targets", "2:3:5"], "knows no property 'densty'"),
        (["--temperature", "-5"], "must be above zero"),
        (["--potential", "pair_coeff * * Si.sw Si"], "no pair_style"),
        (["--data", "nowhere.extxyz"], "there is no file nowhere.extxyz"),
    ],
)
def test_bad_input_on_the_command_line(folder: Path, options: list[str], message: str) -> None:
    given = ["evaluate", str(folder / "toy.amshortcut.pt"), "--data", str(folder / "reference.extxyz"), *options]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_data_of_other_elements_or_too_few(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other.extxyz", [bulk("Ge", cubic=True)] * 5)
    write(tmp_path / "few.extxyz", [solid(1)] * 3)
    (tmp_path / "broken.extxyz").write_text("5\nnothing\n")
    for name, message in (
        ("other", "have Ge"),
        ("few", "at least 4"),
        ("broken", "the file ends after 0 of the 5 atoms"),
    ):
        with pytest.raises(VitrifyError, match=message):
            EVALUATION.run(replaced(folder / "toy.amshortcut.pt", Stand()), tmp_path / f"{name}.extxyz", tmp_path)


def test_settings_from_a_command_line() -> None:
    given = {
        "sampling_steps": "5,1,5", "potential": "pair_style sw; pair_coeff * * Si.sw Si", "targets": "10:50:3",
        "property": "shear_modulus", "samples": 7, "measured": "3,2,1", "decode": 5,
    }  # fmt: skip
    found = from_options(Settings, given)
    assert (found.samples, found.target, found.measured) == (7, "shear_modulus", Amounts(3, 2, 1))
    assert found.sampling_steps == (5, 1) and found.potential == SILICON
    assert found.target_values.tolist() == [10, 30, 50]
