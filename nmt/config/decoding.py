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
            elif key in _OPTIONS:
                problems.append(f"{COMMAND_LINE}: {key}: give it as {_OPTIONS[key]}")
            elif key not in keys():
                decoding_keys = tuple(each for each in keys() if each.startswith("decoding."))
                problems.append(f"{COMMAND_LINE}: {key}: unknown key{closest(key, decoding_keys)}")
            elif name == key:
                problems.append(
                    f"{COMMAND_LINE}: {key}: belongs to training; a trained model takes decoding settings, such as "
                    "decoding.beam_size=5"
                )
            else:
                try:
                    changed(DecodingSettings(), **{name: value.value})
                except ConfigError as error:
                    problems += [f"{COMMAND_LINE}: decoding.{problem}" for problem in error.problems]
            if name != key:
                found[name] = value.value
    if problems:
        raise ConfigError(*problems)
    return found
