"""How quick a generator is: milliseconds for structures of 256 atoms on two threads, and seconds for large ones.

    python -m benchmarks.amshortcut.speed --model Si.amshortcut.pt

Writes benchmarks/results/amshortcut/speed.json and speed.md. The paper's times are of a GPU.
"""

from __future__ import annotations

import argparse
import resource
import time

from benchmarks.common import paths
from benchmarks.common.output import publish
from vitrify.generation.generate import generate, generate_many
from vitrify.modelfile.archive import find_model

OUT = paths.RESULTS / "amshortcut"
PAPER = {1: 2.2, 5: 5.6, 10: 10.1, 50: 46.9}  # minutes for 10,000 samples of 256 atoms (table 1)


def milliseconds(model: str, steps: int, count: int, workers: int) -> float:
    """Wall time of one of `count` structures of 256 atoms."""
    next(iter(generate_many(model, 1, n_atoms=256, steps=steps)))
    start = time.monotonic()
    for _ in generate_many(model, count, n_atoms=256, steps=steps, workers=workers):
        pass
    return 1000 * (time.monotonic() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Si.amshortcut.pt")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    a = parser.parse_args()
    model = str(find_model(a.model))
    rows = [
        {"steps": steps, "one": milliseconds(model, steps, a.count // steps + 10, 1),
         "two": milliseconds(model, steps, a.count // steps + 10, 2), "paper": PAPER[steps]}
        for steps in PAPER
    ]  # fmt: skip
    sizes = []
    for atoms in a.sizes:
        start = time.monotonic()
        generate(model, atoms, steps=5)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        sizes.append({"atoms": atoms, "seconds": time.monotonic() - start, "gib": peak})
    found = {"rows": rows, "sizes": sizes}
    publish(OUT, "speed", found, report(found))


def report(found: dict[str, list[dict[str, float]]]) -> str:
    """Two tables."""
    lines = [
        "# Time of a generator, a-Si",
        "",
        "`python -m benchmarks.amshortcut.speed`; push-off and gates included.",
        "",
        "| steps | ms a sample of 256 atoms, one core | two cores | 10,000 samples on two cores | paper (GPU) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in found["rows"]:
        lines.append(
            f"| {row['steps']} | {row['one']:.1f} | {row['two']:.1f} | {row['two'] / 6:.2g} min "
            f"| {row['paper']:g} min |"
        )
    lines += ["", "| atoms, 5 steps, one core | seconds | peak memory (GiB) |", "| --- | --- | --- |"]
    lines += [f"| {row['atoms']:.0f} | {row['seconds']:.2f} | {row['gib']:.2f} |" for row in found["sizes"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
