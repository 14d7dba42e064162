"""Runs inputs in child processes that may crash, hang or fill the memory, and says what became of each.

A child makes the input of (family, seed, number) by itself, so that any one can be repeated:
`python -m tests.fuzz 1 --family NAME --seed SEED --first NUMBER`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HANG = 60.0  # s
ROOT = Path(__file__).resolve().parents[2]
GOOD = ("accepted", "refused")
BAD = ("crash", "hang", "traceback", "memory", "code run", "disagreement")


class Disagreement(Exception):
    """Two readers of one file have said different things."""


@dataclass(frozen=True)
class Verdict:
    """What became of an input: one of GOOD or BAD, and the message or the error."""

    family: str
    number: int
    what: str
    detail: str = ""


class Child:
    """A process that runs inputs one after the other; it is started anew after a crash or a hang."""

    def __init__(self, family: str, seed: int) -> None:
        self.family, self.seed = family, seed
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.TemporaryDirectory()

    def run(self, number: int) -> Verdict:
        if self.process is None:
            self._start()
        process = self.process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(f"{number}\n".encode())
            process.stdin.flush()
        except OSError:
            return self._ended(number)
        deadline = time.monotonic() + HANG
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.stop()
                return Verdict(self.family, number, "hang", f"more than {HANG:g} s")
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                return self._ended(number)
            line += more
        what, detail, worn = json.loads(line)
        if worn:
            self.stop()
        return Verdict(self.family, number, what, detail)

    def _start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'python'}"}
        environment["XDG_CONFIG_HOME"] = str(Path(self.folder.name) / "config")
        self.errors = open(Path(self.folder.name) / "stderr", "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", self.family, str(self.seed), self.folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT, env=environment, bufsize=0,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.process.stdout.readline()  # says that it has imported all

    def _ended(self, number: int) -> Verdict:
        assert self.process is not None
        status = self.process.wait()
        self.errors.seek(0)
        last = self.errors.read().decode(errors="replace").strip().splitlines()[-1:]
        self.process = None
        return Verdict(self.family, number, "crash", f"status {status} {' '.join(last)}"[:300])

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def run_family(family: str, numbers: range, seed: int) -> Iterator[Verdict]:
    """The verdicts of the inputs with these numbers."""
    child = Child(family, seed)
    try:
        for number in numbers:
            yield child.run(number)
    finally:
        child.stop()
        child.folder.cleanup()
