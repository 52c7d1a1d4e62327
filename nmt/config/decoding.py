"""Decoding settings given on the command line for a trained model: `decoding.key=value` words, as in a config."""

from collections.abc import Mapping, Sequence
from typing import Any

from nmt.config.full_keys import keys
from nmt.config.load import changed
from nmt.config.text import COMMAND_LINE, read_word
from nmt.config.tree import DecodingSettings
from nmt.config.values import closest
from nmt.errors import ConfigError

_OPTIONS = {"device": "--device", "threads": "--threads"}


def decoding_changes(words: Sequence[str], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return {decoding setting: value} from `decoding.key=value` words and from `named`, which come from options.

    Raise ConfigError with every problem found.
    """
    found: dict[str, Any] = dict(named)
    problems: list[str] = []
    for word in words:
        try:
            given = read_word(word)
        except ConfigError as error:
            problems += error.problems
            continue
        for key, value in given.items():
            name = key.removeprefix("decoding.")
            if name != key and name in found:
                option = f", also as --{name.replace('_', '-')}" if name in named else ""
                problems.append(f"{COMMAND_LINE}: {key}: given twice{option}; keep one")
                continue
            problems += [f"{COMMAND_LINE}: {problem}" for problem in _problems(key, value.value)]
            if name != key:
                found[name] = value.value
    if problems:
        raise ConfigError(*problems)
    return found


def _problems(key: str, value: Any) -> list[str]:
    """Return what is wrong with a key, with the key in front: it is not a decoding setting, or has an invalid value."""
    if key in _OPTIONS:
        return [f"{key}: give it as {_OPTIONS[key]}"]
    if key not in keys():
        return [f"{key}: unknown key{closest(key, tuple(name for name in keys() if name.startswith('decoding.')))}"]
    section, _, name = key.partition(".")
    if section != "decoding":
        return [f"{key}: belongs to training; a trained model takes decoding settings, such as decoding.beam_size=5"]
    try:
        changed(DecodingSettings(), **{name: value})
    except ConfigError as error:
        return [f"decoding.{problem}" for problem in error.problems]
    return []
