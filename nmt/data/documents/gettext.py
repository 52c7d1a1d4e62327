"""PO files with translations filled in and marked fuzzy; every other line stays as it is."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.data.documents.segments import Document, Lines
from nmt.data.formats.codes import other_language
from nmt.data.formats.gettext import Entry, header_language, parse, quoted

Filler = Callable[[Sequence[str]], str]


def open_po(path: Path, text: str, languages: tuple[str, str], columns: tuple[str, ...], overwrite: bool) -> Document:
    """Open a PO file. Entries without a translation are filled, with `overwrite` all; plural forms from
    msgid_plural."""
    ends = [line[len(line.rstrip("\r")) :] for line in text.split("\n")]
    lines = [line.rstrip("\r") for line in text.split("\n")]
    found, notes = Lines(), Counter[str]()
    fillers: list[tuple[Entry, dict[str, Filler]]] = []
    for entry in parse((line.removeprefix("\ufeff") for line in lines), path, Counter()):
        if entry.is_header:
            language = header_language(entry)
            if other_language(languages[1], language):
                notes[f"the header says Language: {language}, and the run translates into {languages[1]}"] += 1
            continue
        # A form translates msgid_plural, but the first of several forms msgid; without a plural all translate msgid.
        translations = entry.translations()
        single, plural = entry.strings["msgid"], entry.strings.get("msgid_plural", entry.strings["msgid"])
        forms = {
            name: single if name == "msgstr[0]" and len(translations) > 1 else plural
            for name, form in translations.items()
            if overwrite or not form
        }
        if forms:
            added = {source: found.add(source) for source in dict.fromkeys(forms.values())}
            fillers.append((entry, {name: added[source] for name, source in forms.items()}))

    def write(translations: Sequence[str]) -> bytes:
        written = [f"{line}{end}" for line, end in zip(lines, ends, strict=True)]
        for entry, forms in fillers:
            for name, filler in forms.items():
                start, end = entry.places[name]
                written[start] = f"{name} {quoted(filler(translations))}{ends[start]}"
                written[start + 1 : end] = [None] * (end - start - 1)  # type: ignore[list-item]
            _mark(entry, lines, ends, written)
        return "\n".join(line for line in written if line is not None).encode()

    return Document(found.texts, write, notes)


def _mark(entry: Entry, lines: list[str], ends: list[str], written: list[str]) -> None:
    """Adds the flag `fuzzy`."""
    if "fuzzy" in entry.flags:
        return
    if entry.flag_line >= 0:
        written[entry.flag_line] = f"#, fuzzy,{lines[entry.flag_line].strip()[2:]}{ends[entry.flag_line]}"
        return
    first = min(start for start, _ in entry.places.values())
    while first > entry.first and lines[first - 1].startswith("#|"):
        first -= 1
    written[first] = f"#, fuzzy{ends[first]}\n{written[first]}"
