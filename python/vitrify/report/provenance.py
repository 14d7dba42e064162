"""The last section of a report: the files and versions that its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vitrify.modelfile.metadata import Metadata
from vitrify.report.html import Report

Rows = Sequence[Sequence[str]]


def add_provenance(
    report: Report,
    metadata: Metadata,
    metrics: Mapping[str, Any],
    *,
    identity: Mapping[str, str] | None = None,
    model: Rows = (),
    data: Rows | None = None,
) -> None:
    """A table of the model, its training data, the data of the evaluation and the versions.

    metrics: with the entries model, data and versions of metrics.json. identity: shown after kind and variant, by
    default the precision. model: more rows about the model. data: rows about the data of the evaluation, by default
    name and hash of each file.
    """
    shown = {"kind": metadata.kind, "variant": metadata.variant, **(identity or {"precision": metadata.dtype})}
    trained_on = ", ".join(str(entry.get("name")) for entry in metadata.provenance.data)
    files = [[source["name"], source["sha256"]] for source in metrics["data"]] if data is None else data
    report.section("Provenance")
    report.table(
        ["what", "value"],
        [
            ["model file", metrics["model"]["name"]],
            ["model SHA-256", metrics["model"]["sha256"]],
            [", ".join(shown), ", ".join(shown.values())],
            *model,
            ["trained on", trained_on or "not recorded"],
            *files,
            ["versions", ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())],
        ],
    )
