"""Fuzzes vitrify: `python -m tests.fuzz N` makes N hostile inputs and says what became of them, by family.

Exit status 1 where an input crashes, hangs for more than a minute, ends in a traceback, takes more than 2 GB, runs code
of its own, or is judged differently by Python and C++. The same seed makes the same inputs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.families import FAMILIES, SHARES
from tests.fuzz.harness import BAD, GOOD, Verdict, run_family


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=1000, help="in all families together")
    parser.add_argument("--family", choices=FAMILIES, help="this one alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    given = parser.parse_args()
    counts = {given.family: given.inputs} if given.family else shares(given.inputs)
    start, verdicts = time.monotonic(), []
    with ThreadPoolExecutor(given.jobs) as pool:
        work = [
            pool.submit(list, run_family(family, range(first, min(first + 200, given.first + count)), given.seed))
            for family, count in counts.items()
            for first in range(given.first, given.first + count, 200)
        ]
        for part in work:
            verdicts += part.result()
            report(part.result(), given.seed)
    print(table(verdicts, list(counts)))
    bad = sum(verdict.what in BAD for verdict in verdicts)
    print(f"{len(verdicts)} inputs in {time.monotonic() - start:.0f} s: {bad or 'none'} at fault")
    return 1 if bad else 0


def shares(inputs: int) -> dict[str, int]:
    """How many inputs each family gets; those that cost more get fewer."""
    total = sum(SHARES.values())
    counts = {family: max(1, round(inputs * share / total)) for family, share in SHARES.items()}
    largest = max(counts, key=lambda family: counts[family])
    counts[largest] += inputs - sum(counts.values())
    return counts


def report(verdicts: list[Verdict], seed: int) -> None:
    for verdict in verdicts:
        if verdict.what in BAD:
            again = f"python -m tests.fuzz 1 --family '{verdict.family}' --seed {seed} --first {verdict.number}"
            print(f"{verdict.what}: {verdict.detail}\n    {again}", flush=True)


def table(verdicts: list[Verdict], families: list[str]) -> str:
    """Numbers of inputs, by family and by what became of them."""
    found = Counter((verdict.family, verdict.what) for verdict in verdicts)
    columns = (*GOOD, *BAD)
    rows = [f"{'family':16}" + "".join(f"{name:>14}" for name in columns)]
    for family in families:
        rows.append(f"{family:16}" + "".join(f"{found[family, name]:14}" for name in columns))
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
