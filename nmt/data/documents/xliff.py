"""XLIFF 1.2 and 2.0 with targets filled in and marked for review."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nmt.data.corpus import is_blank
from nmt.data.documents.markup import Element, escaped, parse, space_before, tag_with
from nmt.data.documents.segments import Document, spliced
from nmt.data.formats.codes import is_code, other_language
from nmt.errors import DataError


def open_xliff(
    path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool
) -> Document:
    """Open an XLIFF file. Units without a target get one, with `overwrite` all; `translate="no"` and approved units
    stay."""
    content = text.encode()
    root = parse(path, content)
    if root.local != "xliff":
        raise DataError(
            f"{path}:{root.line}: begins with <{root.name}>, not with <xliff>; name the format with --format"
        )
    version = 2 if root.attributes.get("version", "").startswith("2") else 1
    notes: Counter[str] = Counter()
    for each in (root, *root.children):
        named = (
            each.attributes.get("source-language") or each.attributes.get("srcLang", ""),
            each.attributes.get("target-language") or each.attributes.get("trgLang", ""),
        )
        for code, language in zip(named, languages, strict=True):
            if other_language(language, code):
                notes[f"{path.name} names the language {code} where the run has {language}"] += 1
    texts, units = [], []
    for unit in _units(root, "segment" if version == 2 else "trans-unit"):
        source, target = unit.child("source"), unit.child("target")
        if source is None or is_blank(source.segment()) or unit.attributes.get("approved") == "yes":
            continue
        if overwrite or target is None or (is_blank(target.segment()) and not target.children):
            texts.append(source.segment())
            units.append(unit)
            if source.children:
                notes["segments with inline tags, translated without them; put them back"] += 1

    def write(translations: Sequence[str]) -> bytes:
        changes = []
        # The target language goes into the tags that should name it and do not.
        name = "trgLang" if version == 2 else "target-language"
        for each in [root] if version == 2 else [child for child in root.children if child.local == "file"]:
            if units and name not in each.attributes and is_code(languages[1]):
                tag = tag_with(content[each.start : each.inner], name, languages[1].replace("_", "-"))
                changes.append((each.start, each.inner, tag))
        for unit, translation in zip(units, translations, strict=True):
            changes += _filled(content, unit, translation, version)
        return spliced(content, changes)

    return Document(texts, write, notes)


def _units(element: Element, name: str, translate: bool = True) -> list[Element]:
    """Return the units that may be translated; `translate` is inherited."""
    found = []
    for child in element.children:
        inner = {"yes": True, "no": False}.get(child.attributes.get("translate", ""), translate)
        if child.local == name:
            found += [child] if inner else []
        else:
            found += _units(child, name, inner)
    return found


def _filled(content: bytes, unit: Element, translation: str, version: int) -> list[tuple[int, int, bytes]]:
    source, target = unit.child("source"), unit.child("target")
    assert source
    review = "needs-review-translation"
    changes = []
    if version == 2:  # there, the segment has the state; what is not yet reviewed is `translated`
        changes.append((unit.start, unit.inner, tag_with(content[unit.start : unit.inner], "state", "translated")))
    if target is None:
        prefix = source.name.removesuffix("source")
        tag = f"<{prefix}target>".encode() if version == 2 else f'<{prefix}target state="{review}">'.encode()
        after = unit.child("seg-source") or source
        new = space_before(content, source.start) + tag + escaped(translation) + f"</{prefix}target>".encode()
        return [*changes, (after.end, after.end, new)]
    tag = content[target.start : target.inner]
    tag = tag[:-2].rstrip() + b">" if tag.endswith(b"/>") else tag
    tag = tag if version == 2 else tag_with(tag, "state", review)
    return [*changes, (target.start, target.end, tag + escaped(translation) + f"</{target.name}>".encode())]
