"""Settings that are paths: absolute in memory, relative to a run in its own config, so that both can be moved together.

A path is kept relative to the run if both lie below a common folder other than the root of the file system. The
provenance of the run has the absolute one, which counts where the relative one leads nowhere: a run that was copied
alone, on the same machine.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nmt.config.tree import Settings

PATHS = (
    "data.folder",
    "subword.model",
    "training.start_from",
    "training.alignments",
    "training.source_vectors",
    "training.target_vectors",
    "training.teachers",
)


def with_paths(settings: Settings, change: Callable[[str, str], str]) -> Settings:
    """Return settings whose paths are `change(key, path)`; empty ones stay empty."""
    for key in PATHS:
        section, _, name = key.partition(".")
        own = getattr(settings, section)
        value = getattr(own, name)
        new = [change(key, path) for path in value] if isinstance(value, list) else value and change(key, value)
        settings = settings.model_copy(update={section: own.model_copy(update={name: new})})
    return settings


def portable(settings: Settings, folder: Path) -> Settings:
    """Return settings as the config of the run `folder` has them."""
    place = folder.resolve()

    def relative(_: str, path: str) -> str:
        shared = Path(os.path.commonpath([path, place]))
        return path if shared == Path(shared.anchor) else os.path.relpath(path, place)

    return with_paths(settings, relative).model_copy(update={"run": "."})


def absolute_paths(settings: Settings) -> dict[str, Any]:
    """Return {key: path or paths} of all that are set."""
    found = {key: getattr(getattr(settings, key.split(".")[0]), key.split(".")[1]) for key in PATHS}
    return {key: value for key, value in found.items() if value}


def where_they_are(settings: Settings, before: Mapping[str, Any]) -> Settings:
    """Return settings in which a path that leads nowhere is what it was `before`, if that leads somewhere."""

    def found(key: str, path: str) -> str:
        if Path(path).exists():
            return path
        value = before.get(key, ())
        known = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
        same = [each for each in known if Path(each).name == Path(path).name and Path(each).exists()]
        return same[0] if same else path

    return with_paths(settings, found)
