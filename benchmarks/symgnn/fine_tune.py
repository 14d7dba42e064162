"""What n labels of a new glass are worth to a model that has not seen it: results/symgnn/fine_tune.md and .json.

    python -m benchmarks.symgnn.fine_tune --data DIR              # after benchmarks/symgnn/table.py barriers ... exact
    python -m benchmarks.symgnn.fine_tune --data DIR --glasses 6 --labels 20 200 --repeats 1

DIR: folder with sample0.npz ... sample6.npz, the Cu64Zr36 glasses of the SymGNN paper. The start is the fit of
table.py that has seen neither the glass nor its copy. n atoms drawn at random give their labels to `vitrify
train` with `start`; scores are those of half of the other atoms, which give none. Beside it stand the start as it is,
and a network with the same settings, but one member, that is trained on the n labels alone. `shifted`: all labels are
1.2 times what they are, less 0.2 eV. Glass 6 is one of the others, strained by 4%.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import paths
from benchmarks.common.output import write_json, write_text
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.export.from_run import export_run
from vitrify.graphs.graph import StructureGraph
from vitrify.graphs.neighbours import build_structure_graph
from vitrify.models import System, build_model, parse_model_config
from vitrify.symgnn.models.base import SymGNN
from vitrify.symgnn.models.exact import ExactSymGNN
from vitrify.symgnn.training.fine_tune import adapt, load_start

RESULTS = paths.RESULTS / "symgnn"
SPECIES = ["Cu", "Zr"]
FOLDS = {0: 0, 1: 0, 2: 2, 3: 3, 4: 4, 5: 5, 6: 5}
SCRATCH = (200, 2000)
STEPS = 150
METHODS = ("start", "output", "weights", "scratch")


def scores(model: SymGNN, graph: StructureGraph, ready: Any, labels: Tensor, tested: Tensor) -> dict[str, float]:
    """RMSE and bias (eV), Pearson correlation, and the size of errors over the stated standard deviations."""
    with torch.no_grad():
        found = model.standard_members(graph, ready)
        value = model.in_units(found.mean(1), graph.types)[tested].double()
        variance = model.residual.square() + model.spread_gain * found.var(1, correction=0)[tested]
    error = value - labels[tested]
    stated = model.label_scale * variance.sqrt()
    return {
        "rmse": float(error.square().mean().sqrt()),
        "pearson": float(torch.corrcoef(torch.stack([value, labels[tested].double()]))[0, 1]),
        "bias": float(error.mean()),
        "errors_over_stated": float((error / stated).square().mean().sqrt()),
    }


def from_scratch(start: ExactSymGNN, config: dict[str, Any], graph: StructureGraph, ready: Any, labels: Tensor) -> Any:
    """A network with one member of the start's settings, trained on the labels alone; and what it has prepared."""
    torch.manual_seed(1)
    settings = parse_model_config("symgnn", {**config, "members": 1})
    model: ExactSymGNN = build_model("symgnn", settings, System(tuple(SPECIES), (), "metal", 0.0))
    known = ~labels.isnan()
    described, forward, transposed = ready
    with torch.no_grad():
        model.calibrate(graph.types[known], labels[known].float())
        model.shell_scale.copy_(start.shell_scale)
        whiten = model.whitening(described.double()).float()
    own = ((described - described.mean(0)) @ whiten, forward, transposed)
    wanted = ((labels - model.label_mean[graph.types]) / model.label_scale)[known].float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        (model.standard_members(graph, own)[known, 0] - wanted).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval(), own


def study(structure: LabelledStructure, number: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All fine-tunings of one glass."""
    path = chosen.work / f"start{FOLDS[number]}.symgnn.pt"
    run = chosen.fits / f"fold{FOLDS[number]}-seed1" / "run"
    metadata = export_run(run, path).metadata
    config = metadata.provenance.config["model"]
    start = load_start(path, parse_model_config("symgnn", config))
    assert isinstance(start, ExactSymGNN)
    graph = build_structure_graph(structure.positions, structure.cell, structure.types, start.cutoff)
    with torch.no_grad():
        ready = start.prepare(graph)
    rows: list[dict[str, Any]] = []
    for shifted in [False, True] if number in chosen.shifted else [False]:
        truth = torch.from_numpy(structure.labels) * (1.2 if shifted else 1.0) - (0.2 if shifted else 0.0)
        for n in chosen.labels:
            for repeat in range(chosen.repeats if n <= 500 else 1):
                order = np.random.default_rng([number, repeat]).permutation(len(truth))
                tested, labels = torch.from_numpy(order[len(order) // 2 :]), torch.full_like(truth, torch.nan)
                labels[order[:n]] = truth[order[:n]]
                for method in METHODS:
                    if method == "scratch" and (n not in SCRATCH or repeat or shifted):
                        continue
                    began, model, own = time.process_time(), copy.deepcopy(start), ready
                    figures: dict[str, float] = {}
                    if method == "scratch":
                        model, own = from_scratch(start, config, graph, ready, labels)
                    elif method != "start":
                        figures, _ = adapt(model, [graph], [labels.float()], [ready], method)
                    row = {"glass": number, "shifted": shifted, "labels": n, "repeat": repeat, "method": method}
                    row |= scores(model, graph, own, truth, tested)
                    row |= {"seconds": time.process_time() - began, "left_out": figures.get("rmse")}
                    rows.append(row)
                    print(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
                    sys.stdout.flush()
    return rows


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Means over glasses and draws, one row for each number of labels."""
    lines = [
        "| labels | RMSE (eV): start | output | weights | scratch | Pearson: start | output | weights | scratch |"
        " bias (eV): start | output | weights | worst change of the RMSE | errors over stated: start | weights |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for n in sorted({row["labels"] for row in rows}):
        of = {method: [r for r in rows if r["labels"] == n and r["method"] == method] for method in METHODS}

        def mean(key: str, method: str, of: dict[str, list[dict[str, Any]]] = of) -> str:
            return f"{statistics.fmean(r[key] for r in of[method]):.3f}" if of[method] else ""

        worst = max(a["rmse"] - b["rmse"] for a, b in zip(of["weights"], of["start"], strict=True))
        cells = [str(n), *(mean("rmse", m) for m in METHODS), *(mean("pearson", m) for m in METHODS)]
        cells += [*(mean("bias", m) for m in METHODS[:3]), f"{worst:+.3f}"]
        cells += [mean("errors_over_stated", m) for m in ("start", "weights")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def report(rows: Sequence[dict[str, Any]], chosen: argparse.Namespace) -> str:
    """The page."""
    parts = {
        "Glasses like those of the start": [r for r in rows if r["glass"] != 6 and not r["shifted"]],
        "Glass 6, strained by 4%": [r for r in rows if r["glass"] == 6 and not r["shifted"]],
        "Labels shifted: 1.2 y - 0.2 eV": [r for r in rows if r["shifted"]],
    }
    lines = [
        "# Fine-tuning on few labels", "", "Made by `python -m benchmarks.symgnn.fine_tune`; its --help says how.", "",
        "The widths of the priors for offsets and gain were chosen among five sets by draws from glasses 2, 4, 5 and 6,"
        " so that what ten or twenty labels cost or give is a little optimistic.",
    ]  # fmt: skip
    for title, mine in parts.items():
        if mine:
            glasses = ", ".join(str(g) for g in sorted({r["glass"] for r in mine}))
            draws = f"Glasses {glasses}; means over them and {chosen.repeats} draws (1 above 500 labels)."
            lines += ["", f"## {title}", "", draws, ""]
            lines += table(mine)
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with sample*.npz")
    fits = paths.RUNS / "symgnn_table" / "barriers" / "exact"
    parser.add_argument("--fits", type=Path, default=fits, help="folder of the fits of table.py")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "symgnn_fine_tune")
    parser.add_argument("--glasses", type=int, nargs="+", choices=FOLDS, default=[2, 4, 6])
    parser.add_argument("--shifted", type=int, nargs="*", choices=FOLDS, default=[2])
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 20, 50, 100, 200, 500, 2000])
    parser.add_argument("--repeats", type=int, default=3, help="draws of up to 500 labels; more are drawn once")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for folder in (chosen.work, chosen.results):
        folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in chosen.glasses:
        (structure,) = load_structures([chosen.data / f"sample{number}.npz"], SPECIES, "barrier")
        rows += study(structure, number, chosen)
        write_json(chosen.results / "fine_tune.json", rows)
        write_text(chosen.results / "fine_tune.md", report(rows, chosen))
    print(report(rows, chosen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
