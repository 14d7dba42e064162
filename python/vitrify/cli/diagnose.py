"""Looks for what keeps vitrify from working on this machine, and names the command that mends it."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.kinds import KINDS
from vitrify.modelfile.archive import find_model, open_archive, read_metadata, shipped_models
from vitrify.modelfile.metadata import Metadata
from vitrify.modelfile.trust import is_trusted

_REINSTALL = "pip install --force-reinstall --no-deps vitrify  (in a checkout: make clean all)"
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `detail` says what was found, `remedy` what to type if it is broken."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'OK' if self.ok else 'BROKEN':<7} {self.name:<24} {self.detail}"
        return line if self.ok or not self.remedy else f"{line}; mend it with: {self.remedy}"


class Broken(Exception):
    """What a check found wrong: `args` are the detail and the remedy."""


def diagnose(models: Sequence[str] = ()) -> Iterator[Finding]:
    """Findings one by one: Python, torch, LAMMPS, MPI, the plugin, what each `lmp` offers, then each of `models`, by
    default the shipped ones.

    Every check runs by itself, so that one broken part does not hide another.
    """
    checks: list[tuple[str, Callable[[], str]]] = [
        ("Python", _python),
        ("torch", _torch),
        ("compiled part", _core),
        ("lammps", _lammps),
        ("mpi", _mpi),
        ("plugin", _plugin_files),
        ("lmp loads the plugin", _plugin_loads),
    ]
    checks += [(f"routes of {place}", lambda p=place: _routes(p)) for place in lmp_programs()]  # type: ignore[misc]
    for name, check in checks:
        yield _examine(name, check)
    shipped = {name: str(path) for name, path in shipped_models().items()}
    named = {Path(m).name: m for m in models} or shipped
    for name, place in named.items():
        hosts = [("Python", _model_in_python), *([("lmp", _model_in_lammps)] if _in_lammps(place) else [])]
        for engine in _engines(place):
            for host, replay in hosts:
                label = f"{name} in {host}, {engine}"
                yield _examine(label, lambda r=replay, p=place, e=engine: r(p, e))  # type: ignore[misc]
    if not named:
        yield Finding("models", False, "none are shipped with this installation", _REINSTALL)


def _examine(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Broken as broken:
        return Finding(name, False, *broken.args)
    except VitrifyError as error:
        return Finding(name, False, str(error))
    # A doctor must survive whatever a damaged installation throws at it.
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}", _REINSTALL)


def _requirement(package: str) -> str:
    """The pinned requirement on `package` of the installed vitrify, as pip takes it."""
    try:
        lines = packages.requires("vitrify") or []
    except packages.PackageNotFoundError:
        lines = []
    pinned = [line.split(";")[0].strip() for line in lines if re.match(rf"{package}\b", line)]
    return f"pip install '{pinned[0] if pinned else package}'"


def _installed(package: str) -> str:
    """The version of `package`, which must be the one that vitrify was built against."""
    remedy = _requirement(package)
    try:
        version = packages.version(package)
    except packages.PackageNotFoundError:
        raise Broken("is not installed", remedy) from None
    wanted = remedy.rstrip("'").partition("==")[2]
    if wanted and version.partition("+")[0] != wanted:
        raise Broken(f"version {version} is installed, vitrify was built for {wanted}", remedy)
    return version


def _python() -> str:
    return f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"


def _torch() -> str:
    version = _installed("torch")
    try:
        import torch
    except Exception as error:
        raise Broken(f"cannot be imported ({error})", _requirement("torch")) from None
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"{version}, {gpus} GPU{'s' if gpus != 1 else ''}, {torch.get_num_threads()} threads"


def _core() -> str:
    try:
        core = importlib.import_module("vitrify._core")
    except ImportError as error:
        raise Broken(f"vitrify._core cannot be imported ({error})", _REINSTALL) from None
    return f"version {core.version}"


def _lammps() -> str:
    version = _installed("lammps")
    done = _run([_program("lmp", "lammps"), "-help"])
    if done.returncode:
        raise Broken(f"lmp does not start: {_last_line(done.stdout)}", _requirement("lammps"))
    return f"{version}, {_program('lmp', 'lammps')}"


def _mpi() -> str:
    program = _program("mpiexec", "mpich")
    script = "region box block 0 2 0 1 0 1\ncreate_box 1 box\n"
    done = _run([program, "-n", "2", _program("lmp", "lammps"), "-log", "none"], script)
    if done.returncode or "2 by 1 by 1 MPI processor grid" not in done.stdout:
        raise Broken(f"lmp does not run on two ranks: {_last_line(done.stdout)}", _requirement("mpich"))
    return f"{program}, two ranks work together"


def _plugin_files() -> str:
    from vitrify.plugin import PLUGIN, path

    folder = Path(path())
    for name in (PLUGIN, "libvitrify_torch.so"):
        if not (folder / name).is_file():
            raise Broken(f"{folder / name} is missing", _REINSTALL)
    return str(folder / PLUGIN)


def _plugin_loads() -> str:
    listed = "\n".join(("plugin list", *(f"info styles {kind}" for kind in ("fix", "compute", "pair", "command")), ""))
    done = _run([_program("lmp", "lammps"), "-log", "none"], listed)
    styles = [kind.styles[0] for kind in KINDS.values() if kind.styles]
    for name in styles:
        if not _knows(done.stdout, name.split()[-1]):
            raise Broken(f"{name} is unknown to lmp: {_first_error(done.stdout)}", _REINSTALL)
    return f"{', '.join(styles)} are known"


def lmp_programs() -> list[str]:
    """Every different program of LAMMPS in this environment, the PATH and the system's folders."""
    paths = os.environ.get("PATH", "").split(os.pathsep)
    folders = [str(Path(sys.executable).parent), *paths, "/usr/bin", "/usr/local/bin"]
    found: dict[str, str] = {}
    for folder, name in ((folder, name) for folder in folders for name in ("lmp", "lmp_mpi", "lmp_serial")):
        place = shutil.which(name, path=folder)
        if place is not None:
            found.setdefault(os.path.realpath(place), place)
    return list(found.values())


def _routes(program: str) -> str:
    """The routes from docs/routes.md that an `lmp` offers, and what they need."""
    printed = _run([program, "-help"]).stdout
    version = re.search(r"Simulator - (.*)", printed)
    styles = _run([program, "-log", "none"], "info styles fix\n").stdout
    offers = []
    if _knows(styles, "ogn"):
        offers.append("plugin")
    elif _knows(printed, "PLUGIN"):
        offers.append("plugin, once it is built for this version (README, Another LAMMPS)")
    if _knows(printed, "python/move"):
        offers.append(_python_route(program))
    none = "no route: it has neither the package PLUGIN nor PYTHON; its library may do for vitrify.lammps.attach"
    return f"LAMMPS {version[1] if version else 'of unknown version'}: {'; '.join(offers) or none}"


def _python_route(program: str) -> str:
    """Whether the Python inside an `lmp` imports vitrify."""
    from vitrify.lammps import python_path

    script = 'python OGN here """\nfrom vitrify.lammps import OGN\n"""\n'
    done = _run([program, "-log", "none"], script, {"PYTHONPATH": python_path()})
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if re.match(r"\w*Error: ", line)]
        return f"no Python route: its Python does not import vitrify ({(errors or [_last_line(done.stdout)])[0]})"
    return f"Python route, with PYTHONPATH={python_path()}"


def _knows(listed: str, style: str) -> bool:
    """Whether a style or package is a word of what LAMMPS lists."""
    return re.search(rf"(^|\s){re.escape(style)}(\s|$)", listed, re.MULTILINE) is not None


def _engines(name: str) -> tuple[str, ...]:
    """The engines that a model file offers; torch for what is no model file, so that its check says what is wrong."""
    try:
        from vitrify.engines.open import engines_of

        return engines_of(name)
    except VitrifyError:
        return ("torch",)


def _in_lammps(name: str) -> bool:
    """Whether a style runs this model; yes for what is no model file, so that its check says what is wrong."""
    try:
        return read_metadata(name).in_lammps
    except VitrifyError:
        return True


def _model_in_python(name: str, engine: Any) -> str:
    from vitrify.engines.open import open_model
    from vitrify.engines.replay import require_reference

    model = open_model(name, engine)
    return f"{_deviation(require_reference(model), model.metadata)} by {model.runs_on}"


def _model_in_lammps(name: str, engine: str) -> str:
    path, metadata = find_model(name), read_metadata(name)
    if engine == "torch" and not is_trusted(open_archive(path)):
        unknown, remedy = "its program is unknown here, so that lmp does not load it", f"vitrify trust {name}"
        if "native" in _engines(name):
            return f"not tried: {unknown} ({remedy} lets it)"
        raise Broken(unknown, remedy)
    done = _run([_program("lmp", "lammps"), "-log", "none"], _check_script(path, metadata, engine))
    found = re.search(r"reference case reproduced, relative error (\S+)", done.stdout)
    # create_glass goes on, and may refuse the glass of a model of little training: that is no fault of the engine.
    first = _first_error(done.stdout)
    refused = done.returncode == 1 and KINDS[metadata.kind].has("generate") and first.startswith("ERROR: create_glass:")
    if not found or (done.returncode and not refused):
        style = KINDS[metadata.kind].styles[0]
        raise Broken(f"{style} ... engine {engine} check yes fails: {first}", "vitrify export RUN -o MODEL")
    reproduced = _deviation(float(found.group(1)), metadata)
    return f"{reproduced}; {first}" if refused else reproduced


def _check_script(path: Path, metadata: Metadata, engine: str) -> str:
    """An input that makes the style of the model's kind replay the reference case in an engine, in an empty box."""
    place = path.resolve()
    arguments = f'"{place}" {" ".join(metadata.species)} engine {engine} check yes'
    size = 3 * metadata.cutoff
    return "\n".join(
        [
            f"units {metadata.units}",
            f"region box block 0 {size} 0 {size} 0 {size}",
            f"create_box {len(metadata.species)} box",
            *metadata.lammps_masses(),
            *metadata.lammps_check(arguments, str(place)),
            "",
        ]
    )


def _deviation(error: float, metadata: Metadata) -> str:
    return f"reference case reproduced to {error:.1e} ({metadata.reference.tolerance:g} allowed)"


def _program(name: str, package: str) -> str:
    """The program of this environment, or of the PATH."""
    here = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([here, os.environ.get("PATH", "")]))
    if found is None:
        raise Broken(f"{name} is not in the PATH", _requirement(package))
    return found


def _run(
    command: list[str], script: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `command` in an empty folder, with `script` as a LAMMPS input file; stdout and stderr together."""
    with tempfile.TemporaryDirectory() as folder:
        if script is not None:
            (Path(folder) / "in.doctor").write_text(script)
            command = [*command, "-in", "in.doctor"]
        try:
            return subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_TIMEOUT,
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"{Path(command[0]).name} did not finish in {_TIMEOUT:.0f} s", "try it by hand") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


def _first_error(text: str) -> str:
    errors = [line.strip() for line in text.splitlines() if "ERROR" in line or "WARNING" in line]
    return errors[0] if errors else _last_line(text)
