"""Writes docs/cli.md from the commands: `make reference`, after changing an option."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from nmt.cli import app

PROJECT = Path(__file__).parent.parent

HEAD = """\
# Commands

Written by `make reference` from the commands themselves; `nmt COMMAND --help` prints the same. The exit statuses are in
[Reliability](reliability.md#exit-status).
"""


def reference() -> str:
    """Return the page: a section for each command, with a table of its options."""
    group: Any = get_command(app)
    return "\n".join([HEAD, *(line for name in group.commands for line in _section(name, group.commands[name]))])


def _section(name: str, command: Any) -> list[str]:
    words = " ".join(_metavar(parameter) for parameter in command.params if parameter.param_type_name == "argument")
    lines = [
        f"## nmt {name}",
        "",
        " ".join(command.help.split()),
        "",
        "```text",
        f"nmt {name} [OPTIONS] {words}",
        "```",
    ]
    lines += ["", "| option | meaning |", "|---|---|"]
    return [*lines, *(_row(parameter) for parameter in command.params), ""]


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{_cell(_metavar(parameter))}` | {_cell(parameter.help or '')} |"
    value = "" if parameter.is_flag else f" {_cell(parameter.metavar or 'VALUE')}"
    names = ", ".join(f"`{name}{value}`" for name in sorted(parameter.opts, key=len))
    return f"| {names} | {_cell(parameter.help or '')} |"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    (PROJECT / "docs" / "cli.md").write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
