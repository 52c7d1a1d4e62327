"""`nmt train pairs.tsv`: a text instead of a config. Its settings follow from its size, and are kept in the run."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from nmt import config
from nmt.config import Settings
from nmt.config.defaults_for import FEWEST, defaults_for, describe_rule
from nmt.data.corpus import is_blank
from nmt.data.formats.codes import same_language
from nmt.data.formats.guess_languages import guess_languages
from nmt.data.formats.recognise import format_of_file
from nmt.data.sources import find_source
from nmt.errors import ConfigError, DataError
from nmt.shown import amount

CONFIG_ENDINGS = {".yaml", ".yml"}
UNKNOWN = ("source", "target")  # names of the two sides where nothing tells their languages


class Start(NamedTuple):
    """Hold settings, and the config that a run keeps if they come from a text."""

    settings: Settings
    files: dict[str, str] = {}  # noqa: RUF012 (a value that nobody changes): name in the run -> content
    notes: tuple[str, ...] = ()  # how the settings were found
    rule: tuple[str, ...] = ()  # the table that they are from


def settings_of(path: Path, words: Sequence[str]) -> Start:
    """Return the settings of a config, or of a text that is named in its place: files with both sides, or one file per
    side.

    `words` are `key.sub=value`, with the other files of a text before them. Raises ConfigError or DataError.
    """
    files = [path, *(Path(word) for word in itertools.takewhile(lambda word: "=" not in word, words))]
    overrides = list(words[len(files) - 1 :])
    if len(files) == 1 and not _is_text(path):
        return Start(_load(path, overrides))
    _check_sides(files)
    name = path.name.partition(".")[0] or "text"
    run = next((word.partition("=")[2] for word in overrides if word.startswith("run=")), f"runs/{name}")
    own = Path(run) / f"{name}.yaml"
    overrides = [*(word for word in overrides if not word.startswith("run=")), f"run={run}"]
    if own.exists():
        settings = config.load(own, overrides)
        known = {
            (Path(settings.data.folder) / each).resolve()
            for text in settings.data.train
            for each in (text.path, text.source, text.target)
            if each
        }
        if other := next((file for file in files if file.resolve() not in known), None):
            raise ConfigError(f"{own}: trains on other text than {other}; train another run: run=runs/NAME")
        return Start(settings, notes=(f"settings: {own}",))
    return _started(files, overrides, own)


def _load(path: Path, overrides: list[str]) -> Settings:
    """Read a config. Raises ConfigError, which says what else could be named if it is a text with one side."""
    try:
        return config.load(path, overrides)
    except ConfigError as error:
        if not path.exists() and path.suffix.lower() not in CONFIG_ENDINGS:
            raise ConfigError(
                f"{path}: no such file; name a config (.yaml), a file with both sides, or two files: {path} OTHER"
            ) from None
        text = path.is_file() and path.suffix.lower() not in CONFIG_ENDINGS
        if text and ("has no settings" in str(error) or "not valid YAML" in str(error)):
            raise ConfigError(
                f"{path}: neither a config nor a text with both sides; name a YAML file, a file with both sides, "
                f"or two files: {path} OTHER"
            ) from None
        raise


def _is_text(path: Path) -> bool:
    """Tell whether a file holds both sides of a text. Anything else is a config."""
    if not path.is_file() or path.suffix.lower() in CONFIG_ENDINGS:
        return False
    return path.suffix.lower() == ".zip" or format_of_file(path) is not None


def _check_sides(files: Sequence[Path]) -> None:
    """Raise ConfigError unless all files have both sides, or there are two and each has one."""
    one_side = [file for file in files if not _is_text(file)]
    if not one_side:
        return
    for file in one_side:
        if file.suffix.lower() in CONFIG_ENDINGS:
            other = next(each for each in files if each != file)
            raise ConfigError(f"{file}: a config beside {other}; name a config alone, and write settings as KEY=VALUE")
        if not file.exists() and len(files) > 1:
            raise ConfigError(f"{file}: no such file; a setting is written KEY=VALUE")
    if len(one_side) == len(files) == 2:
        return
    if len(one_side) < len(files):
        both = next(file for file in files if file not in one_side)
        raise ConfigError(f"{one_side[0]}: has one side, but {both} has both; name files of one kind")
    raise ConfigError(f"{files[2]}: a third file; name one config, files with both sides, or two files: SOURCE TARGET")


def _started(files: Sequence[Path], overrides: Sequence[str], own: Path) -> Start:
    """Return the settings for a text without a run."""
    given = config.words(overrides)
    for key in given.keys() & {"data.folder", "data.train"}:
        raise ConfigError(f"command line: {key}: has no effect beside {files[0]}; remove it, or write a config")
    folder = files[0].parent
    first, *others = [os.path.relpath(file, folder) for file in files]
    name: str | dict[str, str] | list[str] = [first, *others] if others else first
    if not _is_text(files[0]):
        name = {"source": first, "target": others[0]}
    found = _languages(files)
    source, target = found or UNKNOWN
    languages = (str(given.get("data.source", source)), str(given.get("data.target", target)))
    encoding = str(given.get("data.encoding", "auto"))
    texts = name if isinstance(name, list) else [name]
    sources = (find_source(folder, text, languages, encoding=encoding) for text in texts)
    usable = (not (is_blank(pair.source) or is_blank(pair.target)) for source in sources for pair in source.pairs())
    pairs = sum(usable)
    if pairs < FEWEST:
        raise DataError(f"{files[0]}: has {amount(pairs, 'usable pair')}; training needs {FEWEST} or more")
    values: dict[str, Any] = {
        "data.folder": os.path.relpath(folder.resolve(), own.parent.resolve()),
        "data.source": languages[0],
        "data.target": languages[1],
        "data.train": name,
        **defaults_for(pairs),
    }
    values |= {key: _absolute(value) if key in config.PATHS else value for key, value in given.items() if key != "run"}
    for key, other in (("data.hold_out", "data.valid"), ("data.hold_out_test", "data.test")):
        if any(word == other or word.startswith(f"{other}.") for word in given):
            del values[key]  # the user names this text
    shown = " ".join(map(str, files))
    title = f"Settings for {amount(pairs, 'pair')}, written by: nmt train {shown}"
    text = "\n".join(_config_lines(values, title)) + "\n"
    notes = [f"{amount(pairs, 'pair')}, {languages[0]} -> {languages[1]}; the settings will be in {own}"]
    if found is None and not {"data.source", "data.target"} <= given.keys():
        notes.append(
            f"note: nothing in {shown} tells its languages; name them, such as data.source=en data.target=fr, so that "
            "scores fit them"
        )
    settings = config.load(own, list(overrides), text)
    return Start(settings, {own.name: text}, tuple(notes), tuple(describe_rule(pairs)))


def _absolute(value: Any) -> Any:
    """Return a path of the command line, or several, as a config elsewhere can have them."""
    return [_absolute(each) for each in value] if isinstance(value, list) else str(Path(str(value)).resolve())


def _languages(files: Sequence[Path]) -> tuple[str, str] | None:
    """Return the languages of files with both sides, or those by which the names of two files differ; None if nothing
    tells them. Raises DataError if files with both sides have different languages."""
    if _is_text(files[0]):
        known = [(file, guess_languages(file)) for file in files if file.suffix != ".zip"]
        told = [(file, languages) for file, languages in known if languages]
        for file, languages in told[1:]:
            if not all(map(same_language, languages, told[0][1])):
                raise DataError(
                    f"{file}: is {' -> '.join(languages)}, but {told[0][0]} is {' -> '.join(told[0][1])}; "
                    "name files with the same languages"
                )
        return told[0][1] if told else None
    one, other = (re.split(r"[._-]", file.name) for file in files)
    different = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return different[0] if len(one) == len(other) and len(different) == 1 and all(different[0]) else None


def _config_lines(values: dict[str, Any], title: str) -> Iterator[str]:
    """Yield a config with a comment at each setting."""
    yield f"# {title}"
    yield "# Paths are relative to this file. All settings: docs/settings.md"
    sections = dict.fromkeys(key.rpartition(".")[0] for key in values)
    for section in sorted(sections, key=lambda name: not name):  # those without a section would end one
        if section:
            yield f"{section}:"
        for key, value in values.items():
            owner, _, name = key.rpartition(".")
            if owner == section:
                written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
                written = written.removesuffix("...\n").strip()
                comment = f"  # {config.field(key).description}" if key in config.keys() else ""  # noqa: SIM118
                yield f"{'  ' if section else ''}{name}: {written}{comment}"
