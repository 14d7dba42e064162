"""A report in one HTML file: text, tables and figures, without links to other files."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from vitrify.core.files import atomic_path

_STYLE = " ".join((Path(__file__).parent / "style.css").read_text(encoding="utf-8").split())


class Report:
    """Collects the parts of a report in their order; all text is escaped."""

    def __init__(self, title: str, subtitle: str) -> None:
        self.title = title
        self.parts = [f"<h1>{html.escape(title)}</h1>", f'<p class="note">{html.escape(subtitle)}</p>']

    def section(self, title: str) -> None:
        self.parts.append(f"<h2>{html.escape(title)}</h2>")

    def text(self, text: str) -> None:
        self.parts.append(f"<p>{html.escape(text)}</p>")

    def code(self, text: str) -> None:
        self.parts.append(f"<pre>{html.escape(text)}</pre>")

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], note: str = "", model: str | None = None
    ) -> None:
        """A table whose first column names the rows; those whose name starts with `model` stand out."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = ""
        for row in rows:
            look = ' class="model"' if model and row[0].startswith(model) else ""
            body += f"<tr{look}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        self.parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if note:
            self.parts.append(f'<p class="note">{html.escape(note)}</p>')

    def figure(self, path: Path, caption: str) -> None:
        """Embeds a PNG."""
        data = base64.b64encode(path.read_bytes()).decode()
        self.parts.append(
            f'<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def write(self, path: Path) -> None:
        """Writes the report whole or not at all."""
        document = (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
            f"<style>{_STYLE}</style></head><body>\n" + "\n".join(self.parts) + "\n</body></html>\n"
        )
        with atomic_path(path) as work:
            work.write_text(document, encoding="utf-8")


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table: `digits` significant ones, scientific where that is shorter, a dash for none."""
    if value is None or value != value:
        return "–"
    if value == 0:
        return "0"
    return f"{value:.{digits - 1}e}" if not 1e-3 <= abs(value) < 1e4 else f"{value:.{digits}g}"


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction as a percentage."""
    if value is None or value != value:
        return "–"
    share = 100 * value
    return f"{share:.0f}%" if abs(share) >= 99.5 else f"{share:.{digits}g}%"
