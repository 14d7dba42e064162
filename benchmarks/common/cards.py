"""Paragraphs that the cards of all shipped models share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and facts, without titles."""
    return "| | |\n| --- | --- |\n" + "".join(f"| {name} | {fact} |\n" for name, fact in rows)


def training(config: str, how: str, log: str, commands: Sequence[str], more: str = "") -> str:
    """How a model was made. config: folder of examples; how: steps and time; log: file beside the card."""
    file = f"examples/{config}/config.yaml"
    text = f"**Training.** [{file}](../{file}), {how}; [log]({log}).{more}\n\n"
    return text + "```\n" + "\n".join(commands) + "\n```\n"
