"""The corpora of a config: what `data.train`, `data.valid` and `data.test` name, found once and passed on."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nmt.config import CorpusSettings, DataSettings
from nmt.data.sources import NoSuchText, TextSource, find_source
from nmt.data.unchanged import hash_of
from nmt.errors import DataError
from nmt.files import open_run_file

LARGEST_HELD_OUT = 256_000_000  # bytes of a file of it
HELD_OUT = "held_out"  # folder of a run with the validation and test text that was taken from the training text


class Weighted(NamedTuple):
    """Hold a training text and how often its pairs occur in an epoch."""

    source: TextSource
    weight: float


class Corpora(NamedTuple):
    """Hold the texts that training reads. `valid` is empty if it is to be held out from the training text."""

    train: tuple[Weighted, ...]
    valid: tuple[TextSource, ...]  # the first one chooses the checkpoint


def find_corpora(data: DataSettings) -> Corpora:
    """Find the training and validation text. Raises DataError if a text is missing."""
    train = tuple(Weighted(_find(data, entry, "data.train"), entry.weight) for entry in data.train)
    if not train:
        raise DataError("data.train: names no text; name one, as in data.train=train")
    if data.hold_out:
        return Corpora(train, ())
    try:
        valid = tuple(_find(data, entry, "data.valid") for entry in data.valid)
    except NoSuchText as error:
        facts, proposal = _proposed(error, data, train)
        offer = f"set {proposal}, or" if proposal else "name other text, or"
        raise DataError(f"{facts}; {offer} take it from the training text: set data.hold_out=500") from None
    if not valid:
        raise DataError("data.valid: names no text; name one, or take it from the training text: set data.hold_out=500")
    return Corpora(train, valid)


def find_valid(data: DataSettings, run: Path) -> TextSource:
    """Find the validation text that chooses the checkpoint of a run. Raises DataError if it is missing."""
    return held_out(run, data, "valid") if data.hold_out else _find(data, data.valid[0], "data.valid")


def find_tests(data: DataSettings, run: Path | None = None) -> list[TextSource]:
    """Find the test text: what the config names, or what a run has held out. Raises DataError if a text is missing."""
    if data.hold_out_test:
        return [] if run is None else [held_out(run, data, "test")]
    try:
        return [_find(data, entry, "data.test") for entry in data.test]
    except NoSuchText as error:
        train = tuple(Weighted(_find(data, entry, "data.train"), entry.weight) for entry in data.train)
        facts, proposal = _proposed(error, data, train)
        raise NoSuchText(f"{facts}; set {proposal}" if proposal else facts) from None


def _proposed(error: NoSuchText, data: DataSettings, train: tuple[Weighted, ...]) -> tuple[str, str]:
    """Split a message into its facts and its proposal. The proposal is empty if it names text of the training."""
    facts, _, proposal = str(error).partition("; set ")
    name = proposal.partition(",")[0].rpartition(": ")[2]
    try:
        files = set(find_source(data.folder, name, (data.source, data.target)).files)
    except DataError:
        files = set()
    used = {path for weighted in train for path in weighted.source.files}
    return facts, "" if files & used else proposal


def _find(data: DataSettings, entry: CorpusSettings, key: str) -> TextSource:
    """Find one text. Raises DataError if it is missing."""
    name = entry.path or {"source": entry.source, "target": entry.target}
    languages = (data.source, data.target)
    columns, kind = tuple(entry.columns), entry.format or None
    source = find_source(
        data.folder,
        name,
        languages,
        columns=columns,
        format=kind,
        key=key,
        encoding=data.encoding,
        regular=True,  # a config may be a stranger's
    )
    return replace(source, name=entry.name) if entry.name else source


def held_out(run: Path, data: DataSettings, part: str) -> TextSource:
    """Return the validation (`valid`) or test (`test`) text that a run took from its training text."""
    files = held_out_files(run, data, part)
    for path in files:
        if path.parent != run / HELD_OUT:
            raise DataError(f"{path}: points outside the run")
        try:
            open_run_file(run, f"{HELD_OUT}/{path.name}").close()
        except OSError:
            raise DataError(f"{path}: no such file, although the run held this text out; copy the run again") from None
    return TextSource(part, files, "text", (data.source, data.target))


def held_out_files(run: Path, data: DataSettings, part: str) -> tuple[Path, ...]:
    """Return the paths, within a run, of the source and target text that was held out for `part`."""
    return tuple(run / HELD_OUT / f"{part}.{language}" for language in (data.source, data.target))


def file_hashes(sources: Sequence[TextSource]) -> dict[Path, str]:
    """Return the SHA-256 of every file, each with the state of the file that has it. Several files are hashed at a
    time: this is most of the time that a start takes with a large corpus."""
    paths = list(dict.fromkeys(path for source in sources for path in source.files))
    with ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(hash_of, paths), strict=True))


def fingerprint(source: TextSource, hashes: dict[Path, str]) -> list[object]:
    """Return what decides which pairs a source has: the hashes of its files, and how they are read."""
    return [*(hashes[path] for path in source.files), *source.recipe()]


def shown_name(path: Path, folder: str) -> str:
    """Return the name of a file in the folder of the text, as provenance and messages have it."""
    return os.path.relpath(path, folder)
