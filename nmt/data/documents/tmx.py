"""TMX with a segment in the target language added to each unit that has none."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nmt.data.corpus import is_blank
from nmt.data.documents.markup import Element, escaped, parse, space_before
from nmt.data.documents.segments import Document, spliced
from nmt.data.formats.codes import language_index
from nmt.data.formats.markup import language_of
from nmt.errors import DataError


def open_tmx(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open the units with the source language. A new segment has `creationtool="nmt"`, as TMX has no mark for
    review."""
    content = text.encode()
    root = parse(path, content)
    if root.local != "tmx":
        raise DataError(f"{path}:{root.line}: begins with <{root.name}>, not with <tmx>; is it another kind of file?")
    found: list[tuple[Element, Element, Element | None, str]] = []
    notes: Counter[str] = Counter()
    code = languages[1].replace("_", "-")
    for unit in (each for each in root.walk() if each.local == "tu"):
        variants = [each for each in unit.children if each.local == "tuv"]
        codes = [language_of(each.attributes) for each in variants]
        places = [language_index(language, codes) for language in languages]
        if places[0] is None:
            notes[f"units without {languages[0]} left as they are"] += 1
            continue
        segment = variants[places[0]].child("seg")
        other = None if places[1] is None or places[1] == places[0] else variants[places[1]]
        target = other.child("seg") if other else None
        if segment is None or is_blank(segment.segment()) or (other and target is None):
            continue
        if overwrite or target is None or is_blank(target.segment()):
            if segment.children:
                notes["segments with inline tags, translated without them; put them back"] += 1
            found.append((unit, variants[places[0]], target, segment.segment()))

    def write(translations: Sequence[str]) -> bytes:
        changes = []
        for (_, source, target, _), translation in zip(found, translations, strict=True):
            if target:
                new = f"<{target.name}>".encode() + escaped(translation) + f"</{target.name}>".encode()
                changes.append((target.start, target.end, new))
            else:
                new = (
                    f'<tuv xml:lang="{code}" creationtool="nmt"><seg>'.encode() + escaped(translation) + b"</seg></tuv>"
                )
                changes.append((source.end, source.end, space_before(content, source.start) + new))
        return spliced(content, changes)

    return Document([text for *_, text in found], write, notes)
