"""The table of liquid silicon: generators beside plain MD, the floor and the published figures.

    vitrify evaluate Si-liquid.amshortcut.pt --data si_liquid_test.extxyz.gz --samples 1000 --out out/liquid \\
        --potential "pair_style sw; pair_coeff * * Si.sw Si" --temperature 2500 --corrector-steps 50 --timestep 0.003 \\
        --measured 0,0,0
    python -m benchmarks.amshortcut.table flow=out/liquid ode=out/ode sde=out/sde

Reads metrics.json of each folder and benchmarks/results/amshortcut/md_baseline.json; writes liquid.json and liquid.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.amshortcut.evaluate.baselines import PUBLISHED

OUT = paths.RESULTS / "amshortcut"
TITLES = {"flow": "AMShortcut (flow)", "ode": "material ODE", "sde": "material SDE", "paper": "AMShortcut, paper's"}


def rows_of(name: str, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Method, steps, errors and time of each run of an evaluation."""
    found = []
    for run in metrics["runs"]:
        method = TITLES.get(name, name)
        if run["method"] == "corrected":
            method += f" + {run['md_steps']} MD steps"
        elif run["method"].startswith("md-"):
            method = f"plain MD, {run['md_steps']} steps, at the time of {run['method'][3:]}"
        found.append(
            {
                "method": method, "steps": run["steps"], "rdf": run["rdf"]["total"], "adf": run["adf"]["total"],
                "cpu_seconds": run["cpu_seconds"], "samples": metrics["settings"]["samples"],
            }
        )  # fmt: skip
    return found


def report(found: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# Liquid silicon at 2500 K, 256 atoms: RMSD of RDF and ADF against 1,000 MD frames, and CPU seconds a sample",
        "",
        "`python -m benchmarks.amshortcut.table`. One thread; networks of one size, trained for the same time.",
        "",
        "| method | steps | samples | RDF | ADF | CPU-s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['method']} | {row['steps']} | {row['samples']} | {row['rdf']:.4f} | {row['adf']:.6f} "
            f"| {row['cpu_seconds']:.4f} |"
        )
    for count, floor in found["floors"].items():
        errors = f"{floor['rdf']:.4f} | {floor['adf']:.6f}"
        lines.append(f"| floor: {count} MD frames against others | | {count} | {errors} | |")
    if found["md"]:
        lines += ["", "Plain MD from random positions, at the best of several time steps:", ""]
        lines += ["| steps | RDF | ADF | CPU-s |", "| --- | --- | --- | --- |"]
        lines += [f"| {r['steps']} | {r['rdf']:.4f} | {r['adf']:.6f} | {r['cpu_seconds']:.4f} |" for r in found["md"]]
    lines += ["", "Published (a GPU, RDF / ADF):", "", "| steps | material ODE | material SDE | AMShortcut |"]
    lines += ["| --- | --- | --- | --- |"]
    for steps, values in found["published"].items():
        lines.append(f"| {steps} | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="flow=FOLDER, ode=FOLDER, ...")
    rows, floors = [], {}
    for text in parser.parse_args().folders:
        name, _, folder = text.partition("=")
        metrics = json.loads((Path(folder) / "metrics.json").read_text())
        rows += rows_of(name, metrics)
        floor = metrics["floor"]
        floors[metrics["settings"]["samples"]] = {"rdf": floor["rdf"], "adf": floor["adf"]}
    baseline = OUT / "md_baseline.json"
    md = best_of(json.loads(baseline.read_text())["runs"]) if baseline.exists() else []
    found = {"rows": rows, "floors": floors, "md": md, "published": published()}
    publish(OUT, "liquid", found, report(found))


def best_of(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the runs of each number of steps, the one with the best RDF."""
    return [
        min((run for run in runs if run["steps"] == steps), key=lambda run: run["rdf"])
        for steps in sorted({run["steps"] for run in runs})
    ]


def published() -> dict[str, list[str]]:
    """Table 1 of the paper: RDF / ADF by number of steps, of ODE, SDE and AMShortcut."""
    steps = sorted({n for values in PUBLISHED.values() for n in values})
    return {str(n): [f"{v[n][0]:g} / {v[n][1]:g}" if n in v else "" for v in PUBLISHED.values()] for n in steps}


if __name__ == "__main__":
    main()
