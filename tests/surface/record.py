"""Records what a user of vitrify sees, so that the tests beside this file can say what a change has changed.

    python tests/surface/record.py                    # all, into tests/surface/expected; three CPU-minutes
    python tests/surface/record.py commands lammps    # some of them
    python tests/surface/record.py --out FOLDER       # elsewhere, to compare by diff

It describes the vitrify that this Python imports, so that the Python of another checkout records that one. Record anew
only what is meant to change, and read the difference before it is committed.

    python           public names and signatures, properties of GlassCalc, what README, docs and examples import
    commands         the command line: commands, parameters, types, defaults, help
    configurations   keys of the YAML files of each kind, with types and defaults
    hyperparameters  the same for the section `model:` of each variant
    metadata         keys of vitrify.json
    models           answers of shipped models: native engine by instruction set, and torch
    lammps           styles and keywords in LAMMPS: lines that are printed, numbers that are computed
    outputs          vitrify info, doctor and generate
    workflows        train, export and evaluate of each kind on small data: files, columns, keys
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
HELPERS = Path(__file__).parents[1] / "helpers"
sys.path.insert(0, str(HELPERS))

import attached_models  # noqa: E402
import command_outputs  # noqa: E402
import lammps_surface  # noqa: E402
import model_outputs  # noqa: E402
import public_surface  # noqa: E402
import surface_records  # noqa: E402


def models() -> dict[str, Any]:
    """The answers of shipped models in every engine and instruction set that runs here."""
    found: dict[str, Any] = {"machine": model_outputs.machine()}
    for instructions in filter(model_outputs.can_run, ("default", "avx2", "avx512")):
        found[f"native, {instructions}"] = model_outputs.in_process("native", instructions)
    found["torch"] = model_outputs.in_process("torch")
    return found


def lammps() -> dict[str, Any]:
    """Runs of every style."""
    return {
        "machine": model_outputs.machine(),
        "simd": lammps_surface.SIMD,
        "runs": lammps_surface.everything(),
        "attached": attached_models.in_process(lammps_surface.SIMD),
    }


def outputs() -> dict[str, Any]:
    """What info, doctor and generate print and write."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "machine": model_outputs.machine(),
            "info": command_outputs.info(),
            "doctor": command_outputs.doctor(Path(folder)),
            "generate": command_outputs.generate(Path(folder)),
        }


def workflows() -> dict[str, Any]:
    """Training, export and evaluation of each kind."""
    found = {}
    for kind in public_surface.KINDS:
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = command_outputs.workflow(kind, Path(folder))
    return found


RECORDS: dict[str, Callable[[], Any]] = {
    "python": public_surface.python,
    "commands": public_surface.command_tree,
    "configurations": public_surface.configurations,
    "hyperparameters": public_surface.hyperparameters,
    "metadata": public_surface.metadata_keys,
    "models": models,
    "lammps": lammps,
    "outputs": outputs,
    "workflows": workflows,
}


def main() -> None:
    """The command of this module's docstring."""
    parser = argparse.ArgumentParser(description="Record what a user of vitrify sees.")
    parser.add_argument("names", nargs="*", choices=[*RECORDS, []], help="records to write; default: all")
    parser.add_argument("--out", type=Path, default=surface_records.EXPECTED, help="folder to write")
    given = parser.parse_args()
    for name in given.names or RECORDS:
        print(surface_records.save(name, RECORDS[name](), given.out))


if __name__ == "__main__":
    main()
