"""Read settings from a YAML file and `key.sub=value` words; precedence: defaults < file < command line.

All problems are reported together, each with file, line, key and remedy.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nmt.config.full_keys import field, keys, needs
from nmt.config.paths import with_paths
from nmt.config.rules import broken_rules
from nmt.config.text import Given, parse, read_file, read_word
from nmt.config.tree import CorpusSettings, Settings
from nmt.config.values import Section, closest
from nmt.errors import ConfigError
from nmt.shown import amount, number, shown

CORPORA = ("data.train", "data.valid", "data.test")
LONGEST_NAME = 255  # bytes, on nearly every file system
MOST_PROBLEMS = 1000  # that are explained; to look for the nearest key takes a millisecond
LONGEST_VALUE = 200  # characters of a wrong value that are shown

SectionType = TypeVar("SectionType", bound=Section)


def load(path: Path | str, overrides: list[str] | None = None, text: str | bytes | None = None) -> Settings:
    """Read settings from a YAML file and `key.sub=value` words. Raise ConfigError with every problem found.

    Paths in the file are relative to the file, paths in `overrides` to the current folder. `text` is the content of the
    file, if it is already known or not yet written.
    """
    path = Path(path)
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    given = read_file(path) if content is None else parse(content, path)
    problems: list[str] = []
    for word in overrides or []:
        try:
            given.update(read_word(word))
        except ConfigError as error:
            problems.extend(error.problems)
    given = _drop_overruled(_gather_corpora(given))
    settings, invalid = _validate(given, path)
    problems += invalid
    if settings is not None:
        for key, message in broken_rules(settings, given):
            problems.append(f"{given[key].where if key in given else path}: {key}: {message}")
    if problems or settings is None:
        raise ConfigError(*problems)

    def absolute(key: str, text: str) -> str:
        """Return a path in absolute form, relative to the file or, from the command line, to the current folder."""
        on_command_line = key in given and given[key].on_command_line
        base = Path() if on_command_line or (key == "run" and key not in given) else path.parent
        try:
            return _absolute(base, text)
        except ValueError as error:
            where = given[key].where if key in given else path
            raise ConfigError(f"{where}: {key}: {text!r} is not a path: {error}") from None

    settings = with_paths(settings, absolute)
    return settings.model_copy(update={"run": absolute("run", settings.run or f"runs/{path.stem}")})


def words(overrides: Sequence[str]) -> dict[str, Any]:
    """Return {full key: value} of `key.sub=value` words, unchecked. Raises ConfigError if one is not of this form."""
    given: dict[str, Given] = {}
    for word in overrides:
        given.update(read_word(word))
    return {key: value.value for key, value in _gather_corpora(given).items()}


def _gather_corpora(given: dict[str, Given]) -> dict[str, Given]:
    """Merge the keys below `data.train`, `data.valid` and `data.test`: each is one value, a mapping."""
    gathered: dict[str, Given] = {}
    for key, value in given.items():
        owner = ".".join(key.split(".")[:2])
        if key == owner or owner not in CORPORA:
            gathered[key] = value
            continue
        before = gathered.get(owner)
        mapping = before.value if before and isinstance(before.value, dict) else {}
        gathered[owner] = Given({**mapping, key.removeprefix(f"{owner}."): value.value}, value.where)
    return gathered


def _drop_overruled(given: dict[str, Given]) -> dict[str, Given]:
    """Drop keys of the file that have no effect because of a key on the command line."""

    def overruled(key: str) -> bool:
        return any(
            (ruler in given and given[ruler].on_command_line and given[ruler].value not in values) or overruled(ruler)
            for ruler, values in needs().get(key, {}).items()
        )

    return {key: value for key, value in given.items() if value.on_command_line or not overruled(key)}


def _validate(given: dict[str, Given], path: Path) -> tuple[Settings | None, list[str]]:
    sections = {
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }
    tree: dict[str, Any] = {"data": {}}
    problems = []
    for key, value in given.items():
        first, _, rest = key.partition(".")
        if key in sections:
            if value.value is not None:
                problems.append(f"{value.where}: {key}: needs settings below it, such as `  {_example(key)}`")
        elif first in sections:
            tree.setdefault(first, {})[rest] = value.value
        else:
            tree[key] = value.value
    try:
        return Settings.model_validate(tree), problems
    except ValidationError as error:
        # A section that was given as something else lacks all its keys: one problem, not many.
        instead = {key for key in sections & given.keys() if given[key].value is not None}
        details = [
            detail for detail in error.errors() if detail["type"] != "missing" or detail["loc"][0] not in instead
        ]
        problems += [_problem(detail, given, str(path)) for detail in details[:MOST_PROBLEMS]]
        if more := len(details[MOST_PROBLEMS:]):
            problems.append(f"{path}: and {amount(more, 'more problem')} of this kind")
        return None, problems


def _problem(error: ErrorDetails, given: Mapping[str, Given], path: str) -> str:
    place = [part for part in error["loc"] if isinstance(part, str) and part not in _UNION_MEMBERS]
    key = ".".join(place)
    owner = next((each for each in CORPORA if key == each or key.startswith(f"{each}.")), key)
    where = given[owner].where if owner in given else path
    if error["type"] == "extra_forbidden":
        known = keys() if owner == key else tuple(f"{owner}.{name}" for name in CorpusSettings.model_fields)
        return f"{where}: {key}: unknown key{closest(key, known)}"
    if error["type"] == "missing":
        return f"{where}: {key}: missing; set it in the config, such as `{_example(key)}`"
    value = error["input"]
    if value is None:
        return f"{where}: {key}: has no value; give one, or remove the key"
    if error["type"] == "literal_error":
        options = tuple(re.findall(r"'([^']*)'", error["ctx"]["expected"]))
        message = f"must be one of {', '.join(options)}{closest(str(value), options)}"
    else:
        message = _DEMANDS.get(error["type"], error["msg"].removeprefix("Value error, ")).format(**error.get("ctx", {}))
    # The value as the user wrote it; Python refuses to print numbers of more than 4,300 digits.
    if isinstance(value, bool):
        said = str(value).lower()
    else:
        said = number(value) if isinstance(value, int) else shown(repr(value), LONGEST_VALUE)
    return f"{where}: {key}: {said} {message}"


_UNION_MEMBERS = {"int", "float"}  # pydantic adds them to the place of a value that may be either

# What pydantic's types of errors demand, in the words of people who write settings.
_DEMANDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be {ge:g} or more",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be {le:.15g} or less",
    "less_than": "must be less than {lt:g}",
    "string_too_short": "must not be empty",
    "too_short": "must have {min_length} items",
    "too_long": "must have {max_length} items",
}


def _example(key: str) -> str:
    """Return a line of YAML that sets `key`; for a section, its first key."""
    required = {"data.folder": "my-corpus", "data.source": "en", "data.target": "fr"}
    key = next(name for name in keys() if name == key or name.startswith(f"{key}."))
    return f"{key.rpartition('.')[2]}: {required[key] if key in required else field(key).default}"


def _absolute(base: Path, text: str) -> str:
    """Return an absolute path. Raise ValueError if no file system can have it."""
    if "\0" in text:
        raise ValueError("it holds a NUL character")
    if any(len(os.fsencode(name)) > LONGEST_NAME for name in Path(text).parts):
        raise ValueError(f"a name in it has more than {LONGEST_NAME} bytes")
    try:
        return str((base / Path(text).expanduser()).resolve())
    except RuntimeError:  # `~nobody`, links in a circle
        raise ValueError("a user or a link in it leads nowhere") from None


def changed(section: SectionType, **changes: Any) -> SectionType:
    """Return a section, or all settings, with some values replaced. Raise ConfigError if one of them is invalid."""
    try:
        return type(section).model_validate(section.model_dump() | changes)
    except ValidationError as error:
        raise ConfigError(*(_problem(detail, {}, "")[2:] for detail in error.errors())) from None
