"""XLIFF 1.2 and 2.0, in which translators get and return texts: units with a source and a target."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nmt.data.corpus import Pair
from nmt.data.formats.codes import same_language
from nmt.data.formats.markup import elements, segment_text
from nmt.errors import DataError

UNITS = {"trans-unit", "segment"}  # of 1.2 and of 2.0


def read_xliff(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read units with a translation, with the number of the unit in the file. Units without one are left out, counted.

    A file from the target into the source language is read the other way round. Raises DataError with the languages of
    the file if they are others.
    """
    path = files[0]
    declared: dict[str, str] = {}

    def opened(name: str, attributes: dict[str, str]) -> None:
        declared.update(_declared(name, attributes))

    for number, (_, unit) in enumerate(elements(path, UNITS, opened), start=1):
        first, second = declared.get("source", ""), declared.get("target", "")
        swapped = same_language(languages[1], first) and not same_language(languages[0], first)
        if first and second:
            straight = same_language(languages[0], first) and same_language(languages[1], second)
            swapped = not straight and same_language(languages[1], first) and same_language(languages[0], second)
            if not (straight or swapped):
                raise DataError(
                    f"{path}: is from {first} into {second}, not from {languages[0]} into {languages[1]}; "
                    f"set data.source to {first} and data.target to {second}"
                )
        source, target = segment_text(unit.find("source")), segment_text(unit.find("target"))
        if not target:
            notes["units without a translation left out"] += 1
            continue
        yield Pair(number, target, source) if swapped else Pair(number, source, target)


def _declared(name: str, attributes: dict[str, str]) -> dict[str, str]:
    """Return what an element says of the languages, under `source` and `target`."""
    if name == "file" and "source-language" in attributes:
        return {"source": attributes["source-language"], "target": attributes.get("target-language", "")}
    if name == "xliff" and "srcLang" in attributes:
        return {"source": attributes["srcLang"], "target": attributes.get("trgLang", "")}
    return {}


def xliff_languages(path: Path) -> tuple[str, str] | None:
    """Return the languages that the file names, if it names both."""
    declared: dict[str, str] = {}

    def opened(name: str, attributes: dict[str, str]) -> None:
        declared.update(_declared(name, attributes))

    next(elements(path, UNITS, opened), None)
    return (declared["source"], declared["target"]) if declared.get("source") and declared.get("target") else None
