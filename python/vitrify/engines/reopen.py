"""Opens the model of a copy: of one that was pickled, or sent to another process or machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256 as hash_of
from vitrify.engines.open import EngineName, open_model
from vitrify.modelfile.archive import find_model


def reopen(path: str, engine: EngineName, device: str, sha256: str, trust: bool = False) -> Any:
    """The model of a file in an engine, as `open_model` gives it.

    path: absolute; where there is no such file, as on another machine, its name is looked for as that of any model.
    sha256: of the file, in hexadecimal digits. Raises VitrifyError for a file that has changed, and as `open_model`.
    """
    place = Path(path)
    found = place if os.path.isfile(place) else find_model(place.name)
    now = hash_of(found)
    if now != sha256:
        raise VitrifyError(
            f"{found} is not the file that this model was opened from (SHA-256 {now[:12]}..., was {sha256[:12]}...): "
            "open the model again, or bring the file back"
        )
    return open_model(found, engine, device, trust=trust)
