"""Finds model files, checks their container, and reads their metadata without torch.

A model file is a TorchScript archive (a zip). Its entry `extra/vitrify.json` describes the model and holds a reference
case; `vitrify.modelfile.metadata` has the classes.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.kinds import KINDS
from vitrify.modelfile.metadata import METADATA_NAME, Metadata, parse_metadata

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
    path = Path(name).expanduser()
    folders = [Path(folder) for folder in os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep) if folder]
    for candidate in [path, *(folder / path for folder in folders)]:
        if candidate.is_file():
            return candidate
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    if path.is_dir():
        raise VitrifyError(f"{name} is a directory: give a model file (vitrify export {name} -o model.pt makes one)")
    known = f"shipped models: {', '.join(shipped)}" if shipped else "no models are shipped"
    raise VitrifyError(
        f"no model file {name}{did_you_mean(path.name, shipped)}: give a path, a file in LAMMPS_POTENTIALS, "
        f"or a shipped model ({known})"
    )


def open_archive(path: Path) -> zipfile.ZipFile:
    """The zip container of a model file, after checking that it holds vitrify's metadata; nothing is executed.

    Raises VitrifyError for any other file: empty, truncated, a pickle, a torch.save file, foreign TorchScript.
    """
    remedy = "make one with vitrify export RUN -o model.pt"
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise VitrifyError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None
    if start[:1] == b"\x80":
        raise VitrifyError(f"{path} is a Python pickle, which could run any program, not a model file: {remedy}")
    if start[:2] != b"PK":
        what = "is empty" if not start else "is not a model file (a TorchScript archive)"
        raise VitrifyError(f"{path} {what}: {remedy}")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise VitrifyError(f"{path} is truncated or corrupt ({error}): copy or export it again") from None
    names = archive.namelist()
    if any("/extra/" + METADATA_NAME in name for name in names):
        return archive
    archive.close()
    if any(name.endswith("/constants.pkl") for name in names):
        raise VitrifyError(f"{path} is TorchScript without {METADATA_NAME}, so not a model of vitrify: {remedy}")
    if any(name.endswith("data.pkl") for name in names):
        raise VitrifyError(
            f"{path} is a torch.save file (a pickle: a checkpoint or weights), not a model file: {remedy}"
        )
    raise VitrifyError(f"{path} is a zip file of something else, not a model file: {remedy}")


def read_metadata(name: str | Path) -> Metadata:
    """The metadata of a model file, found as `find_model` does; neither torch nor the network is loaded.

    Raises VitrifyError for every file that is not a whole model file of a known schema and kind.
    """
    path = find_model(name)
    with open_archive(path) as archive:
        entry = next(entry for entry in archive.namelist() if entry.endswith("/extra/" + METADATA_NAME))
        text = read_entry(path, archive, entry)
    return parse_metadata(text, path)


def read_entry(path: Path, archive: zipfile.ZipFile, entry: str) -> bytes:
    """The bytes of one entry; VitrifyError if its checksum does not hold."""
    try:
        return archive.read(entry)
    # zipfile raises a dozen kinds on corrupt bytes (zlib, struct, EOF, NotImplemented...)
    except Exception as error:
        raise VitrifyError(f"{path} is corrupt at {entry} ({error}): copy or export it again") from None


def wrong_kind(path: Path, kind: str, wanted: str) -> VitrifyError:
    """The error for a model file of `kind` where one of kind `wanted` should be; it says what the file is for."""
    return VitrifyError(f"{path} holds a model of kind {kind}, not {wanted}; kind {kind} {KINDS[kind].purpose}")
