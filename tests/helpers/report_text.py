"""Reads the HTML of a report."""

from __future__ import annotations

from html.parser import HTMLParser


class ReportText(HTMLParser):
    """The text of a report, its images, and the addresses outside of it that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.outside = "", []
        self.images = 0
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.images += tag == "img"
        source = given.get("src") or given.get("href")
        if source and not source.startswith("data:"):
            self.outside.append(source)
