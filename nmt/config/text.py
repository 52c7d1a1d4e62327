"""Parse the text of settings: a YAML file or `key.sub=value` words -> {full key: value and place}.

YAML as people write settings: `1e-3` is a number, `no` is a language, every key occurs once, aliases are rejected.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nmt.errors import ConfigError
from nmt.shown import shown

COMMAND_LINE = "command line"
DEEPEST = 20  # brackets and sections inside one another; settings need 3
LONGEST_NUMBER = 400  # digits; no setting takes one of more than 20
LARGEST = 200_000  # bytes of a config; a complete one has 5,000
MOST_TOKENS = 15_000  # of YAML, about four for a setting: what is parsed in half a second


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


class _Loader(yaml.SafeLoader):
    """Load YAML with the numbers and truth values of settings instead of those of YAML 1.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":str"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
# Decimal only: YAML 1.1 reads 010 as 8 and 1:30 as 90.
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9][0-9_]*$"), list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: _whole(node.value.replace("_", "")))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|nan)$",
        re.I,
    ),
    list("-+.0123456789"),
)


_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class _Checked(_Loader):
    """Reject what expands a short text into a huge value, while it is read: aliases and deep nesting."""

    def __init__(self, text: str, place: Callable[[yaml.Mark], str]) -> None:
        super().__init__(text)
        self.place, self.number, self.depth = place, 0, 0

    def get_token(self) -> yaml.Token:
        token: yaml.Token = super().get_token()  # type: ignore[no-untyped-call]
        if self.number > MOST_TOKENS:
            where = self.place(token.start_mark)
            raise ConfigError(f"{where}: not a config: has more than {MOST_TOKENS:,} words and marks")
        if isinstance(token, yaml.AliasToken):
            where = self.place(token.start_mark)
            raise ConfigError(f"{where}: aliases (*name) are not used here; write the value out")
        self.number += 1
        self.depth += isinstance(token, _OPENING)
        self.depth -= isinstance(token, _CLOSING)
        if self.depth > DEEPEST:
            where = self.place(token.start_mark)
            raise ConfigError(f"{where}: nested more than {DEEPEST} deep; settings need 3")
        return token


@dataclass(frozen=True)
class Given:
    """Hold a value as the user gave it, and where: `configs/a.yaml:7`, or `command line`."""

    value: Any
    where: str

    @property
    def on_command_line(self) -> bool:
        """Return whether the value was given as `key=value`, not in a file."""
        return self.where == COMMAND_LINE


def read_file(path: Path) -> dict[str, Given]:
    """Read a config that the user named, which may be a pipe."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from None
    return parse(content, path)


def parse(content: bytes, path: Path) -> dict[str, Given]:
    """Return the settings in the bytes of a config; `path` is for messages."""
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: not a config: has more than {LARGEST:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    node = _compose(text, str(path))
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{path}: has no settings; the first lines should read like `data:` and `  folder: my-corpus`"
        )
    return _flatten(node, "", lambda mark: f"{path}:{mark.line + 1}")


def _compose(text: str, where: str) -> yaml.Node | None:
    def place(mark: yaml.Mark | None) -> str:
        return where if mark is None or where == COMMAND_LINE else f"{where}:{mark.line + 1}"

    try:
        return _Checked(text, place).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        tab = mark is not None and "\t" in text.split("\n")[mark.line]
        remedy = "; indent with spaces, not tabs" if tab else ""
        problem = error.problem or error.context or ""
        if problem.startswith("but "):
            problem = f"{error.context}, {problem}"
        raise ConfigError(f"{place(mark)}: not valid YAML: {problem}{remedy}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from None


def _flatten(node: yaml.Node | None, key: str, place: Callable[[yaml.Mark], str]) -> dict[str, Given]:
    """Return a YAML tree as {dotted key: value and place}. Raise ConfigError for a duplicate key."""
    if not isinstance(node, yaml.MappingNode):
        where = place(node.start_mark) if node else COMMAND_LINE
        try:
            value = None if node is None else _Loader("").construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"{where}: not a value: {str(error).splitlines()[0]}") from None
        return {key: Given(value, where)}
    flat: dict[str, Given] = {}
    seen: dict[str, str] = {}
    for key_node, value in node.value:
        where = place(key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{where}: a key must be a word, not a list or a mapping")
        name = f"{key}.{key_node.value}" if key else str(key_node.value)
        inner = _flatten(value, name, place)
        if not isinstance(value, yaml.MappingNode):
            inner = {name: Given(inner[name].value, where)}
        for full in dict.fromkeys([name, *inner]):  # `model.hidden: 4` is the same key as `hidden: 4` below `model:`
            if full in seen:
                raise ConfigError(f"{where}: {full}: set twice, first at {seen[full]}; keep one")
            seen[full] = inner[full].where if full in inner else where
        flat.update(inner or {name: Given(None, where)})
    return flat


def read_word(word: str) -> dict[str, Given]:
    """Parse one `key.sub=value` word of the command line."""
    key, equals, text = word.partition("=")
    if not equals or not key.strip("."):
        known = "give key.sub=value, as in model.hidden=256"
        raise ConfigError(f"{COMMAND_LINE}: {word[:200]!r} is not a setting; {known}")
    try:
        return _flatten(_compose(text, COMMAND_LINE), key, lambda _: COMMAND_LINE)
    except ConfigError as error:
        raise ConfigError(str(error).replace(COMMAND_LINE, f"{COMMAND_LINE}: {shown(word, 200)}", 1)) from None
