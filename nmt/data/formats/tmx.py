"""TMX, the translation memories of translators: units with a segment in each language."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nmt.data.corpus import Pair
from nmt.data.formats.codes import language_index, normal
from nmt.data.formats.markup import elements, language_of, segment_text
from nmt.errors import DataError


def read_tmx(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read the units that have both languages, with the number of the unit in the file; `en` finds `en-US`.

    Of several segments in one language the first is taken. Raises DataError with the languages of the file if no unit
    has both.
    """
    seen: Counter[str] = Counter()
    found = missing = 0
    for number, (_, unit) in enumerate(elements(files[0], {"tu"}), start=1):
        variants = [variant for variant in unit if variant.tag == "tuv"]
        codes = [language_of(variant.attrib) for variant in variants]
        seen.update({normal(code): 1 for code in codes})
        source, target = (language_index(language, codes) for language in languages)
        if source is None or target is None or source == target:
            missing += 1
            continue
        found += 1
        yield Pair(number, *(segment_text(variants[side].find("seg")) for side in (source, target)))
    if missing and not found:
        listed = ", ".join(code for code, _ in seen.most_common(10))
        raise DataError(
            f"{files[0]}: no unit has both {languages[0]} and {languages[1]}; its languages are {listed}; "
            "set data.source and data.target to two of them"
        )
    if missing:
        notes[f"units without {languages[0]} or {languages[1]} left out"] += missing


def tmx_languages(path: Path) -> tuple[str, str] | None:
    """Return the two languages of the first unit that has at least two, the header's source language first."""
    declared: list[str] = []

    def opened(name: str, attributes: dict[str, str]) -> None:
        if name == "header":
            declared.append(attributes.get("srclang", ""))

    for _, unit in elements(path, {"tu"}, opened):
        codes = [language_of(variant.attrib) for variant in unit if variant.tag == "tuv"]
        if len(codes) >= 2:
            first = (language_index(declared[0], codes) if declared else None) or 0
            return codes[first], codes[0 if first else 1]
    return None
