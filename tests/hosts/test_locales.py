"""Commands and hosts in other languages: with a decimal comma, and in a C locale that knows no names beyond ASCII."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import locales
from child_processes import HANGS
from lammps_runner import BIN
from written.commands import COMMANDS

POTENTIALS = Path(__file__).parents[2] / "potentials"
# As a program with a graphical interface does; Python itself keeps the decimal point of numbers.
SPEAK = "import locale; locale.setlocale(locale.LC_ALL, ''); "
COMMAND = SPEAK + "from vitrify.cli.main import app; app()"
HOSTS = (
    SPEAK
    + """
import json, sys
import numpy as np
from ase.build import bulk
from vitrify import GlassCalc, generate, open_model
from vitrify.lammps import lammps

print(locale.localeconv()["decimal_point"])
atoms = bulk("Cu", a=4.7, cubic=True) * (3, 3, 3)
atoms.numbers[::2] = 40
atoms.calc = GlassCalc("Cu50Zr50.glassvae.pt", force=True)
found = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces().tolist()}
model = open_model("cuzr.ogn.pt")
cell, types = np.array(atoms.cell), (atoms.numbers == 40).astype(int)
found["stride"] = [rows.tolist() for rows in model.predict(atoms.positions, 0.1 * atoms.positions, cell, types)]
made = generate(sys.argv[1], n_atoms=64, steps=1, seed=3)
found["generated"] = made.positions.tolist()
text = []
try:
    model.predict(atoms.positions, np.nan * atoms.positions, cell, types)
except ValueError as error:
    text.append(str(error))
found["text"] = text
print(json.dumps(found))
"""
)
INPUT = """\
units lj
lattice sc 1.204
region b block 0 7 0 7 0 7
create_box 2 b
create_atoms 1 box
set group all type/subset 2 69 7
mass * 1.0
velocity all create 3.3 7
neigh_modify every 1 delay 0 check yes
fix 1 all ogn {model} A B langevin 2.5 0.5 7 guard no
timestep 0.05
thermo_style custom step temp ke f_1 f_1[4]
thermo_modify format float %.15g
thermo 1
run 3
"""


def run(words: list[Any], given: dict[str, str], folder: Path) -> str:
    """The output of a process that must succeed, as text in its own encoding."""
    done = subprocess.run(
        [str(word) for word in words], env=given, cwd=folder, timeout=HANGS,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output = done.stdout.decode("latin-1")
    assert done.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture(scope="module")
def comma(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return locales.with_comma(tmp_path_factory.mktemp("locales"))


def numbers(folder: Path) -> dict[str, bytes]:
    """The contents of files of structures and tables in a folder."""
    kept = (".extxyz", ".xyz", ".data", ".csv")
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.suffix in kept}


QUICK = ("generate", "generate LAMMPS", "evaluate symgnn")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in (*QUICK, "evaluate glassvae", "export", "glass")
    ],
)
def test_commands_write_the_same_numbers(name: str, inputs: Path, tmp_path: Path, comma: dict[str, str]) -> None:
    command = COMMANDS[name]
    written = []
    for language, given in (("C.UTF-8", locales.environment("C.UTF-8")), ("comma", comma)):
        folder = tmp_path / language
        folder.mkdir()
        words = command.arguments(inputs, folder / command.out)
        run([sys.executable, "-c", COMMAND, *words], given, inputs)
        written.append(numbers(folder))
    assert written[0] == written[1]


def test_hosts_give_the_same_numbers(inputs: Path, tmp_path: Path, comma: dict[str, str]) -> None:
    """Engines in Python, in a process that speaks a language with a comma; and what they say."""
    generator = COMMANDS["generate"].arguments(inputs, tmp_path / "out")[1]
    found = []
    for given in (locales.environment("C.UTF-8"), comma):
        point, last = run([sys.executable, "-W", "ignore", "-c", HOSTS, generator], given, tmp_path).splitlines()[-2:]
        found.append((point, json.loads(last)))
    assert [point for point, _ in found] == [".", ","]
    assert found[0][1] == found[1][1]


@pytest.mark.lmp
def test_lmp_gives_the_same_numbers(tmp_path: Path, comma: dict[str, str]) -> None:
    """Run as a program."""
    (tmp_path / "in.test").write_text(INPUT.format(model="kalj.ogn.pt"))
    words = [BIN / "lmp", "-in", "in.test", "-log", "none"]
    tables = []
    for given in (locales.environment("C.UTF-8"), comma):
        lines = run(words, given, tmp_path).splitlines()
        start = next(i for i, line in enumerate(lines) if line.split()[:1] == ["Step"])
        tables.append(lines[start + 1 : start + 5])
    assert tables[0] == tables[1] and tables[0][3].split()[0] == "3"


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = "Gläser é 玻璃"


@pytest.mark.parametrize("language", ["C", "POSIX", "ASCII", "Latin-9"])
def test_names_beyond_ascii(
    language: str, inputs: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In C locales, without Python's way out of these, and in a locale that cannot spell them."""
    if language == "ASCII":
        given = {**locales.environment("C"), **ASCII}
    elif language == "Latin-9":
        given = locales.with_comma(tmp_path_factory.mktemp("locales"), "ISO-8859-15")
    else:
        given = locales.environment(language)
    folder = tmp_path / NAMES
    folder.mkdir()
    source = COMMANDS["generate"].arguments(inputs, tmp_path / "unused")[1]
    model = Path(shutil.copy(source, folder / f"{NAMES}.amshortcut.pt"))
    command = [sys.executable, "-c", COMMAND]
    assert "amshortcut" in run([*command, "info", model], given, folder)
    for form in ("extxyz", "data"):
        out = folder / f"{NAMES}.{form}"
        run([*command, "generate", model, "--steps", 1, "--atoms", 64, "--out", out], given, folder)
        assert out.stat().st_size > 1000 and os.fsencode(out.name) in os.listdir(os.fsencode(folder))
    broken = folder / f"{NAMES} 2.ogn.pt"
    broken.write_bytes(b"nothing")
    done = subprocess.run([*command, "info", str(broken)], env=given, cwd=folder, capture_output=True)
    said = done.stderr.decode("latin-1")
    assert done.returncode == 1 and said.count("\n") == 1 and said.startswith("vitrify: ")


@pytest.mark.lmp
def test_lmp_finds_models_in_folders_beyond_ascii(tmp_path: Path) -> None:
    """Where it runs, and in LAMMPS_POTENTIALS; in its own input LAMMPS allows no such names."""
    folder, other = tmp_path / NAMES, tmp_path / f"{NAMES} 2"
    for place in (folder, other):
        place.mkdir()
    shutil.copy(POTENTIALS / "kalj.ogn.pt", folder / "here.ogn.pt")
    shutil.copy(POTENTIALS / "kalj.ogn.pt", other / "there.ogn.pt")
    given = {**locales.environment("C"), **ASCII, "LAMMPS_POTENTIALS": str(other)}
    for model in ("here.ogn.pt", "there.ogn.pt"):
        (folder / "in.test").write_text(INPUT.format(model=model))
        assert "fix ogn: engine native" in run([BIN / "lmp", "-in", "in.test", "-log", "none"], given, folder)
