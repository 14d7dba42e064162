"""Training: it learns, it stops and continues exactly, and what it reports is what one computes by hand."""

from __future__ import annotations

import csv
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import toy_trajectories as toy
import vitrify
from child_processes import wait_until
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.core.signals import Stopped
from vitrify.data.trajectories import TrajectoryFile
from vitrify.graphs.neighbours import build_graph
from vitrify.training.checkpoint import BEST, LAST, LOG, Log, Progress, load_checkpoint, save_checkpoint
from vitrify.training.config import TrainingConfig
from vitrify.training.loop import Averaged, Fit, StopSignal
from vitrify.training.run import load_run, train
from vitrify.training.schedule import StepBatches, fraction_done, learning_rate

pytestmark = pytest.mark.train

CONFIG = """
kind: ogn
model: {variant: VARIANT}
data: {train: [train.h5], validation: [validation.h5], stride: 4, validation_pairs: 9}
training: {max_steps: 20, batch_size: 2, validate_every: 8, learning_rate: 0.01, ema: 0.9, device: cpu}
"""
PAIR = "pair, cutoff: 1.5, reach: 0.2, core: 0.2, layers: 2, scalars: 4, hidden: 8, basis: 8"
PAPER = "paper, cutoff: 1.3, layers: 1, width: 8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write(folder / "train.h5", range(4))
    toy.write(folder / "validation.h5", range(10, 11))
    (folder / "pair.yaml").write_text(CONFIG.replace("VARIANT", PAIR))
    (folder / "paper.yaml").write_text(CONFIG.replace("VARIANT", PAPER))
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    """Everything in the last checkpoint that training changes, flat."""
    content = load_checkpoint(run / LAST)[1]
    state = content["optimizer"]["state"]
    moments = {f"optimizer.{i}.{name}": value for i, s in state.items() for name, value in s.items()}
    both = {f"{part}.{name}": value for part in ("task", "averaged") for name, value in content[part].items()}
    return {**both, **moments, "losses": content["loss"]}


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different


def command(*arguments: str, module: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(vitrify.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", *module, "vitrify.cli", "train", *arguments]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / LOG).open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_learns(folder, tmp_path):
    assert train(folder / "pair.yaml", tmp_path, overrides=["training.max_steps=150", "training.validate_every=50"])
    log = rows(tmp_path)
    assert [row["step"] for row in log] == ["50", "100", "150"]
    # A loss of 1 is ballistic motion.
    assert float(log[-1]["val_loss"]) < 0.25
    assert float(log[-1]["val_loss"]) < float(log[0]["val_loss"])
    assert float(log[-1]["lr"]) < 1e-4 < float(log[0]["lr"])


@pytest.mark.parametrize(
    "settings",
    [
        ("pair.yaml", "training.noise=0.05", "training.clip=0.1"),
        ("paper.yaml", "data.augmentation=cube", "training.optimizer=adamw", "training.amsgrad=true"),
        ("pair.yaml", "training.ema=0", "training.precision=64", "training.workers=1"),
    ],
)
def test_a_stopped_run_continues_exactly(folder, tmp_path, monkeypatch, settings):
    name, *overrides = settings
    assert train(folder / name, tmp_path / "whole", overrides=overrides)
    step = Fit._step

    def stopping_step(self, batch, rate):
        step(self, batch, rate)
        if self.progress.step in (5, 11):
            signal.raise_signal(signal.SIGTERM if self.progress.step == 5 else signal.SIGINT)

    monkeypatch.setattr(Fit, "_step", stopping_step)
    for stop in (5, 11):
        assert not train(folder / name, tmp_path / "parts", overrides=overrides)
        assert load_checkpoint(tmp_path / "parts" / LAST)[0].step == stop
    assert train(folder / name, tmp_path / "parts", overrides=overrides)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    timed = ("seconds", "steps_per_second")
    logs = [[{**row, **dict.fromkeys(timed)} for row in rows(tmp_path / name)] for name in ("whole", "parts")]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_a_killed_run_continues_exactly(folder, tmp_path):
    settings = ("training.max_steps=300", "training.save_every=0.01", "training.validate_every=7")
    config = str(folder / "pair.yaml")
    process = command(config, "--out", str(tmp_path / "killed"), *(x for s in settings for x in ("--set", s)))
    last = tmp_path / "killed" / LAST
    wait_until(lambda: process.poll() is not None or (last.is_file() and load_checkpoint(last)[0].step >= 20))
    assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    assert load_checkpoint(last)[0].step < 300
    for name in ("killed", "whole"):
        assert train(config, tmp_path / name, overrides=settings)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    steps = [int(row["step"]) for row in rows(tmp_path / "killed")]
    assert steps == [*range(7, 300, 7), 300]


def test_the_command(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["train", str(folder / "pair.yaml"), "--set", "training.max_steps=2"]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "runs/pair")
    assert load_checkpoint(tmp_path / "runs" / "pair" / LAST)[0].step == 2
    result = CliRunner().invoke(app, [*arguments, "--set", "training.max_step=3"])
    assert "did you mean 'max_steps'" in str(result.exception) + result.output
    monkeypatch.setattr(Fit, "run", lambda self: False)
    result = CliRunner().invoke(app, [*arguments, "--restart", "--out", "other"])
    assert result.exit_code == 130
    assert "the same command continues" in result.stderr


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(folder, tmp_path):
    settings = ["training.precision=64", "training.max_steps=6", "training.validate_every=3"]
    arguments = [x for s in (*settings, "training.batch_size=2") for x in ("--set", s)]
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    process = command(str(folder / "pair.yaml"), "--out", str(tmp_path / "two"), *arguments, module=launcher)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert train(folder / "pair.yaml", tmp_path / "one", overrides=[*settings, "training.batch_size=4"])
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        if name != "losses":
            torch.testing.assert_close(two[name], one[name], rtol=1e-8, atol=1e-12)
    for a, b in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for key in ("loss", "val_loss", "rmse_dr", "rmse_dv", "rmse_dv_over_v"):
            assert float(a[key]) == pytest.approx(float(b[key]), rel=1e-5)


def test_metrics_are_those_computed_by_hand(folder, tmp_path):
    train(folder / "pair.yaml", tmp_path, overrides=["training.precision=64"])
    run = load_run(tmp_path)
    with TrajectoryFile(folder / "validation.h5") as file:
        t = file.load(0)
    frames = 2  # stride 4, a frame every 2 steps
    errors_r, errors_v = [], []
    for start in np.linspace(0, 30 - frames - 1, 9).round().astype(int):
        graph = build_graph(t.positions[start], t.velocities[start], t.cell, t.types, run.model.cutoff, torch.float64)
        with torch.no_grad():
            dr, dv = run.model(*graph)
        errors_r.append(t.positions[start] + dr.numpy() - t.positions[start + frames])
        errors_v.append(t.velocities[start] + dv.numpy() - t.velocities[start + frames])
    assert run.metrics["rmse_dr"] == pytest.approx(np.sqrt(np.mean(np.square(errors_r))), rel=1e-9)
    assert run.metrics["rmse_dv"] == pytest.approx(np.sqrt(np.mean(np.square(errors_v))), rel=1e-9)
    with TrajectoryFile(folder / "train.h5") as file:
        velocities = np.array([x.velocities[:-frames] for x in file])
    spread = np.sqrt([np.mean(velocities[:, :, t.types == s] ** 2) for s in (0, 1)])
    relative = np.sqrt(np.mean((np.array(errors_v) / spread[t.types][:, None]) ** 2))
    assert run.metrics["rmse_dv_over_v"] == pytest.approx(relative, rel=1e-6)


def test_a_run_says_what_export_needs(folder, tmp_path):
    train(folder / "pair.yaml", tmp_path)
    run = load_run(tmp_path)
    info = run.info
    assert (run.kind, info["species"], tuple(info["masses"]), info["units"]) == ("ogn", ["A", "B"], toy.MASSES, "lj")
    assert (info["base_timestep"], info["stride"], run.model.timestep) == (0.01, 4, 0.04)
    assert not run.model.training
    density = toy.N_ATOMS / toy.EDGE**3
    assert run.info["validity"]["number_density"] == pytest.approx([0.98 * density, 1.02 * density])
    assert run.info["validity"]["composition"]["B"] == pytest.approx([1 / 3 - 0.02, 1 / 3 + 0.02])
    with TrajectoryFile(folder / "train.h5") as file:
        temperatures = [t.temperature.mean() for t in file]
    assert run.info["validity"]["temperature"] == pytest.approx([0.9 * min(temperatures), 1.1 * max(temperatures)])
    assert run.config["model"]["hidden"] == 8
    assert run.config["model"]["channels"] > 0  # defaults are written out
    assert run.provenance["seed"] == 1
    assert run.provenance["steps"] <= 20
    (data,) = run.provenance["data"]
    assert (data["name"], len(data["sha256"]), data["recipe"]) == (
        "train.h5",
        64,
        {"stiffness": toy.STIFFNESS},
    )
    json.dumps([run.config, run.provenance, run.info, run.metrics])


@pytest.mark.slow
def test_another_configuration_does_not_continue_a_run(folder, tmp_path):
    config = folder / "pair.yaml"
    train(config, tmp_path, overrides=["training.max_steps=2"])
    with pytest.raises(VitrifyError, match=r"model.hidden: 8, now 9.*--restart"):
        train(config, tmp_path, overrides=["training.max_steps=4", "model.hidden=9"])
    with pytest.raises(VitrifyError, match=r"data\.stride: 4, now 2"):
        train(config, tmp_path, overrides=["data.stride=2"])
    train(config, tmp_path, overrides=["training.max_steps=4"])
    assert load_checkpoint(tmp_path / LAST)[0].step == 4
    train(config, tmp_path, resume=False, overrides=["training.max_steps=3", "model.hidden=9"])
    assert load_checkpoint(tmp_path / LAST)[0].step == 3


def test_it_stops_when_nothing_improves(folder, tmp_path):
    still = [
        "training.learning_rate=1e-30",
        "training.final_learning_rate=0",
        "training.patience=2",
        "training.ema=0",
    ]
    assert train(folder / "pair.yaml", tmp_path, overrides=[*still, "training.validate_every=2"])
    progress = load_checkpoint(tmp_path / LAST)[0]
    assert (progress.step, progress.validations_without_improvement) == (6, 2)


def test_checkpoints_keep_their_format(tmp_path: Path) -> None:
    """Runs that an earlier version has begun can be continued and exported: names in the file stay as they were."""
    path = tmp_path / LAST
    fields = {"step": 7, "seconds": 1.5, "best_loss": 0.25, "stale": 3, "metrics": {"val_loss": 0.5}}
    torch.save({"progress": fields, "info": "{}", "averaged": {}}, path)
    progress, content = load_checkpoint(path)
    assert progress == Progress(7, 1.5, 0.25, 3, {"val_loss": 0.5}) and content["info"] == "{}"
    save_checkpoint(path, progress, {"averaged": {}}, "{}")
    assert torch.load(path, weights_only=True)["progress"] == fields


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_a_run_limited_by_time_ends(folder, tmp_path, clock):
    limits = ["training.max_steps=null", "training.max_time=0.5", "training.validate_every=5"]
    limits.append(f"training.clock={clock}")
    assert train(folder / "pair.yaml", tmp_path, overrides=limits)
    assert load_checkpoint(tmp_path / LAST)[0].seconds >= 0.5
    rates = [float(row["lr"]) for row in rows(tmp_path)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.stride=3", "a frame every 2; use a multiple of 2"),
        ("data.stride=60", "the longest trajectory has 30 frames"),
        ("kind=ogm", "did you mean 'ogn'"),
        ("model.width=9", "width is not a setting"),
        ("data.train=[none.h5]", "none.h5 does not exist"),
        ("training.device=cuda", "no CUDA device here"),
        ("training.learning_rate=1e30", "not finite"),
    ],
)
def test_mistakes_are_one_clear_error(folder, tmp_path, override, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VitrifyError, match=message):
        train(folder / "pair.yaml", tmp_path, overrides=[override, "training.clip=null"])


def test_foreign_and_damaged_checkpoints_are_refused(folder, tmp_path):
    with pytest.raises(VitrifyError, match="no such checkpoint"):
        load_run(tmp_path)

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"progress": Evil()}, tmp_path / BEST)
    with pytest.raises(VitrifyError, match="not a checkpoint"):
        load_run(tmp_path)
    assert not (tmp_path / "executed").exists()
    for content in (b"", b"PK\x03\x04broken", pickle.dumps({"progress": {}}, protocol=2)):
        (tmp_path / BEST).write_bytes(content)
        with pytest.raises(VitrifyError, match="not a checkpoint"):
            load_run(tmp_path)
    torch.save({"weights": torch.zeros(3)}, tmp_path / BEST)
    with pytest.raises(VitrifyError, match="not a checkpoint"):
        load_run(tmp_path)


def test_running_statistics_stay_double_and_cover_all_batches(folder, tmp_path):
    train(folder / "paper.yaml", tmp_path, overrides=["training.max_steps=5"])
    task = load_checkpoint(tmp_path / LAST)[1]["task"]
    assert task["model.node_inputs.total"].dtype == torch.float64
    assert task["model.node_inputs.count"].item() == 5 * 2 * toy.N_ATOMS
    assert task["model.decoder.output.weight"].dtype == torch.float32


def test_averaging_follows_its_formula():
    task = torch.nn.Linear(2, 1)
    averaged = Averaged(task, 0.5)  # type: ignore[arg-type]
    expected = task.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            task.weight += step
        averaged.update(task, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * task.weight.detach()
    torch.testing.assert_close(averaged.task.weight, expected)


def test_learning_rates():
    paper = TrainingConfig(max_steps=20_000_000, learning_rate=1e-4, final_learning_rate=1e-6, schedule="exponential")
    for step in (0, 3_000_000, 10_000_000, 20_000_000):
        fraction = fraction_done(Progress(step=step), paper)
        assert learning_rate(fraction, paper) == pytest.approx(1e-4 * 0.1 ** (step / 1e7))
    cosine = TrainingConfig(max_steps=100, max_time=10.0, learning_rate=1e-2, final_learning_rate=1e-4)
    assert learning_rate(0.0, cosine) == pytest.approx(1e-2)
    assert learning_rate(0.5, cosine) == pytest.approx(0.5 * (1e-2 + 1e-4))
    assert fraction_done(Progress(step=20, seconds=7.0), cosine) == pytest.approx(0.7)
    assert fraction_done(Progress(step=90, seconds=7.0), cosine) == pytest.approx(0.9)
    assert fraction_done(Progress(step=90, seconds=70.0), cosine) == 1.0


def test_batches_cover_each_pass_once_and_can_start_anywhere():
    def first(n: int, **where: int) -> list[list[tuple[int, int]]]:
        stream = iter(StepBatches(10, **{"batch_size": 4, "seed": 3, **where}))
        return [next(stream) for _ in range(n)]

    batches = first(10)
    flat = [index for batch in batches for index, _ in batch]
    passes = [flat[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(p) == list(range(10)) for p in passes)
    assert len({tuple(p) for p in passes}) == 4
    assert len({seed for batch in batches for _, seed in batch}) == 40
    assert first(6, start=4) == batches[4:]
    halves = [first(10, batch_size=2, rank=rank, ranks=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*halves, strict=True)] == batches
    assert first(1, seed=4) != batches[:1]


def test_the_log_drops_rows_of_a_killed_run(tmp_path):
    log = Log(tmp_path / LOG, 0)
    for step in (10, 20, 30):
        log.append({"step": step, "loss": 1.0 / step})
    with (tmp_path / LOG).open("a") as file:
        file.write("1")  # a row cut short
    Log(tmp_path / LOG, 20).append({"step": 25, "loss": 0.5})
    assert [row["step"] for row in rows(tmp_path)] == ["10", "20", "25"]
    (tmp_path / LOG).write_text("")
    Log(tmp_path / LOG, 0).append({"step": 1, "loss": 0.5})
    assert [row["step"] for row in rows(tmp_path)] == ["1"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_like_the_cpu(folder, tmp_path):
    settings = ["training.precision=64", "training.max_steps=6"]
    for device in ("cpu", "cuda"):
        for steps in (3, 6):  # continued once
            overrides = [*settings, f"training.device={device}", f"training.max_steps={steps}"]
            assert train(folder / "pair.yaml", tmp_path / device, overrides=overrides)
    cpu, cuda = load_run(tmp_path / "cpu"), load_run(tmp_path / "cuda")
    assert cuda.metrics == pytest.approx(cpu.metrics, rel=1e-6)


def test_a_restart_with_data_that_cannot_be_read_keeps_the_run(folder, tmp_path):
    config = folder / "pair.yaml"
    train(config, tmp_path, overrides=["training.max_steps=2"])
    damaged = tmp_path / "damaged.h5"
    damaged.write_text("no HDF5")
    with pytest.raises(VitrifyError, match=r"damaged\.h5"):
        train(config, tmp_path, resume=False, overrides=[f"data.train=[{damaged}]"])
    assert load_checkpoint(tmp_path / LAST)[0].step == 2
    train(config, tmp_path, resume=False, overrides=["training.max_steps=1"])
    assert load_checkpoint(tmp_path / LAST)[0].step == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_with_its_number(number):
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises((KeyboardInterrupt, Stopped)) as caught:
            signal.raise_signal(number)
    assert getattr(caught.value, "number", signal.SIGINT) == number
