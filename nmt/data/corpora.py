"""The corpora of a config: what `data.train`, `data.valid` and `data.test` name, found once and passed on."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.config import CorpusSettings, DataSettings
from nmt.data.corpus import file_hash, parallel_files
from nmt.data.sources import TextSource
from nmt.errors import DataError

HELD_OUT = "held_out"  # folder of a run with the validation and test text that was taken from the training text


class Weighted(NamedTuple):
    """A training text and how often its pairs come in an epoch."""

    source: TextSource
    weight: float


class Corpora(NamedTuple):
    """The texts that training reads. `valid` is empty if validation text is held out from the training text."""

    train: tuple[Weighted, ...]
    valid: tuple[TextSource, ...]  # the first one chooses the checkpoint


def corpora(data: DataSettings) -> Corpora:
    """Find the training and validation text. Raises DataError if a file is missing."""
    train = tuple(Weighted(find(data, entry), entry.weight) for entry in data.train)
    if data.hold_out:
        return Corpora(train, ())
    try:
        return Corpora(train, tuple(find(data, entry) for entry in data.valid))
    except DataError as error:
        raise DataError(f"{error}; or take validation text from the training text: data.hold_out=500") from None


def tests(data: DataSettings, run: Path | None = None) -> Iterator[TextSource]:
    """Find the test text of a config or of a run, one after the other. Raises DataError if a file is missing."""
    if data.hold_out_test:
        if run is None:
            return
        yield held_out(run, data, "test")
        return
    for entry in data.test:
        yield find(data, entry)


def find(data: DataSettings, entry: CorpusSettings) -> TextSource:
    """Find one text. Raises DataError if a file is missing."""
    languages = (data.source, data.target)
    folder = Path(data.folder)
    if entry.source:
        files = tuple(folder / path for path in (entry.source, entry.target))
        for path in files:
            if not path.exists():
                raise DataError(f"{path}: no such file")
        return TextSource(entry.name or files[0].stem, files, "text", languages, ())
    found = parallel_files(folder, entry.path, *languages)
    return TextSource(entry.name or entry.path, tuple(found), "text", languages, tuple(entry.columns))


def held_out(run: Path, data: DataSettings, part: str) -> TextSource:
    """Return the validation (`valid`) or test (`test`) text that a run took from its training text."""
    files = tuple(run / HELD_OUT / f"{part}.{language}" for language in (data.source, data.target))
    for path in files:
        if not path.exists():
            raise DataError(f"{path}: no such file; it is written when training begins: nmt train CONFIG")
    return TextSource(part, files, "text", (data.source, data.target))


def fingerprint(source: TextSource, hashes: dict[Path, str]) -> list[object]:
    """Return what decides which pairs a source has: the hashes of its files, and how they are read."""
    found: list[object] = [hashes[path] for path in source.files]
    return found if source.format == "text" else [*found, source.format, *source.columns, *source.languages]


def file_hashes(sources: Sequence[TextSource]) -> dict[Path, str]:
    """Return the SHA-256 of every file."""
    return {path: file_hash(path) for source in sources for path in source.files}


def names_in(folder: str, hashes: dict[Path, str]) -> dict[str, str]:
    """Return the hashes by the names of the files in a folder."""
    return {os.path.relpath(path, folder): digest for path, digest in hashes.items()}
