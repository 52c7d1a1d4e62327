"""The workplace of the proofs, and their table: `pytest tests/reliability --proof FILE` writes it into a page."""

import functools
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reliability.job import CASES, make_workplace, run

BEGIN, END = "<!-- written by `make proof` -->", "<!-- end -->"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and `digits.yaml`. Train into folders of your own."""
    return make_workplace(tmp_path_factory.mktemp("reliability"))


@pytest.fixture(scope="module")
def uninterrupted(workplace: Path) -> Callable[..., Path]:
    """The run of a case, with further settings, that nothing ever stopped."""

    @functools.cache
    def trained(case: str, *words: str) -> Path:
        folder = workplace / "whole" / str(trained.cache_info().misses)
        assert run(workplace, folder, *CASES[case], *words).signal == 0
        return folder

    return trained


# The table -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", metavar="FILE", help="write the table of what was proved into this page")


@dataclass
class Row:
    """What a file of tests proves: the first line of its docstring."""

    what: str
    cases: int = 0
    failed: int = 0
    seconds: float = 0.0


rows: dict[str, Row] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test counts as many cases as it says by `record_property("cases", n)`, otherwise one."""
    file = report.nodeid.split("::")[0]
    if "reliability/" not in file or (report.when != "call" and report.passed) or report.skipped:
        return
    module = importlib.import_module(f"reliability.{Path(file).stem}")
    row = rows.setdefault(file, Row((module.__doc__ or "").split("\n")[0]))
    row.cases += int(dict(report.user_properties).get("cases", 1))
    row.failed += report.failed
    row.seconds += report.duration
    if report.failed:  # pytest prints these at the end, an hour later
        print(f"\n{report.nodeid} failed\n{report.longreprtext}", flush=True)


def table(known: dict[str, str]) -> Iterator[str]:
    """The lines of the table; `known` are those, {what is proved: line}, of files that did not run this time."""
    yield "| row | what is shown | cases | failed | seconds |"
    yield "|---|---|---:|---:|---:|"
    lines = dict(known)
    for row in rows.values():
        name, _, what = row.what.partition(": ")
        lines[row.what] = f"| {name} | {what} | {row.cases:,} | {row.failed} | {row.seconds:.0f} |"
    yield from (lines[what] for what in sorted(lines, key=_place))


def _place(what: str) -> tuple[str, int, str]:
    """R2 before R10, and after them what has no number."""
    found = re.match(r"R(\d+)", what)
    return ("R", int(found[1]), what) if found else ("S", 0, what)


def pytest_sessionfinish(session: pytest.Session) -> None:
    place = session.config.getoption("--proof", default=None)
    if place and not hasattr(session.config, "workerinput"):
        page = Path(place).read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        known = {}
        if session.config.args != ["tests/reliability"]:  # a part of the proofs, whose rows alone are new
            old = page.split(BEGIN)[1].split(END)[0].strip().split("\n")[2:]
            known = {"{}: {}".format(*line.split(" | ")[:2]).removeprefix("| "): line for line in old}
        lines = "\n".join(table(known))
        Path(place).write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}", encoding="utf-8")
