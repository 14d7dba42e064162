"""Where benchmarks find the repository and leave what they write."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RUNS = ROOT / "runs"  # kept between two calls of a benchmark, and no part of the repository
EXAMPLES = ROOT / "examples"
POTENTIALS = ROOT / "potentials"
