"""Writes docs/settings.md and configs/schema.json from nmt/config: `make reference`, after changing a setting."""

import json
from pathlib import Path
from typing import Any

from nmt import config

PROJECT = Path(__file__).parent.parent

HEAD = """\
# Settings

Written by `make reference` from `nmt/config/tree.py`. A setting is given in the YAML file, or on the command line as
`key.sub=value`, which wins. "resume" marks settings that may change on resume. Editors complete and check a config
that starts with `# yaml-language-server: $schema=schema.json`.

A count is a whole number, also as `50k`, or with its own unit, `50k steps`; a duration is seconds, or `90s`, `20m`,
`1h30m`; an interval is steps (`500`, `2k`) or epochs (`1e`, `0.5e`); "one or more" is a text or a list of texts.
"""

TITLES = {
    "data": "The corpus",
    "subword": "Subwords",
    "model": "The model",
    "training": "Training",
    "decoding": "Search",
    "": "Top level",
}


TEXT = [
    "Each of these three settings is one text or a list of texts. A text is its path alone, or these keys:",
    "`train: [news, {path: talks.tsv, weight: 0.5}, {source: a.txt, target: b.txt}]`.",
]


def reference() -> str:
    """The settings page, a table per section."""
    lines = [HEAD]
    for section, title in TITLES.items():
        lines += [f"## {title}{f': `{section}`' if section else ''}", ""]
        lines += ["| key | type | default | unit | resume | meaning |", "|---|---|---|---|---|---|"]
        lines += [_row(key) for key in config.keys() if key.rpartition(".")[0] == section]  # noqa: SIM118
        lines.append("")
    lines += ["## A text of `data.train`, `data.valid` or `data.test`", "", *TEXT, ""]
    lines += ["| key | type | default | unit | meaning |", "|---|---|---|---|---|"]
    lines += [_text_row(name) for name in config.CorpusSettings.model_fields]
    lines.append("")
    lines += ["## Keys that need another", "", "| key | has an effect only with |", "|---|---|"]
    for key, rulers in config.needs().items():
        wanted = [" or ".join(f"`{ruler}={_value(value)}`" for value in values) for ruler, values in rulers.items()]
        lines.append(f"| `{key}` | {' and '.join(wanted)} |")
    for key, others in config.needs_set().items():
        lines.append(f"| `{key}` | another value than the default of {' or '.join(f'`{name}`' for name in others)} |")
    return "\n".join(lines) + "\n"


def _row(key: str) -> str:
    field = config.field(key)
    default = "required" if field.is_required() else f"`{_value(config.written(field.default))}`"
    extra = field.json_schema_extra
    resume = "yes" if extra["resume"] else ""
    return f"| `{key}` | {_type(_schema(key))} | {default} | {extra['unit']} | {resume} | {field.description} |"


def _text_row(name: str) -> str:
    field: Any = config.CorpusSettings.model_fields[name]
    kind = _type(config.CorpusSettings.model_json_schema()["properties"][name])
    return (
        f"| `{name}` | {kind} | `{_value(field.default)}` | {field.json_schema_extra['unit']} | {field.description} |"
    )


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | list) else '""' if value == "" else str(value)


def _schema(key: str) -> dict[str, Any]:
    """The JSON schema of one key."""
    schema = config.Settings.model_json_schema()
    section, _, name = key.rpartition(".")
    owner = schema
    if section:
        owner = schema["$defs"][schema["properties"][section]["$ref"].rpartition("/")[2]]
    found: dict[str, Any] = owner["properties"][name]
    return found


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{name}`" for name in schema["enum"])
    if "written" in schema:
        return str(schema["written"])
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    return names.get(schema.get("type", ""), "list")


def schema() -> str:
    """JSON schema of a config file, for editors."""
    return json.dumps(config.Settings.model_json_schema(), indent=1) + "\n"


def main() -> None:
    (PROJECT / "docs" / "settings.md").write_text(reference(), encoding="utf-8")
    (PROJECT / "configs" / "schema.json").write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
