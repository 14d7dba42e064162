"""Opens the model of a copy: of one that was pickled, or sent to another process or machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.engines.open import EngineName, open_model
from vitrify.modelfile.archive import find_model


def reopen(path: str, engine: EngineName, device: str, sha256: str) -> Any:
    """The model of a file in an engine, as `open_model` gives it.

    path: absolute; where there is no such file, as on another machine, its name is looked for as that of any model.
    sha256: of the file, in hexadecimal digits. Raises VitrifyError for a file that has changed, and as `open_model`.
    """
    place = Path(path)
    model = open_model(place if place.is_file() else find_model(place.name), engine, device)
    if model.sha256 != sha256:
        raise VitrifyError(
            f"{model.path} is not the file that this model was opened from (SHA-256 {model.sha256[:12]}..., was "
            f"{sha256[:12]}...): open the model again, or bring the file back"
        )
    return model
