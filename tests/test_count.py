"""scripts/lab/count.py: its rules, on a package of two files."""

import ast
from pathlib import Path

import count
import pytest

A = '''\
"""A module."""


class Base:
    """Say something."""

    def run(self):
        """Run."""
        return self._hook()

    def _hook(self):
        return _once(1)


class Child(Base):
    def run(self):  # overrides a documented method
        return 2

    def _hook(self):
        return _twice() + _twice()


def _once(number):
    return number and _once(number - 1)  # names itself


def _twice():
    return TABLE["value"]()


def _value():
    return 3


TABLE = {"value": _value}
'''
B = """\
from nmt.a import _elsewhere


def shown():
    return _elsewhere() + _here()


def _here():
    return 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "nmt/a.py": A,
        "nmt/model/b.py": B,
        "docs/page.md": "two words\n",
        "docs/lab/x.md": "no\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("a\nb\n", encoding="utf-8")
    return tmp_path


def test_helpers_are_counted_that_are_named_once_outside_themselves(project: Path) -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted((project / "nmt").rglob("*.py"))}
    found = {name: lines for _, name, lines in count.single_use(trees)}
    assert found == {"_once": 2, "_value": 0, "_here": 2}  # _value is passed on as a value


def test_public_names_leave_out_overrides_of_documented_methods(project: Path) -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted((project / "nmt").rglob("*.py"))}
    names = [place.rpartition(" ")[2] for place, _ in count.public_names(trees)]
    assert sorted(names) == ["Base", "Base.run", "Child", "shown"]


def test_the_table(project: Path) -> None:
    found = count.count(project)
    assert found["files of nmt/"] == 2
    assert found["single-use private helpers"] == 3
    assert found["of these with a docstring, %"] == 50.0  # Base and Base.run of four
    assert found["comments per 100 lines in model, kernels and inference"] == 0
    assert found["words under docs/ outside lab"] == 2
    assert found["lines of README.md"] == 2
    assert count.comments(project / "nmt" / "a.py") == 2
