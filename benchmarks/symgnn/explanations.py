"""What `vitrify explain` says of one glass, for several models: results/symgnn/explanations.md, .json and figures.

    python -m benchmarks.symgnn.explanations --data runs/cu64zr36 --fits runs/symgnn_table/barriers
    python -m benchmarks.symgnn.explanations --data DIR --fits DIR --models schnet --number 5 --results /tmp/results

Models: `shipped` is the model file that vitrify brings; any other name is a variant that `table.py barriers` has
fitted, whose fit of --seed without the explained glass is exported. The glass is sample2.npz, which no fit of that fold
has seen. Atoms are drawn with --seed, the same ones for all models.

Each model is explained twice: with GNNExplainer's masks, as the paper did, and with the effects of single bonds. Both
findings of the paper, that important atoms are in the medium range and that important bonds are in many cycles, stand
beside the nulls of `vitrify explain`, and so does a control: importance that falls with length and knows nothing else,
which must not survive. What was explained before is not explained again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import paths
from benchmarks.common.output import write_text
from benchmarks.symgnn.explanation_checks import CONTROL, Judged, control, explain, left_out, moved, reproduced
from benchmarks.symgnn.explanation_page import draw, lines, over_null
from vitrify.analysis.scores import pearson
from vitrify.core.files import sha256
from vitrify.data.structures import LabelledStructure, load_structures
from vitrify.export.from_run import export_run
from vitrify.modelfile.archive import find_model
from vitrify.symgnn.explain import EXPLANATION
from vitrify.symgnn.explain.mask import one_thread
from vitrify.symgnn.explain.null_tests import (
    CycleTable,
    Distances,
    verdict,
)
from vitrify.symgnn.explain.results import ExplainedModel, ExplainResults
from vitrify.symgnn.explain.settings import IMPORTANCE, Settings

SHIPPED = "Cu64Zr36.symgnn.pt"
GLASS, FOLD, LABEL = "sample2.npz", "fold2", "barrier"


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def model_file(name: str, fits: Path, seed: int, work: Path) -> Path:
    """The model file called `name`, exported from its fit where it is not there or the fit is newer."""
    if name == "shipped":
        return find_model(SHIPPED).resolve()
    fit = fits / name / f"{FOLD}-seed{seed}" / "run"
    best, path = fit / "best.ckpt", work / f"{name}.symgnn.pt"
    if not best.is_file():
        raise SystemExit(f"{fit} holds no fit: make it with `python -m benchmarks.symgnn.table barriers`")
    if not path.is_file() or path.stat().st_mtime < best.stat().st_mtime:
        path.parent.mkdir(parents=True, exist_ok=True)
        export_run(fit, path)
    return path


def timed(path: Path, folder: Path, action: Callable[[], object]) -> dict[str, float]:
    """What explaining has cost so far, which `path` keeps: atoms, core-seconds, seconds."""

    def explained() -> int:
        return len(list(folder.glob("explanations/*/atom_*.npz")))

    before, wall, core = explained(), time.perf_counter(), time.process_time()
    action()
    cost: dict[str, float] = json.loads(path.read_text()) if path.is_file() and before else {}
    if explained() > before:
        cost["atoms"] = cost.get("atoms", 0) + explained() - before
        cost["core_seconds"] = cost.get("core_seconds", 0.0) + time.process_time() - core
        cost["seconds"] = cost.get("seconds", 0.0) + time.perf_counter() - wall
        path.write_text(json.dumps(cost))
    return cost


def judge(
    name: str, arguments: argparse.Namespace, glass: LabelledStructure
) -> tuple[dict[str, Any], list[ExplainResults]]:
    """The record of one model, and its results for each kind of importance."""
    file = model_file(name, arguments.fits, arguments.seed, arguments.work)
    path, folder = arguments.data / GLASS, arguments.work / "found"
    record: dict[str, Any] = {"model": name}
    found = []
    for importance in IMPORTANCE:
        settings = Settings(number=arguments.number, seed=arguments.seed, importance=importance)
        quick = dataclasses.replace(settings, permutations=1, topology=False)
        say(f"{name}: {importance}")
        costs = folder / f"cost-{sha256(file)[:12]}-{importance}-{settings.number}-{settings.seed}.json"
        cost = timed(costs, folder, functools.partial(explain, file, path, folder, quick))
        results = explain(file, path, folder, settings)
        EXPLANATION.write(results, arguments.work / f"{name}-{importance}")
        found.append(results)
        explained = results.models[0]
        record |= describe(explained, glass, path)
        record[importance] = {
            "cost": cost, "moved": moved(explained.explanations), **as_record(explained.distances, explained.cycles),
        }  # fmt: skip
    say(f"{name}: checks")
    atoms = tuple(each.centre + 1 for each in found[0].models[0].explanations[: arguments.checked])
    with one_thread():
        record["mask"]["reproduced"] = reproduced(file, path, folder, atoms, settings.top)
        effects = found[IMPORTANCE.index("effect")].models[0]
        record["effect"]["left_out"] = [
            left_out(effects.model, glass, each, settings.top) for each in effects.explanations[: arguments.checked]
        ]
    return record, found


def describe(explained: ExplainedModel, glass: LabelledStructure, path: Path) -> dict[str, Any]:
    """What a model is, and how good it is on the glass."""
    opened = explained.model.opened
    values = opened.predict(glass.positions, glass.cell, glass.types)[0]
    known = np.isfinite(glass.labels)
    return {
        "file": opened.path.name, "sha256": explained.digest, "variant": opened.metadata.variant,
        "seen": sha256(path) in {each.get("sha256") for each in opened.metadata.provenance.data},
        "pearson": pearson(values[known], glass.labels[known]), "spread": float(values.std()),
        "atoms": [each.centre + 1 for each in explained.explanations],
        "atoms_seen": float(np.mean([len(each.atoms) for each in explained.explanations])),
        "bonds": float(np.mean([len(each.scores) for each in explained.explanations])),
    }  # fmt: skip


def as_record(distances: Distances, cycles: CycleTable | None) -> dict[str, Any]:
    """Both findings, for explanations.json."""
    found: dict[str, Any] = {"medium_range": {"span": distances.span, **distances.medium.as_dict()}}
    found["medium_range"]["verdict"] = verdict(distances.medium)
    found["medium_range"]["near_medium_far_over_null"] = over_null(distances)
    if cycles is not None:
        found["cycles"] = {group: finding.as_dict() for group, finding in cycles.groups.items()}
        found["cycles"]["high"]["verdict"] = verdict(cycles.groups["high"])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {GLASS}")
    parser.add_argument("--fits", type=Path, required=True, help="folder of the fits of table.py barriers")
    parser.add_argument("--models", nargs="+", default=["shipped", "schnet", "paper"])
    parser.add_argument("--number", type=int, default=20, help="atoms to explain, two or more")
    parser.add_argument("--checked", type=int, default=3, help="so many of them for the checks")
    parser.add_argument("--seed", type=int, default=1, help="of the atoms, and of the fits")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "symgnn_explanations")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "symgnn")
    chosen = parser.parse_args(arguments)
    if chosen.number < 2 or not 1 <= chosen.checked <= chosen.number:
        parser.error("explain two atoms or more, and check one to all of them")
    torch.set_num_threads(1)
    records: list[dict[str, Any]] = []
    judged: list[Judged] = []
    shown = None
    for name in chosen.models:
        species = ("Cu", "Zr")
        glass = load_structures(chosen.data / GLASS, species, LABEL)[-1]
        record, found = judge(name, chosen, glass)
        records.append(record)
        for importance, results in zip(IMPORTANCE, found, strict=True):
            explained = results.models[0]
            judged.append(Judged(name, importance, explained.distances, explained.cycles))
            if importance == "effect" and shown is None:
                shown = results
    assert shown is not None
    say("control")
    judged.append(control(shown, shown.settings))
    chosen.results.mkdir(parents=True, exist_ok=True)
    draw(judged, shown, chosen.results)
    whole = {
        "glass": GLASS, "settings": dataclasses.asdict(shown.settings), "models": records,
        CONTROL: as_record(judged[-1].distances, judged[-1].cycles),
    }  # fmt: skip
    for suffix, text in (
        ("json", json.dumps(whole, indent=1, allow_nan=False)),
        ("md", "\n".join(lines(records, judged, shown, GLASS))),
    ):
        write_text(chosen.results / f"explanations.{suffix}", text + "\n")
    say(f"{chosen.results / 'explanations.md'} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
