"""A model file that is told how its glasses respond to targets asks for what brings them."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from toy_samples import CONFIGS, write_crystals
from vitrify.amshortcut.evaluate.design import response
from vitrify.amshortcut.generate import make_sampler
from vitrify.amshortcut.training.responses import Response, parse_responses
from vitrify.core.errors import VitrifyError
from vitrify.export.from_run import export_run
from vitrify.generation.generate import generate
from vitrify.modelfile.archive import read_metadata
from vitrify.training.run import train

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A short run of a flow on crystals of many densities."""
    folder = tmp_path_factory.mktemp("crystals")
    write_crystals(folder / "c.extxyz.gz")
    config = {
        "kind": "amshortcut", "model": CONFIGS["flow"],
        "data": {"train": ["c.extxyz.gz"], "species": ["Si", "O"], "properties": ["spacing", "ring_size"]},
        "training": {"max_steps": 12, "batch_size": 2, "validate_every": 6, "device": "cpu", "learning_rate": 0.01},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    train(folder / "config.yaml", folder / "run")
    return folder / "run"


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_target_becomes_the_request_that_brings_it(run, tmp_path, engine):
    plain = export_run(run, tmp_path / "plain.pt", "float64").path
    told = export_run(run, tmp_path / "told.pt", "float64", ["spacing=0.4,0.8"]).path
    target = 0.4 + 0.8 * 3.05
    one = generate(plain, 64, target={"spacing": 3.05, "ring_size": 6.0}, seed=3, engine=engine)
    other = generate(told, 64, target={"spacing": target, "ring_size": 6.0}, seed=3, engine=engine)
    np.testing.assert_allclose(one.cell[:], other.cell[:], rtol=1e-9)
    np.testing.assert_allclose(one.positions, other.positions, atol=1e-5)  # the run is in single precision
    sampler = make_sampler(plain, read_metadata(plain), engine, "cpu")
    unasked = sampler.plan(64, None, None, None, {"spacing": target, "ring_size": 6.0}, 5, 0.0)
    assert np.abs(one.cell[:] - unasked.cell).max() > 1e-3  # the response does matter
    assert read_metadata(told).properties == read_metadata(plain).properties  # the range is that of the data


def test_what_the_response_of_glasses_is():
    targets = np.linspace(5.0, 7.0, 9)
    found = response(1.5 + 0.5 * targets, targets)
    assert found == pytest.approx([1.5, 0.5])
    assert response(np.array([1.0, np.nan, np.nan]), np.arange(3.0)) is None
    assert parse_responses(["ring_size=1.5,0.5", "a=0,1"]) == {"ring_size": Response(1.5, 0.5), "a": Response(0, 1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ring_size", "wanted NAME=INTERCEPT,SLOPE"),
        ("ring_size=1", "wanted NAME=INTERCEPT,SLOPE"),
        ("ring_size=1,-0.5", r"response of 1 \+ -0.5 x does not follow"),
        ("ring_siz=1,0.5", r"no property 'ring_siz' \(did you mean 'ring_size'\?\)"),
    ],
)
def test_responses_that_make_no_sense(text, message, run, tmp_path):
    with pytest.raises(VitrifyError, match=message):
        export_run(run, tmp_path / "bad.pt", None, [text])
    assert not (tmp_path / "bad.pt").exists()
