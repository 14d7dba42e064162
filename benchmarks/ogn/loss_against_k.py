"""One-step error against the stride k, of models beside velocity Verlet with exact forces: Fig. 5 of the OGN paper.

    python -m benchmarks.ogn.loss_against_k --group liquid runs/kalj_test.h5 k5.pt k10.pt k20.pt \\
                                        --group glass runs/kaljg_test.h5 g10.pt g20.pt g40.pt

Each group is a name, test data that no model has seen, and models of one system with different strides. Writes
results.json and loss_against_k.png into --out; groups that are not named stay as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.common.output import write_json
from benchmarks.common.paths import RESULTS
from vitrify import VitrifyError
from vitrify.core.units import get_units
from vitrify.data.trajectories import TrajectoryFile
from vitrify.engines.open import open_model
from vitrify.ogn.evaluate import EVALUATION
from vitrify.ogn.evaluate.measure import check_system, methods
from vitrify.ogn.evaluate.one_step import one_step
from vitrify.ogn.evaluate.sampling import paths
from vitrify.report import plots
from vitrify.report.evaluation import EvaluationData

LOST = 10.0
COMPARED = {"model": "OGN", "verlet_stride": "Verlet, one step"}
Results = dict[str, dict[str, Any]]


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line; an error that the user can mend is one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", action="append", nargs="+", default=[], metavar="NAME DATA MODEL", help="see above")
    parser.add_argument("--pairs", type=int, default=100, help="starts for each model")
    parser.add_argument("--out", type=Path, default=RESULTS / "loss_against_k", help="folder")
    args = parser.parse_args(arguments)
    results = args.out / "results.json"
    try:
        if args.group:
            found = json.loads(results.read_text()) if results.exists() else {}
            for group in args.group:
                if len(group) < 3:
                    raise VitrifyError(f"--group {' '.join(group)}: give a name, a data file and at least one model")
                found[group[0]] = measure(Path(group[1]), group[2:], args.pairs)
            write_json(results, found, allow_nan=False)
        elif not results.exists():
            print(f"no --group and no {results}: nothing to draw")
            return
        print(draw(json.loads(results.read_text()), args.out / "loss_against_k.png"))
    except VitrifyError as error:
        sys.exit(f"loss_against_k.py: {error}")


def measure(data: Path, models: list[str], pairs: int) -> dict[str, Any]:
    """Errors of each model and of Verlet at its stride, by increasing stride; null where a method was lost."""
    rows = []
    with TrajectoryFile(data) as file:
        for name in tqdm(models, desc=data.stem, unit="model"):
            opened = open_model(name)
            check_system(opened, file)
            EVALUATION.refuse_seen(EvaluationData([data]), opened)
            every, stride = methods(opened, file.meta), opened.metadata.stride
            chosen = {name: every[name] for name in COMPARED}
            one = one_step(chosen, paths(file, stride, 1, pairs), file.meta.species, file.meta.masses)
            rows.append({"model": opened.path.name, "stride": stride, "pairs": one.pairs,
                         "methods": {name: errors(numbers) for name, numbers in one.metrics.items()}})  # fmt: skip
        units = get_units(file.meta.units)
        return {
            "system": file.meta.system,
            "data": data.name,
            "length": units.length,
            "rows": sorted(rows, key=lambda row: row["stride"]),
        }


def errors(numbers: dict[str, Any]) -> dict[str, float | None]:
    """The two errors of a method, null where it lost all starts."""
    return {
        key: numbers[key] if np.isfinite(numbers[key]) else None
        for key in ("x_rmse", "v_rmse_over_v_std", "x_rmse_stderr", "v_rmse_over_v_std_stderr")
    }


def draw(results: Results, path: Path) -> Path:
    """Position and velocity error by stride, one line for each group and method."""
    panels: dict[str, dict[str, plots.Curve]] = {"x_rmse": {}, "v_rmse_over_v_std": {}}
    for key, curves in panels.items():
        for method, label in COMPARED.items():
            for group, found in results.items():
                k = np.array([row["stride"] for row in found["rows"]], float)
                values = np.array([row["methods"][method][key] for row in found["rows"]], float)
                if key == "v_rmse_over_v_std":  # beyond, velocities are lost, and by how much says nothing
                    values[values > LOST] = np.nan
                curves[f"{label}: {group}"] = (k, values)
    lengths = sorted({found["length"] for found in results.values()})
    labels = {"x_rmse": f"position RMSE ({', '.join(lengths)})", "v_rmse_over_v_std": "velocity RMSE / v_std"}
    return plots.save(plots.stride_figure(panels, labels), path)


if __name__ == "__main__":
    main()
