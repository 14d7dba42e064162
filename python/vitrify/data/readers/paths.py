"""What users write where files are wanted: names, patterns and folders."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from vitrify.core.errors import VitrifyError, VitrifyWarning

_BESIDE = (".csv", ".json", ".png", ".html")  # labels, recipes and pictures of files with structures


def expand_paths(
    paths: str | Path | Sequence[str | Path], known: Callable[[Path], bool], base: Path | None = None
) -> list[Path]:
    """Files for what users write: paths with ~, patterns such as run*.dump, and folders, whose files come in order.

    base: folder that relative paths are in. known: says whether a file of a folder can be read; the others of a folder
    are left out, and a warning names them. Paths that are neither patterns nor folders come back as they are, whether
    they exist or not.

    Raises VitrifyError for a pattern that no file has, and a folder without a file that can be read.
    """
    found: list[Path] = []
    for given in [paths] if isinstance(paths, str | Path) else paths:
        path = (base or Path()) / _home(Path(given))
        if _is_folder(path):
            found += _inside(path, known)
        elif any(sign in str(given) for sign in "*?[") and not _is_there(path):
            pattern = str(Path(glob.escape(str(base or ""))) / _home(Path(given)))
            matches = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
            if not matches:
                raise VitrifyError(f"no file is called {path}: give a pattern that files have, or their names")
            found += matches
        else:
            found.append(path)
    return found


def _inside(folder: Path, known: Callable[[Path], bool]) -> list[Path]:
    """The files of a folder that can be read, sorted by name."""
    try:
        every = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise VitrifyError(f"{folder} cannot be read ({error.strerror}): give the files in it") from None
    found = [file for file in every if known(file)]
    if not found:
        raise VitrifyError(f"{folder} is a folder without a file that can be read here: give files")
    left = ", ".join(file.name for file in every if file not in found and file.suffix not in _BESIDE)
    if left:
        warnings.warn(f"{folder}: {len(found)} files are read, but not {left:.200}", VitrifyWarning, stacklevel=4)
    return found


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise VitrifyError(f"{path} cannot be found ({error}): give the whole path") from None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
