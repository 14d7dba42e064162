"""The files of a melt-quench run: the glass as LAMMPS data and extended XYZ, its history and a figure of the quench."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import vitrify
from vitrify.core.compositions import parse_formula
from vitrify.core.errors import VitrifyError
from vitrify.core.files import atomic_path, writing
from vitrify.data.readers.extxyz_values import parse_values
from vitrify.data.readers.source import Lines, require_file
from vitrify.datagen.glass.script import COLUMNS, HISTORY, GlassSettings
from vitrify.lammps_library.session import lammps_version

GOOD_FORCE = 1e-3  # eV/A: the largest force that a minimum may have
GOOD_PRESSURE = 200.0  # bar: how far the pressure of a minimum may be from the one that was asked for
ROUNDED = 0.01  # a share of an element that whole atoms may miss without a word


@dataclass(frozen=True)
class Result:
    """The minimum: energy_per_atom (eV), pressure (bar), density (g/cm^3), max_force (eV/A, largest length)."""

    energy_per_atom: float
    pressure: float
    density: float
    max_force: float


def publish(settings: GlassSettings, parts: Path, path: Path, result: Result) -> None:
    """Moves the files of the run from `parts` to `path` and the names beside it; `path` itself comes last."""
    _write_history(parts / HISTORY, path.with_suffix(".history.csv"))
    draw_quench(settings, path.with_suffix(".history.csv"), path.with_suffix(".png"))
    _write_extxyz(settings, parts / path.name, path.with_suffix(".extxyz"), result)
    with writing(path):
        os.replace(parts / path.name, path)


def _write_history(found: Path, path: Path) -> None:
    """One line for each step; lines after a restart replace earlier ones of the same step."""
    lines = history_lines(found)
    with atomic_path(path) as work:
        work.write_text("\n".join([COLUMNS, *(lines[step] for step in sorted(lines))]) + "\n")


def history_lines(path: Path) -> dict[int, str]:
    """The whole lines of a history by step; of several for a step the last one."""
    found = {}
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        values = line.split(",")
        if values[0].isdigit() and len(values) == len(COLUMNS.split(",")):
            found[int(values[0])] = line
    return found


def read_history(path: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns by name (steps, ps, K, g/cm^3, A^3, eV, bar), and the stage ("melt", "quench") of each line."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    names = COLUMNS.split(",")[:-1]
    columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    return columns, np.array([row["stage"] for row in rows])


def _write_extxyz(settings: GlassSettings, data: Path, path: Path, result: Result) -> None:
    from ase.data import atomic_numbers
    from ase.io import write
    from ase.io.lammpsdata import read_lammps_data

    numbers = {kind: atomic_numbers[symbol] for kind, symbol in enumerate(settings.species, 1)}
    atoms = read_lammps_data(data, Z_of_type=numbers)
    for name in [name for name in atoms.arrays if name not in ("numbers", "positions")]:
        del atoms.arrays[name]
    atoms.wrap()
    versions = {"vitrify": vitrify.__version__, "lammps": lammps_version()}
    atoms.info = {"vitrify": {"settings": asdict(settings), "result": asdict(result), "versions": versions}}
    with atomic_path(path) as work:
        write(work, atoms, format="extxyz")


def read_recipe(path: str | Path) -> dict[str, Any]:
    """ "settings", "result" and "versions" of the glass `path` (.data), from the .extxyz beside it."""
    beside = Path(path).with_suffix(".extxyz")
    try:
        with Lines(require_file(beside)) as lines:
            lines.next()
            recipe: dict[str, Any] = dict(parse_values(lines.next() or "")["vitrify"])
    except (KeyError, TypeError, ValueError):
        raise VitrifyError(
            f"{path} exists, but {beside} beside it does not say how it was made: give another --out, or remove it"
        ) from None
    return recipe


def summary(path: str | Path) -> str:
    """One line about a finished glass."""
    recipe = read_recipe(path)
    found, asked = Result(**recipe["result"]), recipe["settings"]
    line = (
        f"density {found.density:.4g} g/cm^3, energy {found.energy_per_atom:.6g} eV/atom, "
        f"pressure {found.pressure:.3g} bar, largest force {found.max_force:.2g} eV/A"
    )
    missed = []
    if not found.max_force < GOOD_FORCE:
        missed.append("no minimum was reached")
    if not abs(found.pressure - asked["pressure"]) < GOOD_PRESSURE:
        missed.append(f"the pressure of {asked['pressure']:g} bar that was asked for was missed")
    missed += _rounded(asked)
    return f"{line}: {'; '.join(missed)}" if missed else line


def _rounded(asked: dict[str, Any]) -> list[str]:
    """A sentence if whole atoms cannot have the composition of the formula."""
    shares = parse_formula(asked["formula"])
    total, atoms = sum(shares.values()), sum(asked["counts"])
    made = dict(zip(asked["species"], asked["counts"], strict=True))
    if max(abs(made[name] / atoms - share / total) for name, share in shares.items()) <= ROUNDED:
        return []
    texts = ", ".join(f"{100 * made[name] / atoms:.3g}% {name}" for name in made)
    return [f"{atoms} atoms of {asked['formula']} have {texts}, ask for more atoms"]


def draw_quench(settings: GlassSettings, history: Path, path: Path) -> None:
    """Energy and volume for each atom against temperature along the quench, and their means over 2% of its time."""
    from vitrify.report.plots import PALETTE, SECOND, new_figure, save, style

    columns, stages = read_history(history)
    quench = stages == "quench"
    with style():
        figure = new_figure(6.4, 2.8)
        for axes, name, label in zip(
            figure.subplots(1, 2),
            ("energy_per_atom", "volume_per_atom"),
            ("potential energy (eV/atom)", "volume (Å$^3$/atom)"),
            strict=True,
        ):
            temperature, values = columns["temperature"][quench], columns[name][quench]
            blocks = np.array_split(np.arange(len(values)), min(50, len(values)))
            axes.plot(temperature, values, color=SECOND, linewidth=0.5)
            means = ([part[block].mean() for block in blocks] for part in (temperature, values))
            axes.plot(*means, color=PALETTE[1])
            axes.set_xlabel("temperature (K)")
            axes.set_ylabel(label)
        figure.suptitle(f"{settings.formula}, {settings.n_atoms} atoms, {settings.rate:.3g} K/s", fontsize=9)
    save(figure, path)
