"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(help="seed of all random numbers")]
Workers = Annotated[int | None, typer.Option(help="processes; default: one for each core")]
