"""Finds model files, checks their container, and reads their metadata without torch.

A model file is a TorchScript archive (a zip). Its entry `extra/vitrify.json` describes the model and holds a reference
case; `vitrify.modelfile.metadata` has the classes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vitrify.core.compiled import _core
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.kinds import KINDS
from vitrify.modelfile.metadata import Metadata, parse_metadata

WEIGHTS_NAME = "weights.safetensors"


def shipped_models() -> dict[str, Path]:
    """The models that come with vitrify, by file name."""
    package = Path(__file__).parents[1]
    folders = [package / "potentials"]
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").is_file():
        folders.append(checkout / "potentials")
    return {path.name: path for folder in reversed(folders) for path in sorted(folder.glob("*.pt"))}


def find_model(name: str | Path) -> Path:
    """The model file called `name`: a path, or a file in the folders of LAMMPS_POTENTIALS, or a shipped model.

    Raises VitrifyError, with the nearest shipped name, if there is no such file.
    """
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:  # a user without a home
        raise VitrifyError(f"no model file {name}: {error}") from None
    folders = [Path(folder) for folder in os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep) if folder]
    for candidate in [path, *(folder / path for folder in folders)]:
        if _is_file(candidate):
            return candidate
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    if os.path.isdir(path):
        raise VitrifyError(f"{name} is a directory: give a model file (vitrify export {name} -o model.pt makes one)")
    given = str(name) if len(str(name)) <= 200 else f"{str(name)[:200]}..."
    known = f"shipped models: {', '.join(shipped)}" if shipped else "no models are shipped"
    raise VitrifyError(
        f"no model file {given}{did_you_mean(path.name, shipped)}: give a path, a file in LAMMPS_POTENTIALS, "
        f"or a shipped model ({known})"
    )


def _is_file(path: Path) -> bool:
    """Whether there is a file; VitrifyError if that cannot be seen. What can be no name is no file."""
    try:
        return path.is_file()
    except PermissionError as error:
        raise VitrifyError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def open_archive(path: Path) -> Any:
    """The archive of a model file, a `vitrify._core.Archive`, read and checked as a whole; nothing is executed.

    Raises VitrifyError for any other file: missing, empty, truncated, a pickle, a torch.save file, foreign TorchScript.
    """
    return _core.Archive(os.fsencode(path))


def read_metadata(name: str | Path) -> Metadata:
    """The metadata of a model file, found as `find_model` does; neither torch nor the network is loaded.

    Raises VitrifyError for every file that is not a whole model file of a known schema and kind.
    """
    path = find_model(name)
    return parse_metadata(open_archive(path).metadata_text, path)


def wrong_kind(path: Path, kind: str, wanted: str) -> VitrifyError:
    """The error for a model file of `kind` where one of kind `wanted` should be; it says what the file is for."""
    return VitrifyError(f"{path} holds a model of kind {kind}, not {wanted}; kind {kind} {KINDS[kind].purpose}")
