"""Chooses the cases of the fast tests, and measures the CPU time of each file of tests and of all.

The time includes child processes and the workers of xdist.
"""

from __future__ import annotations

import json
import resource
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from fast_cases import mark_the_rest_as_slow

SHOWN = 8
"""Files that the summary names, the slowest first; `--cpu-times` writes them all."""


def cpu_seconds() -> float:
    """User and system time of this process and of those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class CPUTimes:
    """Adds up the time of each file; `total` also has what belongs to no test, such as imports and collection."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.files: Counter[str] = Counter()
        self.workers = 0.0  # s, in the workers of xdist

    @property
    def total(self) -> float:
        own = resource.getrusage(resource.RUSAGE_SELF)
        return self.workers + own.ru_utime + own.ru_stime if self.workers else cpu_seconds()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        start = cpu_seconds()
        result = yield
        self.files[item.nodeid.partition("::")[0]] += cpu_seconds() - start
        return result

    def pytest_sessionfinish(self) -> None:
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["cpu_times"] = {"files": dict(self.files), "total": cpu_seconds()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        found = getattr(node, "workeroutput", {}).get("cpu_times")
        if found:
            self.files.update(found["files"])
            self.workers += found["total"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        limit, path = self.config.getoption("--cpu-limit"), self.config.getoption("--cpu-times")
        order = self.files.most_common()
        if not order:
            return
        slowest = ", ".join(f"{Path(name).name} {seconds:.0f}" for name, seconds in order[:SHOWN])
        terminalreporter.write_sep("=", "CPU time")
        terminalreporter.write_line(f"slowest files, in s: {slowest}")
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(json.dumps({name: round(seconds, 2) for name, seconds in order}, indent=1) + "\n")
            terminalreporter.write_line(f"all files: {path}")
        beyond = f" (limit {limit:.0f} s)" if limit else ""
        terminalreporter.write_line(f"CPU time: {self.total:.0f} s{beyond}")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("CPU time")
    group.addoption("--cpu-limit", type=float, help="what the summary compares the CPU time with, s")
    group.addoption("--cpu-times", metavar="FILE", help="write the CPU time of each test file to this JSON file")


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A configuration folder of the tests, which also ends up in the programs that they start."""
    folder = tmp_path_factory.mktemp("configuration")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` does not want
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_the_rest_as_slow(items)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CPUTimes(config), "vitrify-cpu-times")
