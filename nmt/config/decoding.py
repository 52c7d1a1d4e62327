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
            if key == name:
                problems.append(f"{COMMAND_LINE}: {key}: {_not_for_decoding(key)}")
            elif name in found:
                option = f", also as --{name.replace('_', '-')}" if name in named else ""
                problems.append(f"{COMMAND_LINE}: {key}: given twice{option}; keep one")
            else:
                found[name] = value.value
                problems += _problems(name, value.value)
    if problems:
        raise ConfigError(*problems)
    return found


def _not_for_decoding(key: str) -> str:
    if key in _OPTIONS:
        return f"give it as {_OPTIONS[key]}"
    if key in keys():
        return "belongs to training; a trained model takes decoding settings, such as decoding.beam_size=5"
    return _unknown(key)


def _unknown(key: str) -> str:
    return f"unknown key{closest(key, tuple(name for name in keys() if name.startswith('decoding.')))}"


def _problems(name: str, value: Any) -> list[str]:
    if name not in DecodingSettings.model_fields:
        return [f"{COMMAND_LINE}: decoding.{name}: {_unknown(f'decoding.{name}')}"]
    try:
        changed(DecodingSettings(), **{name: value})
    except ConfigError as error:
        return [f"{COMMAND_LINE}: decoding.{problem}" for problem in error.problems]
    return []
