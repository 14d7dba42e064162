"""Files that benchmarks write: results as JSON, pages in Markdown, and journals that let an interrupted run go on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vitrify.core.files import atomic_path


def write_text(path: Path, text: str) -> None:
    """Writes a file, whole or not at all, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as work:
        work.write_text(text)


def write_json(path: Path, content: Any, **options: Any) -> None:
    """Writes what `json.dumps` makes of the content; options are its own."""
    write_text(path, json.dumps(content, indent=1, **options) + "\n")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---") -> list[str]:
    """The lines of a Markdown table. align: "---" for columns on the left, "---:" for columns on the right."""
    lines = [titles, [align] * len(titles), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def page(title: str, command: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown page with one table, and the command that makes it."""
    head = [f"# {title}", "", f"Made by `{command}`; its --help says how.", ""]
    return "\n".join([*head, *table(titles, rows)]) + "\n"


def read_journal(path: Path) -> list[Any]:
    """The entries of a journal, without a last line that a kill has cut; none if there is no file."""
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def append(journal: Path, entry: dict[str, Any]) -> None:
    """Adds an entry to a journal, in place of a last line that a kill has cut."""
    with journal.open("a+b") as file:
        file.seek(0)
        whole = file.read().rpartition(b"\n")
        file.truncate(len(whole[0]) + len(whole[1]))
        file.write(json.dumps(entry).encode() + b"\n")


def publish(folder: Path, name: str, content: Any, page: str) -> None:
    """Writes NAME.json with the content and NAME.md with the page, and prints the page."""
    write_json(folder / f"{name}.json", content)
    write_text(folder / f"{name}.md", page)
    print(page)
