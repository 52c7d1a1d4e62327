"""Parallel text from wherever it is: the sources that `data.train`, `data.valid` and `data.test` name.

A `TextSource` yields numbered pairs of lines and names the files that they come from. `find_source` makes one from what
a user writes:

    find_source("data", "train", ("en", "fr"))                    # data/train.en and data/train.fr, or any LAYOUTS
    find_source("data", "pairs.tsv", ("en", "fr"))                # one file with both sides
    find_source("data", "news.csv", ("en", "fr"), columns=(2, 3))
    find_source("data", "part-*.tsv", ("en", "fr"))               # shards, in the order of their names
    find_source("data", "en-fr.txt.zip", ("en", "fr"))            # an archive is read as if it were a folder
    find_source(".", {"source": "a.txt", "target": "b.txt"}, ("en", "fr"))

How each kind of file is read is said in `nmt.data.formats.FORMATS`, how files are named in `nmt.data.layouts.LAYOUTS`.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from nmt.data import layouts
from nmt.data.corpus import Pair
from nmt.data.encodings import AUTO
from nmt.data.formats import FORMATS
from nmt.data.formats.guess_languages import guess_languages, is_reversed
from nmt.data.formats.recognise import format_of_file, format_of_pair, plain_suffix
from nmt.data.opening import check_regular
from nmt.errors import DataError
from nmt.shown import amount

LISTED = 8  # files that an error names
TRIED = 200  # a bigger folder is only listed: no proposal is looked for
_ENDINGS = {ending for kind in FORMATS.values() for ending in kind.endings}
_GLOB = re.compile(r"[*?\[]")


class NoSuchText(DataError):
    """Signal that no file fits a name. The message lists what is there, and proposes what would work."""


@dataclass(frozen=True)
class TextSource:
    """Describe one parallel text.

    `files` are what is read, and all whose bytes decide it: both sides in turn for formats with two files; with shards,
    those of each. A file in an archive is `corpus.zip/train.en`, which `file_hash` and `read_lines` understand.
    `languages` are the source and target language as the config names them. `columns` say where the two sides are in a
    file that holds both: column numbers from 1, header names or JSON keys; empty if the format knows by itself.
    """

    name: str  # as messages show it
    files: tuple[Path, ...]
    format: str  # a key of FORMATS
    languages: tuple[str, str]
    columns: tuple[str, ...] = ()
    encoding: str = AUTO  # of text that is not UTF-8

    def pairs(self, notes: Counter[str] | None = None) -> Iterator[Pair]:
        """Yield every pair, blank ones included. Counts repairs in `notes`.

        A pair has the number of its line, row or unit, from 1 and rising; shards are numbered one after another.
        Raises DataError with file and line if the text cannot be read.
        """
        kind = FORMATS[self.format]
        notes = Counter() if notes is None else notes
        before = 0
        for start in range(0, len(self.files), kind.files):
            last = before
            for pair in kind.read(
                self.files[start : start + kind.files], self.languages, self.columns, notes, self.encoding
            ):
                last = max(last, before + pair.line)
                yield pair._replace(line=before + pair.line) if before else pair
            before = last

    def recipe(self) -> tuple[object, ...]:
        """Return what decides the pairs besides the bytes of `files`, for fingerprints; empty for two plain text
        files."""
        plain = self.format == "text" and len(self.files) == 2
        encoding = () if self.encoding == AUTO else (self.encoding,)
        return encoding if plain else (self.format, self.languages, self.columns, len(self.files), *encoding)


@dataclass(frozen=True)
class _Wish:
    """Hold what the user says of a text besides its name."""

    languages: tuple[str, str]
    columns: tuple[str, ...] = ()
    format: str | None = None
    key: str = "data.train"  # as messages name it
    regular: bool = False  # whether pipes and devices are refused, before they are opened

    def check(self, *paths: Path) -> None:
        for path in paths if self.regular else ():
            check_regular(path)

    def pair(self, name: str, source: Path, target: Path) -> TextSource:
        self.check(source, target)
        return TextSource(name, (source, target), self.format or format_of_pair(source, target), self.languages)


def find_source(
    folder: str | Path,
    name: str | Mapping[str, str],
    languages: tuple[str, str],
    *,
    columns: Sequence[str | int] = (),
    format: str | None = None,
    key: str = "data.train",
    encoding: str = AUTO,
    regular: bool = False,
) -> TextSource:
    """Find the text that a name stands for: a stem, a file, a pattern of shards, or `{source: path, target: path}`.

    Paths are relative to `folder`. `format` (of FORMATS) replaces what the ending and the first lines say. `key` is the
    setting that messages name, `encoding` that of text which is not UTF-8. With `regular`, pipes and devices are
    refused. Raises NoSuchText if nothing fits, and DataError if several things do, or if a file cannot be what it is
    named as.
    """
    place = Path(folder)
    wish = _Wish(languages, tuple(str(column) for column in columns), format, key, regular)
    if format is not None and format not in FORMATS:
        raise DataError(f"{key}: format {format!r} is not known; use one of {', '.join(FORMATS)}")
    if not isinstance(name, str):
        if name.keys() != {"source", "target"}:
            shown = ", ".join(name) or "nothing"
            raise DataError(f"{key}: names {shown}; name two files, {{source: PATH, target: PATH}}")
        files = [Path("-") if name[side] == "-" else place / name[side] for side in ("source", "target")]
        for path in files:
            if path != Path("-") and not layouts.existing(path.parent, path.name):
                raise NoSuchText(f"{path}: no such file; {_listing(path.parent)}")
        return replace(wish.pair(files[0].name, *files), encoding=encoding)
    if not place.exists():
        if not key.startswith("data."):
            raise DataError(f"{key}: no such folder: {folder}")
        raise DataError(f"{folder}: data.folder: no such folder; paths in a config are relative to the config file")
    source = None
    for each in (name, *layouts.OTHER_NAMES.get(name, ())):
        source = source or _resolve(place, each, wish)
    if source is None:
        raise NoSuchText(_nothing_fits(place, name, wish))
    if columns and not FORMATS[source.format].columns:
        raise DataError(f"{key}: columns have no effect on {source.name}, which is {source.format}; remove them")
    return replace(source, encoding=encoding)


def _resolve(place: Path, name: str, wish: _Wish) -> TextSource | None:
    """Find the text that a name stands for in a folder or an archive; None if there is none.

    Raises DataError if a stem fits two layouts, unless one is STEM.LANGUAGE.
    """
    path = place / name
    if _GLOB.search(name):
        return _shards(place, name, wish)
    if path.suffix == ".zip" and path.is_file():
        return _archive(path, wish)
    if layouts.existing(place, name):
        return _one_file(path, name, wish)
    folder, stem = path.parent, path.name
    if not stem or not layouts.is_place(folder):
        return None
    pairs = layouts.pairs_of(folder, stem, wish.languages)
    singles = [] if "STEM.LANGUAGE" in pairs else layouts.files_of(folder, stem, wish.languages)
    if len(pairs) + len(singles) > 1:
        shown = [*(f"{one.name} with {other.name}" for one, other in pairs.values()), *(each.name for each in singles)]
        example = singles[0].name if singles else next(iter(pairs.values()))[0].name
        raise DataError(
            f"{folder}: {stem} can be {' or '.join(shown[:LISTED])}; name the file, as in {wish.key}: {example}"
        )
    if pairs:
        return wish.pair(name, *next(iter(pairs.values())))
    return _one_file(singles[0], name, wish) if singles else None


def _one_file(path: Path, name: str, wish: _Wish) -> TextSource:
    """Find a file that holds both sides, or one side of a pair whose other side has the other language in its name."""
    wish.check(path)
    given = wish.format if wish.format and FORMATS[wish.format].files == 1 else None
    found = given or format_of_file(path)
    if found is None:
        for index, language in enumerate(wish.languages):
            # Each place of the language in the name may hold the other language instead; the last one is tried first.
            for place in reversed(list(re.finditer(rf"(?<![A-Za-z]){re.escape(language)}(?![A-Za-z])", path.name))):
                other = f"{path.name[: place.start()]}{wish.languages[1 - index]}{path.name[place.end() :]}"
                if layouts.existing(path.parent, other):
                    files = (path, path.with_name(other))
                    return wish.pair(name, files[index], files[1 - index])
        raise DataError(
            f"{path}: holds one side of a text; name its translation as well: "
            f"{wish.key}: {{source: {path.name}, target: OTHER FILE}}"
        )
    columns = wish.columns
    if not columns and found in {"tsv", "bars"} and is_reversed(path, found, wish.languages):
        columns = ("2", "1")
    return TextSource(name, (path,), found, wish.languages, columns)


def _archive(path: Path, wish: _Wish) -> TextSource:
    """Find the only text in an archive: two files whose names differ in the language, or a file that holds both
    sides."""
    names = layouts.names_at(path)
    found: dict[str, TextSource] = {}
    for name in names:
        stem = name.removesuffix(f".{wish.languages[0]}")
        other = f"{stem}.{wish.languages[1]}"
        if stem != name and other in names:
            found[stem] = wish.pair(path.name, path / name, path / other)
    if not found:
        endings = {ending for kind in FORMATS.values() for ending in kind.endings}
        found = {name: _one_file(path / name, path.name, wish) for name in names if plain_suffix(Path(name)) in endings}
    if len(found) > 1:
        listed = ", ".join(list(found)[:LISTED])
        example = f"{wish.key}: {path.name}/{next(iter(found))}"
        raise DataError(f"{path}: has several texts: {listed}; name one, as in {example}")
    if not found:
        one, other = wish.languages
        raise NoSuchText(f"{path}: has no text in {one} and {other}; it has {_shown(names)}")
    return next(iter(found.values()))


def _shards(place: Path, pattern: str, wish: _Wish) -> TextSource | None:
    """Find the files that fit a pattern, as one text; the pattern may leave out the language at the end."""
    inside, last = (place / pattern).parent, Path(pattern).name
    if not layouts.is_place(inside):
        return None
    names = layouts.names_at(inside)
    matching = [name for name in names if fnmatchcase(name, last)]
    if not matching:
        endings = [f".{wish.languages[0]}{packed}" for packed in layouts.COMPRESSIONS]
        matching = [name for name in names for ending in endings if fnmatchcase(name, f"{last}{ending}")]
    sources: dict[tuple[Path, ...], TextSource] = {}
    for name in matching:
        if found := _resolve(inside, name, wish):
            sources[found.files] = found  # a pair is found from either side
    kinds = {(found.format, found.columns) for found in sources.values()}
    if len(kinds) > 1:
        shown = ", ".join(sorted({found.format for found in sources.values()}))
        raise DataError(f"{wish.key}: {pattern}: fits files of several kinds ({shown}); write a pattern for each")
    if not sources:
        return None
    return replace(next(iter(sources.values())), name=pattern, files=tuple(path for files in sources for path in files))


def _nothing_fits(place: Path, name: str, wish: _Wish) -> str:
    """Explain what the folder holds, and propose a setting that works."""
    inside = (place / name).parent if (place / name).parent.exists() else place
    sides = [f"{name}.{language}" for language in wish.languages]
    missing = [
        side for side in sides if not any(layouts.existing(place, f"{side}{ending}") for ending in layouts.COMPRESSIONS)
    ]
    what = f"{place / name}: no such text in {wish.languages[0]} and {wish.languages[1]}; {_listing(inside)}"
    proposal = _proposal(inside, name, wish)
    if len(missing) == 1 and (proposal is None or proposal.startswith(wish.key)):
        return f"{place / missing[0]}: no such file; {_listing(inside)}"  # the name is right, and one file is not there
    if proposal:
        return f"{what}; set {proposal}"
    for each in layouts.names_at(inside):
        if plain_suffix(Path(each)) in _ENDINGS and (problem := _problem(inside, each, wish)):
            return f"{what}; {wish.key}: {each} needs more: {problem}"
    return what


def _listing(place: Path) -> str:
    if not place.exists():
        return f"there is no {place}"
    names = layouts.names_at(place)
    return f"the folder has {_shown(names)}" if names else "the folder is empty"


def _shown(names: Sequence[str]) -> str:
    others = f" and {amount(len(names) - LISTED, 'other')}" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + others if names else "no files"


def _proposal(place: Path, name: str, wish: _Wish) -> str | None:
    """Return settings with which a text is found in a folder and its first pair can be read."""
    names = layouts.names_at(place)
    if len(names) > TRIED:
        return None
    parts = []
    for each in names:
        if plain_suffix(Path(each)) in _ENDINGS:
            parts.append(each)
            continue
        # Parts of the name that may be a stem: `news.en-fr.en` -> `news.en-fr`, `en`, ...
        for border in reversed(list(re.finditer(r"[._-]", each))):
            parts += [each[: border.start()], each[border.end() :].partition(".")[0]]
    for candidate in dict.fromkeys(filter(None, parts)):
        other = wish.key == "data.train" or "train" not in candidate  # never propose to validate on the training text
        if other and candidate != name and _reads(place, candidate, wish):
            return f"{wish.key}: {candidate}"
    ends = list(dict.fromkeys(plain_suffix(Path(each))[1:] for each in names))[:20]
    for source, target in itertools.permutations(filter(None, ends), 2):
        if _reads(place, name, replace(wish, languages=(source, target))):
            return f"data.source: {source} and data.target: {target}"
    for each in names:
        other = wish.key == "data.train" or "train" not in each
        try:
            guessed = guess_languages(place / each) if other and (place / each).is_file() else None
        except DataError:
            continue
        if guessed and _reads(place, each, _Wish(guessed)):
            return f"{wish.key}: {each}, data.source: {guessed[0]} and data.target: {guessed[1]}"
    return None


def _reads(place: Path, name: str, wish: _Wish) -> bool:
    return _problem(place, name, wish) == ""


def _problem(place: Path, name: str, wish: _Wish) -> str:
    """Return why a text cannot be found or its first pair cannot be read; empty if it can."""
    try:
        source = _resolve(place, name, wish)
        if source is None or len(set(source.files)) < len(source.files):
            return "no such text"
        return "" if next(source.pairs(), None) else "it is empty"
    except DataError as error:
        return str(error)
