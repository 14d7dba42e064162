"""Builds the native engines in several ways, and runs model files in each. Arguments: sanitizers, compilers, or builds.

The program is tests/cpp/run_models.cpp; the model files are those of potentials/, and damaged copies of them. A build
that fails or warns, a sanitizer that speaks, and an answer beyond the tolerance of a reference case are errors.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from changed_files import with_entry, with_random_damage  # noqa: E402

ODD = [0, -1, 1, 3, 2**31, 2**53, 1e308, 0.5, "", "x", None, True, [], {}, [[]], [1, 2]]
SANITIZE = "-O1 -g1 -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize="
LIMIT = 300  # seconds of a run
OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


@dataclass(frozen=True)
class Build:
    """Compilers (the first one that is installed builds), flags, and whether damaged files are run, too."""

    compilers: tuple[str, ...]
    flags: str
    damaged: bool = False
    quick: bool = False

    @property
    def compiler(self) -> str | None:
        return next((path for name in self.compilers if (path := shutil.which(name))), None)


GNU, CLANG = ("g++",), ("clang++", *(f"clang++-{version}" for version in range(30, 13, -1)))
SANITIZERS = {
    "address": Build(GNU, f"{SANITIZE}address,undefined,float-cast-overflow -D_GLIBCXX_ASSERTIONS", damaged=True),
    "thread": Build(GNU, f"{SANITIZE}thread", quick=True),
}
COMPILERS = {
    "gnu-native": Build(GNU, "-O2 -march=native", quick=True),
    "gnu-avx": Build(GNU, "-mavx", quick=True),
    "gnu-avx2": Build(GNU, "-mavx2", quick=True),
    "gnu-plain": Build(GNU, "-O0 -D_GLIBCXX_ASSERTIONS", quick=True),
    "clang": Build(CLANG, "", quick=True),
    "clang-native": Build(CLANG, "-O2 -march=native", quick=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builds", nargs="+", help="sanitizers, compilers, " + ", ".join(SANITIZERS | COMPILERS))
    parser.add_argument("--damaged", type=int, default=8, metavar="N", help="damaged copies of each model file")
    options = parser.parse_args()
    groups = {"sanitizers": SANITIZERS, "compilers": COMPILERS}
    known = SANITIZERS | COMPILERS
    names = [name for given in options.builds for name in groups.get(given, [given])]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no build {unknown[0]}: use {', '.join([*groups, *known])}")
    clean = [check(name, known[name], options.damaged) for name in names]
    return 0 if all(clean) else 1


def check(name: str, build: Build, damaged: int) -> bool:
    """Builds and runs; prints one line, and what went wrong. True if nothing did, or the compiler is not installed."""
    start = time.monotonic()
    if build.compiler is None:
        print(f"{name}: no {build.compilers[0]} is installed, left out")
        return True
    folder = ROOT / "build" / f"check-{name}"
    models = sorted((ROOT / "potentials").glob("*.pt"))
    output = compile_program(build, folder)
    if not output:
        files = models + (damage(models, folder / "damaged", damaged) if build.damaged else [])
        quick = ["--quick"] if build.quick else []
        command = [str(folder / "run_models"), *quick, *map(str, files)]
        done = run_limited(command)
        result = done.stdout.strip().splitlines()[-1:] or ["nothing ran"]
        print(f"{name} ({Path(build.compiler).name} {build.flags}): {result[0]}, {time.monotonic() - start:.0f} s")
        output = done.stdout + done.stderr if done.returncode else baseline_beyond_its_set(folder)
    if output:
        print(f"{name}: failed\n{output[-8000:]}")
    return not output


def run_limited(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs the program, which fails if it takes longer than LIMIT."""
    try:
        environment = {**os.environ, **OPTIONS}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"the program ran for more than {LIMIT} s\n")


def compile_program(build: Build, folder: Path) -> str:
    """Compiles the program into `folder`; returns what the compiler said: warnings and errors."""
    settings = {
        "VITRIFY_CHECKS": "ON",
        "CMAKE_CXX_COMPILER": build.compiler,
        "CMAKE_CXX_FLAGS": build.flags,
        "CMAKE_BUILD_TYPE": "Check",  # a type without flags of its own
        "VITRIFY_KERNELS": "-O1" if "-fsanitize" in build.flags else "-O3",
        "Python_EXECUTABLE": sys.executable,
    }
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja"]
    configure += [f"-D{key}={value}" for key, value in settings.items()]
    for command in (configure, ["cmake", "--build", str(folder), "--target", "run_models"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or "warning:" in done.stdout + done.stderr:
            return done.stdout + done.stderr
    return ""


def baseline_beyond_its_set(folder: Path) -> str:
    """Says so if the kernels of the baseline hold instructions of AVX, on which older machines would end."""
    objects = sorted(folder.glob("CMakeFiles/kernels_baseline.dir/**/kernels.cpp.o"))
    if not objects or os.uname().machine != "x86_64" or not shutil.which("objdump"):
        return ""
    for file in objects:
        code = subprocess.run(["objdump", "-d", str(file)], capture_output=True, text=True, check=True).stdout
        found = re.search(r"%[yz]mm\d|\tv(add|mul|mov)[a-z0-9]+ ", code)
        if found:
            return f"{file} holds {found[0].strip()}, beyond the baseline"
    return ""


def damage(models: list[Path], folder: Path, copies: int) -> list[Path]:
    """Damaged copies of model files, whose checksums hold; the same ones in every run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng, made = random.Random(1), []
    for model in models:
        for trial in range(copies):
            path = folder / f"damaged-{trial}-{model.name}"
            if trial % 2:
                made.append(with_random_damage(model, path, trial // 2, rng))
            else:
                made.append(with_entry(model, path, "vitrify.json", lambda text: with_odd_values(text, rng)))
        path = folder / f"damaged-cut-{model.name}"
        path.write_bytes(model.read_bytes()[: rng.randrange(model.stat().st_size)])
        made.append(path)
    return made


def with_odd_values(text: bytes, rng: random.Random) -> bytes:
    """The metadata with another value in one or two places."""
    document = json.loads(text)
    for _ in range(rng.randrange(1, 3)):
        at = document
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = rng.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and rng.random() < 0.8:
                at = at[key]
                continue
            at[key] = rng.choice(ODD)
            break
    return json.dumps(document).encode()


if __name__ == "__main__":
    sys.exit(main())
