"""A process that runs inputs of one family; prints a line of JSON for each: outcome, message, whether to end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.families import COMMANDS, FAMILIES
from tests.fuzz.harness import Disagreement
from vitrify import VitrifyError

MEMORY = 2 * 1024**2  # kB that one input may take
LIMIT = 8 * 1024**3  # bytes of address space, so that the machine survives
WORN = 300  # inputs, after which a fresh process takes over


def main() -> None:
    family, seed, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what LAMMPS and the commands print
    warnings.simplefilter("ignore")
    make = FAMILIES[family]
    answers.write("ready\n")
    answers.flush()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, hard))
    for count, line in enumerate(sys.stdin, start=1):
        what, detail = run(make, random.Random(f"{family} {seed} {int(line)}"), folder)
        answers.write(json.dumps([what, detail[:300], count >= WORN or what in ("memory", "traceback")]) + "\n")
        answers.flush()


def run(make: Callable[[random.Random, Path], Callable[[], Any]], rng: random.Random, folder: Path) -> tuple[str, str]:
    files, here = folder / "files", folder / "here"
    for place in (files, here):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    os.chdir(here)
    action = make(rng, files)
    Path("/proc/self/clear_refs").write_text("5")  # begins to count the peak anew
    before = memory("VmRSS")
    what, detail = outcome(action)
    taken = memory("VmHWM") - before
    if taken > MEMORY:
        return "memory", f"{taken // 1024} MB; {what}: {detail}"
    # Programs that would run make a file `ran`; no reader of files makes any, but commands do.
    strange = [entry.name for entry in here.iterdir() if entry.name == "ran" or make not in COMMANDS]
    if strange:
        return "code run", f"made {strange[:5]}; {what}: {detail}"
    return what, detail


def outcome(action: Callable[[], Any]) -> tuple[str, str]:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            action()
        return "accepted", ""
    except VitrifyError as error:
        text = str(error)
        if "\n" in text or not text.isprintable():
            return "traceback", f"a message of several lines or with control characters: {text!r}"
        return "refused", text
    except Disagreement as error:
        return "disagreement", str(error)
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"


def memory(name: str) -> int:
    """kB of this process, as the kernel counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
