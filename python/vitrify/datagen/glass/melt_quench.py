"""Glasses by melting and quenching in `lmp`, as in appendix A.5 of the SymGNN paper."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from vitrify.core.compositions import (
    count_atoms,
    default_potential,
    parse_formula,
    potential_commands,
    potential_files,
    start_density,
)
from vitrify.core.errors import VitrifyError
from vitrify.core.files import (
    atomic_path,
    make_folder,
    own_content,
    require_file,
    require_other,
    sha256,
    writing,
)
from vitrify.core.lmp_process import LOG, all_cores, follow_lmp, plain_error
from vitrify.core.locks import claim_file
from vitrify.core.progress import Meter
from vitrify.core.seeds import check_seed
from vitrify.datagen.glass.integrator import choose_integrator
from vitrify.datagen.glass.result import Result, history_lines, publish, read_recipe
from vitrify.datagen.glass.script import HISTORY, RESTARTS, GlassSettings, glass_script

_MAGIC = b"LammpS RestartT\0"  # at both ends of a whole restart file
_ATOMS_OF_A_RANK = 250  # fewer are slower on more ranks


def make_glass(
    formula: str,
    *,
    atoms: int,
    rate: float,
    out: str | Path | None = None,
    potential: str | None = None,
    melt_temperature: float | None = None,
    melt_time: float = 100.0,
    final_temperature: float = 1.0,
    timestep: float | None = None,
    pressure: float = 0.0,
    density: float | None = None,
    integrator: str = "md",
    seed: int = 1,
    ranks: int | None = None,
    progress: bool = True,
) -> Path:
    """Makes a glass and returns its file `out` (LAMMPS data, with type labels): a minimum of the potential.

    Beside it lie FILE.extxyz (with the recipe), FILE.history.csv, FILE.png and the LAMMPS script FILE.in. A run
    that was interrupted goes on at its last restart file, in the same state but not bit by bit; a finished
    glass of the same settings is kept.

    Args:
        formula: elements and their shares, as in Cu64Zr36; types count in this order.
        rate: of the quench, K/s.
        out: default glasses/FORMULA-RATE-SEED.data.
        potential: LAMMPS commands separated by ";", or a file of them; None is the one for these elements.
        melt_temperature: K; default 2000, for silicon 3500, for silica 4000.
        melt_time: ps, at constant pressure.
        timestep: ps; default 0.002, with oxygen or hydrogen 0.001.
        pressure: bar, of melt, quench and minimum.
        density: of the random start, g/cm^3; default from the volumes of the elements.
        integrator: of melt and quench: "md"; a model file that moves atoms, which takes a stride in place of many
            steps; or "auto", a shipped model that was trained with this potential where its range holds the glass.
        ranks: MPI processes; default one for each core, but 250 atoms each at least.

    Raises:
        VitrifyError: bad settings, LAMMPS's own error, a melt that boils, or files of other settings.

    Most of this function describes its arguments, which is why it is long.
    """
    settings = check_settings(
        formula, atoms, rate, potential, melt_temperature, melt_time, final_temperature, timestep, pressure, density,
        seed, integrator,
    )  # fmt: skip
    if ranks is not None and ranks < 1:
        raise VitrifyError(f"ranks is {ranks}, but must be at least 1")
    path = Path(out) if out is not None else default_path(settings)
    if path.suffix != ".data":
        raise VitrifyError(f"the glass cannot be written to {path}: give a name that ends with .data")
    if _is_made(settings, path):
        return path
    parts = path.with_name(path.name + ".parts")
    files = potential_files(settings.potential)
    for beside in (".in", ".extxyz", ".history.csv", ".png"):
        require_file(path.with_suffix(beside))
        require_other(path.with_suffix(beside), files.values())
    with claim_file(path, "vitrify data glass", files.values()):
        if _is_made(settings, path):  # by another process, just now
            return path
        make_folder(parts, path)
        script = path.with_suffix(".in")
        with atomic_path(script) as work:
            work.write_text(glass_script(settings, path.stem, files))
        result = None
        while result is None:
            last = _prepare(settings, parts)
            result = _run(settings, script, parts, last, ranks or _good_ranks(atoms), progress)
        publish(settings, parts, path, result)
        with writing(parts):
            shutil.rmtree(parts)
    return path


def _is_made(settings: GlassSettings, path: Path) -> bool:
    """Whether the glass is there; VitrifyError if it is another."""
    require_file(path)
    if path.exists():
        _check_same(settings, read_recipe(path)["settings"], path)
    return path.exists()


def make_glasses(
    formula: str, count: int, out: str | Path | None = None, *, seed: int = 1, **options: Any
) -> Iterator[tuple[Path, bool]]:
    """Makes `count` independent glasses, of the seeds from `seed` on; yields each file, and whether it is new.

    Several files with a name `out` are numbered by their seed: glass-1.data, glass-2.data. options: as for
    `make_glass`.
    """
    if count < 1:
        raise VitrifyError(f"count is {count}, but must be at least 1")
    seed = check_seed(seed, count=count)
    checked = {name: value for name, value in options.items() if name not in ("ranks", "progress")}
    for number in range(seed, seed + count):
        path = default_path(check_settings(formula, seed=number, **checked)) if out is None else Path(out)
        if out is not None and count > 1:
            path = path.with_name(f"{path.stem}-{number}{path.suffix}")
        require_file(path)
        fresh = not path.exists()
        yield make_glass(formula, out=path, seed=number, **options), fresh


def check_settings(
    formula: str, atoms: int, rate: float, potential: str | None = None, melt_temperature: float | None = None,
    melt_time: float = 100.0, final_temperature: float = 1.0, timestep: float | None = None, pressure: float = 0.0,
    density: float | None = None, seed: int = 1, integrator: str = "md",
) -> GlassSettings:  # fmt: skip
    """The settings with their defaults, checked; units as in `make_glass`."""
    shares = parse_formula(formula)
    species = tuple(shares)
    counts = count_atoms(shares, atoms)
    commands = potential_commands(potential, species)
    default = default_potential(species)
    settings = GlassSettings(
        formula=formula.strip(),
        species=species,
        counts=counts,
        rate=float(rate),
        potential=commands,
        melt_temperature=melt_temperature or (default.melt_temperature if default else 2000.0),
        melt_time=float(melt_time),
        final_temperature=float(final_temperature),
        timestep=timestep or (0.001 if {"O", "H"} & set(species) else 0.002),
        pressure=float(pressure),
        density=density or start_density(species, counts),
        seed=check_seed(seed),
        files=tuple((name, sha256(file)) for name, file in potential_files(commands).items()),
    )
    settings = replace(settings, integrator=choose_integrator(integrator, settings))
    given = {"melt-temperature": melt_temperature, "timestep": timestep, "density": density}
    _check_numbers(settings, {name: value for name, value in given.items() if value is not None})
    return settings


def _check_numbers(s: GlassSettings, given: dict[str, float]) -> None:
    for name, value in {
        **given, "rate": s.rate, "melt-time": s.melt_time, "final-temperature": s.final_temperature,
    }.items():  # fmt: skip
        if not (math.isfinite(value) and value > 0):
            raise VitrifyError(f"{name} is {value:g}, but must be above 0")
    if not math.isfinite(s.pressure):
        raise VitrifyError(f"pressure is {s.pressure:g}, but must be a number of bar")
    if s.melt_temperature <= s.final_temperature:
        raise VitrifyError(
            f"the melt of {s.melt_temperature:g} K is not above the final temperature of {s.final_temperature:g} K"
        )
    if s.timestep > 0.02:
        raise VitrifyError(f"timestep is {s.timestep:g} ps, which no solid survives: give picoseconds, as in 0.002")
    _, melt, quench = s.ends
    if quench - melt < 10:
        raise VitrifyError(f"rate {s.rate:g} K/s leaves {quench - melt} steps for the quench: quench more slowly")
    if quench > 2**31 - 1:
        raise VitrifyError(f"rate {s.rate:g} K/s takes {quench} steps, more than LAMMPS counts: quench faster")


def default_path(settings: GlassSettings) -> Path:
    """glasses/Cu64Zr36-1e12-1.data"""
    mantissa, exponent = f"{settings.rate:.6e}".split("e")
    rate = f"{float(mantissa):g}e{int(exponent)}"
    return Path("glasses") / f"{settings.formula}-{rate}-{settings.seed}.data"


def _good_ranks(atoms: int) -> int:
    return max(1, min(all_cores(), atoms // _ATOMS_OF_A_RANK))


def _check_same(settings: GlassSettings, found: dict[str, Any], where: Path) -> None:
    """Raises VitrifyError, with the names of the settings that differ, unless `found` are the same."""
    wanted = json.loads(json.dumps(asdict(settings)))
    names = [field.name for field in fields(settings) if found.get(field.name) != wanted[field.name]]
    if names:
        texts = (f"{name} {_short(found.get(name))}, not {_short(wanted[name])}" for name in names)
        raise VitrifyError(
            f"{where} was made with other settings ({'; '.join(texts)}): give another --out or seed, or remove it"
        )


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else json.dumps(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _prepare(settings: GlassSettings, parts: Path) -> str:
    """The restart file to go on from, "a" or "b"; "start" where there is none, in a folder without older files."""
    record = parts / "settings.json"
    whole = [name for name in RESTARTS if _is_whole(parts / f"{name}.restart")]
    if whole and record.exists():
        with own_content(record, "the settings of vitrify data glass"):
            _check_same(settings, json.loads(record.read_text()), parts)
        history = parts / HISTORY
        if history.exists():  # a kill may have cut its last line
            whole_lines = history.read_text().rpartition("\n")[0] + "\n"
            with atomic_path(history) as work:
                work.write_text(whole_lines)
        return max(whole, key=lambda name: (parts / f"{name}.restart").stat().st_mtime_ns)
    with writing(parts):
        for old in parts.iterdir():
            old.unlink()
    with atomic_path(record) as work:
        work.write_text(json.dumps(asdict(settings)))
    return "start"


def _is_whole(restart: Path) -> bool:
    """A kill may have cut the file that LAMMPS was writing."""
    if not restart.exists() or restart.stat().st_size < 2 * len(_MAGIC):
        return False
    with restart.open("rb") as file:
        start = file.read(len(_MAGIC))
        file.seek(-len(_MAGIC), 2)
        return start == file.read() == _MAGIC


class _Gap(Exception):
    """The history lacks steps before the restart file: the disk was full then, and LAMMPS went on."""


def _run(settings: GlassSettings, script: Path, parts: Path, last: str, ranks: int, progress: bool) -> Result | None:
    """Runs the script from the restart file `last`, with a bar over the MD steps.

    None, and without that file, if it is of a time when nothing else could be written.
    """
    result: list[float] = []
    stage = ""
    # Strides of a model are counted anew from the melt on, and the warm-up is short beside them.
    moving = ("melt", "quench") if settings.integrator else ("warm-up", "melt", "quench")
    with Meter(settings.ends[2], settings.formula, "step", progress, many=True) as bar:

        def hear(line: str) -> None:
            nonlocal stage
            if line.startswith("--- result:"):
                result.extend(float(word) for word in line.split()[2:])
            elif found := re.match(r"--- ([a-z-]+)", line):
                stage = found[1]
                bar.rename(f"{settings.formula}, {stage}")
                if stage == "minimum" and bar.done == 0 and last != "start":
                    _require_history(settings, parts, settings.ends[2])
            elif stage in moving and (found := re.match(r"\s*(\d+)(\s+[-+\d.e]+){5}\s*$", line)):
                step = int(found[1])
                if bar.done == 0 and last != "start":
                    _require_history(settings, parts, step)
                    bar.resume(step)
                bar.reach(step)

        try:
            reason = follow_lmp(script, parts, hear, {"from": last}, ranks)
        except _Gap:
            with writing(parts):
                (parts / f"{last}.restart").unlink()
            return None
    if reason or len(result) != 5:
        raise VitrifyError(_explain(settings, reason or "it wrote no result", stage, parts))
    return Result(*result[:4])


def _require_history(settings: GlassSettings, parts: Path, step: int) -> None:
    """Raises _Gap unless the history has all its lines from the melt to before `step`."""
    every, (begin, *_) = settings.every, settings.ends
    wanted = range((begin // every + 1) * every, step, every)
    if not history_lines(parts / HISTORY).keys() >= set(wanted):
        raise _Gap


def _explain(settings: GlassSettings, reason: str, stage: str, parts: Path) -> str:
    """The error for the user; restart files of a run that has gone wrong are removed, as it would again."""
    hopeless = re.search(r"boil|[Ll]ost atoms|Non-numeric|out of range atoms", reason)
    if hopeless:
        for name in RESTARTS:
            (parts / f"{name}.restart").unlink(missing_ok=True)
    if hopeless and hopeless[0] == "boil":
        return (
            f"{settings.formula} has evaporated in the {stage or 'melt'}: its density fell below a third of the start's"
            f" {settings.density:.3g} g/cm^3; give a --melt-temperature below {settings.melt_temperature:g} K,"
            " or another --density"
        )
    if hopeless:
        return (
            f"{settings.formula} has blown up in the {stage or 'start'} ({plain_error(reason)}): give a --timestep"
            f" below {settings.timestep:g} ps or a lower --melt-temperature"
        )
    return f"lmp failed: {plain_error(reason)} (log: {parts / LOG})"
