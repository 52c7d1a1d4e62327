"""The text of settings: a YAML file or `key.sub=value` words -> {full key: value and place}.

YAML as people write settings: `1e-3` is a number, `no` is a language, every key comes once, no aliases.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nmt.errors import ConfigError

COMMAND_LINE = "command line"


class _Loader(yaml.SafeLoader):
    """SafeLoader with the numbers and truth values of settings instead of those of YAML 1.1."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float", ":timestamp", ":merge"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*|\d[\d_]*(?=[eE]))(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|nan)$", re.I),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Given:
    """One value as the user gave it, and where: `configs/a.yaml:7`, or `command line`."""

    value: Any
    where: str

    @property
    def on_command_line(self) -> bool:
        return self.where == COMMAND_LINE


def read_file(path: Path) -> dict[str, Given]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    node = _compose(text, str(path))
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{path}: has no settings; the first lines should read like `data:` and `  folder: my-corpus`"
        )
    return _flatten(node, "", lambda mark: f"{path}:{mark.line + 1}")


def _compose(text: str, where: str) -> yaml.Node | None:
    try:
        for token in yaml.scan(text, Loader=_Loader):
            if isinstance(token, yaml.AliasToken):
                raise ConfigError(f"{where}: aliases (*name) are not used here; write the value out")
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}" if mark and where != COMMAND_LINE else where
        tab = mark is not None and "\t" in text.split("\n")[mark.line]
        remedy = "; indent with spaces, not tabs" if tab else ""
        raise ConfigError(f"{place}: not valid YAML: {error.problem or error.context}{remedy}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from None


def _flatten(node: yaml.Node | None, key: str, place: Callable[[yaml.Mark], str]) -> dict[str, Given]:
    """A YAML tree as {dotted key: value and place}. Raises ConfigError for a key that comes twice."""
    if not isinstance(node, yaml.MappingNode):
        where = place(node.start_mark) if node else COMMAND_LINE
        return {key: Given(_construct(node, where), where)}
    flat: dict[str, Given] = {}
    seen: dict[str, str] = {}
    for key_node, value in node.value:
        name = f"{key}.{key_node.value}" if key else str(key_node.value)
        where = place(key_node.start_mark)
        if name in seen:
            raise ConfigError(f"{where}: {name}: set twice, first at {seen[name]}; keep one")
        seen[name] = where
        inner = _flatten(value, name, place)
        if not isinstance(value, yaml.MappingNode):
            inner = {name: Given(inner[name].value, where)}
        flat.update(inner or {name: Given(None, where)})
    return flat


def _construct(node: yaml.Node | None, where: str) -> Any:
    try:
        return None if node is None else _Loader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: not a value: {str(error).splitlines()[0]}") from None


def read_word(word: str) -> dict[str, Given]:
    """One `key.sub=value` of the command line."""
    key, equals, text = word.partition("=")
    if not equals:
        raise ConfigError(f"{COMMAND_LINE}: {word!r} is not a setting; write key.sub=value, as in model.hidden=256")
    return _flatten(_compose(text, COMMAND_LINE), key, lambda _: COMMAND_LINE)
