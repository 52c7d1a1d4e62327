"""Writes docs/code-map.md from the docstrings of the modules: `make reference`, after adding or renaming a file."""

import ast
from itertools import groupby
from pathlib import Path

PROJECT = Path(__file__).parent.parent

HEAD = """\
# Code map

Every file of the package, with the first line of its docstring; written by `make reference`.
[How it works](how-it-works.md) says in which order a line and a batch pass through them.
"""


def reference() -> str:
    """Return the page: a table for each folder."""
    modules = sorted((PROJECT / "nmt").rglob("*.py"), key=lambda path: (len(path.parts), path))
    lines = [HEAD]
    for folder, files in groupby(modules, key=lambda path: path.parent):
        lines += [f"## {folder.relative_to(PROJECT).as_posix()}/", "", "| file | what it holds |", "|---|---|"]
        lines += [f"| `{path.name}` | {_summary(path)} |" for path in files]
        lines.append("")
    return "\n".join(lines)


def _summary(path: Path) -> str:
    """Return the first paragraph of the docstring. Raises ValueError if there is none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path}: needs a docstring, which is what docs/code-map.md says of it")
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main() -> None:
    (PROJECT / "docs" / "code-map.md").write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
