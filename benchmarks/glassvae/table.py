"""The ablations of the GlassVAE paper's Table 1 and its scan of the latent dimension (Fig. 6), at equal budgets.

    python -m benchmarks.glassvae.table --data ladder_train.extxyz.gz --test ladder_test.extxyz.gz --minutes 20
    python -m benchmarks.glassvae.table --data ... --test ... --runs equivariant paper --seeds 1
    python -m benchmarks.glassvae.table --data ... --test ... --runs z2 z4 z8 z16 z32 --seeds 1
    python -m benchmarks.glassvae.table --report --minutes 20             # table.md from what is there

Every fit is one `vitrify train` on one core and one `vitrify evaluate`; one that is on disk is not made again. Its
steps are as many as take --minutes of CPU time by a trial, so that budgets are equal on a busy machine. --thin 4 takes
every fourth frame, of both files. Means and spreads are over seeds. The paper's error is in percent of the range of the
energies.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.common import paths
from benchmarks.common.output import write_text
from vitrify.core.files import atomic_path
from vitrify.export.from_run import export_run
from vitrify.glassvae.evaluate import EVALUATION, Settings
from vitrify.glassvae.training.config import GlassVAEConfig
from vitrify.glassvae.training.prepare import prepare
from vitrify.models import parse_model_config
from vitrify.training.config import load_config
from vitrify.training.run import train

RESULTS = paths.RESULTS / "glassvae"
# What each run is called, the settings that make it, and what the paper calls it.
RUNS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "distance": ("distance VAE", {"variant": "distance"}, {}),
    "gnn-mlp": ("GNN + MLP", {"variant": "paper", "ablation": "gnn-mlp"}, {}),
    "single": ("single graph-VAE", {"variant": "paper", "ablation": "single"}, {}),
    "no-rdf": ("GraphVAE, no RDF", {"variant": "paper"}, {"rdf": 0.0}),
    "paper": ("GlassVAE", {"variant": "paper"}, {}),
    "equivariant": ("equivariant", {"variant": "equivariant"}, {}),
    "equivariant-energies": ("equivariant, energies alone", {"variant": "equivariant"}, {"forces": 0.0, "stress": 0.0}),
    **{f"z{n}": (f"equivariant, {n} numbers", {"variant": "equivariant", "latent": n}, {}) for n in (2, 4, 8, 16, 32)},
}
TRIAL = 10  # steps
DECODED = ("copied distances RMSE (A)", "species CE")
ABLATIONS = tuple(name for name in RUNS if not name.startswith("z"))


def configuration(name: str, data: Path, seed: int, steps: int) -> dict[str, Any]:
    """The training configuration of a run."""
    _, model, loss = RUNS[name]
    pace = {"batch_size": 4, "learning_rate": 3e-3} if model["variant"] == "equivariant" else {"batch_size": 16}
    return {
        "kind": "glassvae",
        "data": {"train": [str(data.resolve())], "species": ["Cu", "Zr"], "validation_samples": 48},
        "model": model,
        "loss": loss,
        "training": {"seed": seed, "max_steps": steps, "validate_every": 200, "device": "cpu", **pace},
    }


@cache
def seconds_of_step(name: str, data: Path) -> float:
    """CPU seconds of a training step of a run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(configuration(name, data, 1, 1)))
        config = load_config(path)
    assert isinstance(config, GlassVAEConfig)
    prepared = prepare(config, parse_model_config(config.kind, config.model))
    torch.set_num_threads(1)
    size = config.training.batch_size
    start = 0.0
    for number in range(-1, TRIAL):
        if number == 0:  # the first is slower
            start = time.process_time()
        batch = [prepared.train[(number + 1) * size + place, 0] for place in range(size)]
        prepared.task(batch).backward()
    return (time.process_time() - start) / TRIAL


def fit(name: str, seed: int, options: argparse.Namespace) -> None:
    """Trains, exports and evaluates one run, unless its numbers are there."""
    folder = options.work / f"{name}-{seed}"
    if (folder / "evaluation" / "metrics.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    steps = max(1, round(60 * options.minutes / seconds_of_step(name, options.data)))
    config.write_text(yaml.safe_dump(configuration(name, options.data, seed, steps)))
    if not train(config, folder / "run"):
        raise SystemExit("stopped; the same command goes on")
    model = export_run(folder / "run", folder / f"{name}.glassvae.pt").path
    EVALUATION.run(model, options.test, folder / "evaluation", Settings(count=0))


def thinned(path: Path, every: int, work: Path) -> Path:
    """A file with every `every`-th frame of an extended XYZ file, in the folder `work`."""
    if every == 1:
        return path
    found = work / f"thin{every}_{path.name}"
    if not found.is_file():
        with gzip.open(path, "rt") as source, atomic_path(found) as beside, gzip.open(beside, "wt") as target:
            number = 0
            while first := source.readline():
                frame = [first, *(source.readline() for _ in range(int(first) + 1))]
                if number % every == 0:
                    target.writelines(frame)
                number += 1
    return found


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The columns of the table, of one evaluation."""
    found = next(iter(metrics["potential"].values()))
    thermal, latent, rebuilt = found["thermal"], metrics.get("latent"), metrics.get("reconstruction")
    parts = [scores["energy_r2"] for part, scores in found["segments"].items() if part[0].isdigit() and part != "300K"]
    row = {
        "energy RMSE (meV/atom)": 1e3 * thermal["energy_rmse"],
        "% of the range": thermal["energy_of_range"],
        "R²": thermal["energy_r2"],
        "least R² within": min(parts, default=float("nan")),
        "force RMSE over rms": thermal["force_ratio"],
    }
    if rebuilt:
        row |= dict(zip(DECODED, (rebuilt["distance_rmse"], rebuilt["species_cross_entropy"]), strict=True))
    if latent:
        row |= {"g(r) from z": latent["rdf"]["z"], "species CE": latent["species"]["z"]["cross_entropy"]}
    return row


def table(work: Path) -> str:
    """All runs that are there, as Markdown."""
    rows: dict[str, list[dict[str, float]]] = {}
    for name in RUNS:
        found = sorted(work.glob(f"{name}-[0-9]*/evaluation/metrics.json"))
        if found:
            rows[name] = [numbers(json.loads(path.read_text())) for path in found]
        if name == "gnn-mlp":  # it has no decoders, so that what they say was never trained
            rows[name] = [{key: row[key] for key in row if key not in DECODED} for row in rows.get(name, [])]
    columns = list(dict.fromkeys(column for each in rows.values() for row in each for column in row))
    lines = ["| | seeds | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 2) + "|"]
    for name, each in rows.items():
        cells = []
        for column in columns:
            values = [row[column] for row in each if row.get(column) is not None]
            spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.4g}{spread}" if values else "–")
        lines.append(f"| {RUNS[name][0]} | {len(each)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="training frames, extended XYZ")
    parser.add_argument("--test", type=Path, nargs="+", help="test frames; the first file is in the table")
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(ABLATIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=20.0, help="of training, for each fit")
    parser.add_argument("--thin", type=int, default=1, help="take every N-th frame")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "glassvae_table")
    parser.add_argument("--report", action="store_true", help="write the table of what is there, and nothing else")
    options = parser.parse_args()
    if not options.report:
        if options.data is None or options.test is None:
            parser.error("give --data and --test, or --report")
        options.work.mkdir(parents=True, exist_ok=True)
        options.data = thinned(options.data, options.thin, options.work)
        options.test = [thinned(path, options.thin, options.work) for path in options.test]
        for seed in range(1, options.seeds + 1):
            for name in options.runs:
                fit(name, seed, options)
    thin = f", every {options.thin}th frame" if options.thin > 1 else ""
    text = (
        "# Ablations\n\nMade by `python -m benchmarks.glassvae.table`; its --help says how. Each fit has "
        f"{60 * options.minutes:g} CPU-seconds on one core{thin}; frames of test trajectories from 300 to 2000 K. "
        "Copied distances: the paper's decoders are fed the edges that they answer for.\n\n"
    ) + table(options.work)
    write_text(RESULTS / "table.md", text)
    print(text)


if __name__ == "__main__":
    main()
