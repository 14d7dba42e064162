"""Simulated time for each core-second of `fix ogn` beside LAMMPS's own MD of the reference potential.

    python -m benchmarks.ogn_vs_md             # all: about an hour on an idle core
    python -m benchmarks.ogn_vs_md --match     # the largest Verlet step that matches, and whether the models match
    python -m benchmarks.ogn_vs_md --models    # whether the models match, keeping what is known of Verlet
    python -m benchmarks.ogn_vs_md --time      # timings of what is matched, memory, table and figure
    python -m benchmarks.ogn_vs_md --report    # table and figure alone

Matched means that a run under fix temp/csvr (damped in 100 base steps, a model's in one stride) keeps to a fine-step
reference: each partial g(r) within 2% (relative L2), D of each species within 10% in liquids, T of each species within
2%. Both sides have to. Deviations are judged
by what exceeds the noise of the two runs, which is estimated from independent parts of them. Verlet takes the largest
step that meets the list together with the next smaller one that was tried. Silicon with SNAP is too dear for a scan:
it takes the largest step at which its energy is conserved as well as that of Stillinger-Weber silicon at its
matched step.

Timed is the loop of `lmp`, after a warm-up, on one and two ranks, with `-sf opt`; methods take turns, and every ratio
is between neighbours in time. Counted is processor time, so that other programs disturb little. Each method has the
skin that is fastest for it, and MD of silica has tables, which are twice as fast as its formulas. fix ogn runs without
a pair style (engine torch with pair_style zero, for its lists). Models are NAME.ogn.pt among the shipped ones or in
LAMMPS_POTENTIALS. Results: benchmarks/results/ogn_vs_md/.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if not __package__:  # run by its path, so that the repository is not on sys.path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import lmp, paths
from benchmarks.common.output import write_json
from benchmarks.ogn import report
from benchmarks.ogn.cases import CASES, FACTORS, Case, Model, open_model, start
from benchmarks.ogn.matching import Check, Observation, Observatory, checks, energy_error, largest
from benchmarks.ogn.timing import BASE, NATIVE, memory, methods, time_case, tuned
from vitrify.core.files import sha256
from vitrify.lammps_library.session import lammps_version

QUICK = {"kalj": replace(CASES["kalj"], atoms=265, time=4.0, r_max=2.5, skins=(0.3,), max_atoms=2000)}


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def verdict(step: float, lines: Sequence[Check], heat: float) -> dict[str, Any]:
    passed = all(line.passed for line in lines)
    return {"step": step, "passed": passed, "heat": heat, "checks": [line.record() for line in lines]}


def judge(case: Case, observatory: Observatory, reference: Observation, step: float, seed: int) -> dict[str, Any]:
    """Verlet at one step against the reference."""
    try:
        found = observatory.verlet(step, seed)
    except lmp.LammpsError as error:
        return {"step": step, "passed": False, "failure": str(error)}
    return verdict(step, checks(case, found, reference), found.heat)


def scan(
    case: Case, observatory: Observatory, reference: Observation, factors: Sequence[float]
) -> tuple[float, list[dict[str, Any]]]:
    """The largest matching step of a case, and every step that was tried."""
    tried: list[dict[str, Any]] = []

    def passes(factor: float) -> bool:
        tried.append(judge(case, observatory, reference, factor * case.system.base_timestep, 12))
        say(f"{case.name}: Verlet at {tried[-1]['step']:g}: {'matches' if tried[-1]['passed'] else 'does not match'}")
        return bool(tried[-1]["passed"])

    return largest(factors, passes) * case.system.base_timestep, tried


def carry_over(case: Case, match_of_like: dict[str, Any], work: Path) -> tuple[float, str]:
    """The largest step at which energy is conserved as well as in the cheap system at its matched step."""
    assert case.like
    cheap = replace(CASES[case.like], atoms=case.atoms)
    seconds = 0.5
    allowed = energy_error(cheap, start(cheap, work), match_of_like["matched_step"], seconds)
    base, data = case.system.base_timestep, start(case, work)
    step = base * largest(FACTORS, lambda factor: energy_error(case, data, factor * base, seconds) <= allowed)
    note = (
        f"{case.name}: the step is the largest whose energy error (standard deviation of the total energy in"
        f" {seconds:g} ps, over kT sqrt(N)) is at most {allowed:.2g}, that of {case.like} at its matched step."
    )
    return step, note


def match(case: Case, work: Path, results: Path, factors: Sequence[float]) -> None:
    """Part 1 for one case; writes match/NAME.json."""
    began, data = time.perf_counter(), start(case, work)
    observatory = Observatory(case, data, work)
    reference = observatory.verlet(case.reference_step, 11)
    found: dict[str, Any] = {"system": case.name, "atoms": case.atoms, "time": case.time}
    found |= {"reference_step": case.reference_step, "temperature": case.system.temperature}
    if case.like is None:
        found["floor"] = judge(case, observatory, reference, case.system.base_timestep, 12)
        found["matched_step"], found["verlet"] = scan(case, observatory, reference, factors)
    else:
        like = json.loads((results / "match" / f"{case.like}.json").read_text())
        found["matched_step"], found["note"] = carry_over(case, like, work)
        found["verlet"] = [judge(case, observatory, reference, found["matched_step"], 12)]
    say(f"{case.name}: the largest matching step of Verlet is {found['matched_step']:g}")
    found["ogn"] = match_model(case, observatory, reference, open_model(case))
    found["seconds"] = round(time.perf_counter() - began, 1)
    write(results / "match" / f"{case.name}.json", found)


def judge_model(case: Case, work: Path, results: Path) -> None:
    """Tests the model of a case again, beside what match/NAME.json says of Verlet."""
    path, data = results / "match" / f"{case.name}.json", start(case, work)
    if not path.exists():
        raise SystemExit(f"{path} is missing: run --match for {case.name} first")
    observatory = Observatory(case, data, work)
    reference = observatory.verlet(case.reference_step, 11)
    found = json.loads(path.read_text())
    write(path, {**found, "ogn": match_model(case, observatory, reference, open_model(case))})


def match_model(
    case: Case, observatory: Observatory, reference: Observation, model: Model | None
) -> dict[str, Any] | None:
    """The learned integrator against the same list; None where there is no model."""
    if model is None:
        say(f"{case.name}: no model {case.name}.ogn.pt, so MD only")
        return None
    named = {"model": model.path.name, "sha256": sha256(model.path), "stride": model.stride, "damping": model.timestep}
    try:
        found = observatory.ogn(model, 13)
    except lmp.LammpsError as error:
        say(f"{case.name}: {error}")
        return {**named, "step": model.timestep, "passed": False, "failure": str(error)}
    judged = {**named, **verdict(model.timestep, checks(case, found, reference), found.heat)}
    say(f"{case.name}: {model.path.name} {'matches' if judged['passed'] else 'does not match'}")
    return judged


def time_all(cases: Sequence[Case], work: Path, results: Path, arguments: argparse.Namespace) -> None:
    """Parts 2 and 3; results of systems that are not asked for are kept."""
    path = results / "results.json"
    found = json.loads(path.read_text()) if path.exists() else {"methods": {}, "timing": [], "memory": []}
    found["machine"] = {"processor": processor(), "cores": os.cpu_count(), "lammps": lammps_version()}
    matches = read_matches(results)
    for case in cases:
        data, model = start(case, work), open_model(case)
        if model is None:
            say(f"{case.name}: no model {case.name}.ogn.pt, so MD only")
        else:
            model = replace(model, engines=tuple(name for name in model.engines if name in arguments.engines))
        step = matches.get(case.name, {}).get("matched_step")
        found["methods"][case.name], rows = time_case(
            case, data, step, model, arguments.sizes, arguments.ranks, arguments.repeats, arguments.seconds, say
        )
        found["timing"] = [row for row in found["timing"] if row["system"] != case.name] + rows
        if case.name == "cuzr" and arguments.memory:
            found["memory"] = [
                memory(case, tuned(case, method, data, 0.1), data, arguments.memory)
                for method in methods(case, data, None, model)
                if method.name in (BASE, NATIVE)
            ]
        found["timing"].sort(key=lambda row: (list(CASES).index(row["system"]), row["atoms"], row["ranks"]))
        found["methods"] = {name: found["methods"][name] for name in CASES if name in found["methods"]}
        write(path, found)


def make_report(results: Path) -> None:
    path = results / "results.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    report.write_table(found, read_matches(results), results / "table.md")
    if found.get("timing"):
        report.draw(found, results / "speed.png")
    say(f"{results / 'table.md'} is written")


def read_matches(results: Path) -> dict[str, Any]:
    """What part 1 found, in the order of the cases."""
    paths = {name: results / "match" / f"{name}.json" for name in CASES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def write(path: Path, values: dict[str, Any]) -> None:
    write_json(path, values)


def processor() -> str:
    """The name of the processor, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (
        ("match", "find the largest matching steps and test the models"),
        ("models", "test the models alone, against what is known of Verlet"),
        ("time", "time what is matched; write table and figure"),
        ("report", "write table and figure from the results that are there"),
        ("quick", "a smoke run: one small cell, short times, results in the work folder"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--systems", nargs="+", choices=CASES, help="default: all")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000, 100_000], help="atoms, at least")
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2], help="MPI ranks")
    parser.add_argument("--engines", nargs="+", choices=("native", "torch"), default=["native", "torch"])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each method")
    parser.add_argument("--seconds", type=float, default=1.5, help="core-seconds of one timed run, about")
    parser.add_argument("--memory", type=int, default=1_000_000, help="atoms of the memory test (cuzr); 0: none")
    parser.add_argument("--work", type=Path, default=paths.RUNS / "ogn_vs_md", help="starts and kept runs")
    parser.add_argument("--results", type=Path, default=paths.RESULTS / "ogn_vs_md")
    chosen = parser.parse_args(arguments)
    if not (chosen.match or chosen.models or chosen.time or chosen.report):
        chosen.match = chosen.time = True
    if chosen.quick:
        chosen.sizes, chosen.ranks, chosen.repeats, chosen.seconds = [265, 500], [1], 2, 0.02
        chosen.results = chosen.work / "quick"
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parse(arguments)
    table = QUICK if chosen.quick else CASES
    cases = [table[name] for name in chosen.systems or table if name in table]
    if chosen.match:
        for case in cases:
            match(case, chosen.work, chosen.results, (1.0, 6.0) if chosen.quick else FACTORS)
    if chosen.models and not chosen.match:
        for case in cases:
            judge_model(case, chosen.work, chosen.results)
    if chosen.time:
        time_all(cases, chosen.work, chosen.results, chosen)
    make_report(chosen.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
