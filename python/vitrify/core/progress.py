"""How far long work is: a bar on a terminal, and a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

_T = TypeVar("_T")
# In a log: a line after each tenth of the work, not more often than that, and at least that often (s).
SHARE, SELDOM, OFTEN = 0.1, 30.0, 600.0


class Meter:
    """Counts what is done, on standard error: with a bar where that is a terminal, else with a line now and then.

    total: number of items. name, unit: of the work and of an item. show: False shows nothing. done: items of an
    earlier run. many: items are counted in thousands and millions. stay: leave the bar when it is full. file, clock:
    where to write, and what tells the seconds.
    """

    def __init__(
        self, total: float, name: str, unit: str = "", show: bool = True, *, done: float = 0, many: bool = False,
        stay: bool = True, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.total, self.name, self.unit, self.done = total, name, unit, done
        self._file, self._clock, self._show = file or sys.stderr, clock, show
        self._start = self._said = clock()
        self._first = self._last = done
        self._bar: Any = None
        if show and is_terminal(self._file):
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, desc=name, unit=unit or "it", unit_scale=many, initial=done, leave=stay, file=self._file,
                **({} if unit else {"bar_format": "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"}),
            )  # fmt: skip

    def update(self, done: float = 1) -> None:
        """Counts so many items more."""
        self.done += done
        if self._bar is not None:
            self._bar.update(done)
        elif self._show:
            self._tell()

    __call__ = update

    def reach(self, done: float) -> None:
        """Counts up to so many items in all."""
        self.update(max(0, done - self.done))

    def resume(self, done: float) -> None:
        """Says that an earlier run has done so many items, so that the estimate counts only what this one does."""
        self.done = self._first = self._last = done
        if self._bar is not None:
            self._bar.initial = self._bar.n = done

    def rename(self, name: str) -> None:
        """Changes the name of the work."""
        self.name = name
        if self._bar is not None:
            self._bar.set_description(name)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self) -> None:
        now = self._clock()
        waited, tenth = now - self._said, self.done - self._last >= SHARE * self.total
        if not ((tenth and waited >= SELDOM) or waited >= OFTEN):
            return
        self._said, self._last = now, self.done
        made, share = self.done - self._first, self.done / self.total if self.total else 1.0
        left = _clock((now - self._start) * (self.total - self.done) / made) if made > 0 else "?"
        count = f" ({self.done:.0f} of {self.total:.0f})" if self.unit else ""
        line = f"{self.name}: {100 * share:.0f}%{count}, {_clock(now - self._start)} done, about {left} to go"
        with suppress(OSError, ValueError):  # a log that is full or closed ends no work
            print(line, file=self._file, flush=True)


def counted(items: Iterable[_T], name: str, unit: str, show: bool = True, total: int | None = None) -> Iterator[_T]:
    """The items one by one, with a `Meter`; total: their number, where they have no length."""
    number = len(items) if total is None else total  # type: ignore[arg-type]
    with Meter(number, name, unit, show) as shown:
        for item in items:
            yield item
            shown.update()


def say(text: str) -> None:
    """Prints a line on standard output; a bar that is there stays below it."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(text)
    else:
        print(text, flush=True)


def is_terminal(file: TextIO) -> bool:
    """Whether a person reads what is written there at once."""
    try:
        return file.isatty()
    except (AttributeError, ValueError):  # no file at all, or a closed one
        return False


def _clock(seconds: float) -> str:
    """Seconds as H:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
