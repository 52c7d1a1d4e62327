"""From text files to subword models and datasets, each made once and kept under the hash of what it was made from."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import sentencepiece

from nmt.config import Settings, SubwordSettings
from nmt.data.cache import Say, cached
from nmt.data.corpus import ParallelFiles, file_hash, parallel_files, read_pairs, usable_pairs
from nmt.data.dataset import Dataset, write_dataset
from nmt.data.encodings import AUTO
from nmt.data.subword import Subword, Subwords, load_subword, train_subword
from nmt.errors import DataError

Item = TypeVar("Item")


class Prepared(NamedTuple):
    subwords: Subwords
    train: Dataset
    valid: Dataset
    notes: dict[str, dict[str, int]]  # for train and valid: what was mended or left out, and how often
    hashes: dict[str, str]  # SHA-256 of each text file, by its name in the folder


def prepare(settings: Settings, say: Say = lambda _: None) -> Prepared:
    """Reads and checks the text, trains or takes the subword models, encodes. Says what it does and what it mended.

    Raises DataError or ConfigError.
    """
    data = settings.data
    train, valid = (parallel_files(data.folder, stem, data.source, data.target) for stem in (data.train, data.valid))
    hashes = {path: file_hash(path) for files in (train, valid) for path in files}
    if [hashes[path] for path in train] == [hashes[path] for path in valid]:
        say(f"warning: {train.source.name} and {valid.source.name} are the same: validation will not see overfitting")
    subwords = _subwords(train, hashes, settings, say)
    train_set, train_notes = _dataset(train, hashes, subwords, data.max_length, data.encoding, say)
    valid_set, valid_notes = _dataset(valid, hashes, subwords, None, data.encoding, say)
    for files, dataset in ((train, train_set), (valid, valid_set)):
        if not len(dataset):
            raise DataError(f"{files.source}: no usable pair of sentences is left; the warnings above say why")
    notes = {data.train: train_notes, data.valid: valid_notes}
    names = {os.path.relpath(path, data.folder): digest for path, digest in hashes.items()}
    return Prepared(subwords, train_set, valid_set, notes, names)


def _subwords(files: ParallelFiles, hashes: dict[Path, str], whole: Settings, say: Say) -> Subwords:
    settings, encoding = whole.subword, whole.data.encoding
    if settings.model:
        models = [load_subword(Path(path)) for path in settings.model]
        return Subwords(models[0], models[-1])
    if settings.joint:
        joint = _trained(files, files, hashes, settings, encoding, say)
        return Subwords(joint, joint)
    source = _trained(files, ParallelFiles(files.source, files.source), hashes, settings, encoding, say)
    return Subwords(source, _trained(files, ParallelFiles(files.target, files.target), hashes, settings, encoding, say))


def _trained(
    files: ParallelFiles,
    learn_from: ParallelFiles,
    hashes: dict[Path, str],
    settings: SubwordSettings,
    encoding: str,
    say: Say,
) -> Subword:
    """A subword model trained on one or both sides of the usable pairs of `files`."""
    sides = tuple(dict.fromkeys(files.index(path) for path in learn_from))
    how = settings.model_dump(exclude={"sampling"})
    recipe = ("subword", [hashes[path] for path in files], sides, how, sentencepiece.__version__, *_named(encoding))

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "subword.model").write_bytes(
            train_subword(_side_texts(files, sides, settings.sample, encoding), settings)
        )

    def read(folder: Path) -> Subword:
        return load_subword(folder / "subword.model")

    names = " + ".join(path.name for path in dict.fromkeys(learn_from))
    return cached(recipe, make, read, say, f"training a {settings.model_type} subword model on {names}")


def _side_texts(files: ParallelFiles, sides: tuple[int, ...], limit: int, encoding: str) -> list[str]:
    """At most `limit` sentences, from all over the text."""
    pairs = thinned(usable_pairs(read_pairs(files, encoding=encoding), Counter()), limit // len(sides))
    if not pairs:
        raise DataError(
            f"{files.source}: no usable pair of sentences: the file is empty, or every pair has a blank side"
        )
    return [(pair.source, pair.target)[side] for pair in pairs for side in sides]


def _named(encoding: str) -> list[str]:
    """Return what an encoding adds to a recipe: nothing if it is left to the text."""
    return [] if encoding == AUTO else [encoding]


def thinned(items: Iterable[Item], limit: int) -> list[Item]:
    """At most `limit` of them, evenly spaced: whenever there are too many, every second goes."""
    kept: list[Item] = []
    step = 1
    for place, item in enumerate(items):
        if place % step:
            continue
        kept.append(item)
        if len(kept) > limit:
            kept, step = kept[::2], 2 * step
    return kept


def _dataset(
    files: ParallelFiles, hashes: dict[Path, str], subwords: Subwords, max_length: int | None, encoding: str, say: Say
) -> tuple[Dataset, dict[str, int]]:
    models = [hashlib.sha256(subword.model).hexdigest() for subword in subwords]
    recipe = ("dataset", [hashes[path] for path in files], models, max_length, *_named(encoding))

    def make(folder: Path) -> None:
        notes: Counter[str] = Counter()
        write_dataset(folder, usable_pairs(read_pairs(files, notes, encoding), notes), subwords, max_length, notes)
        (folder / "notes.json").write_text(json.dumps(notes), encoding="utf-8")

    def read(folder: Path) -> tuple[Dataset, dict[str, int]]:
        return Dataset(folder), json.loads((folder / "notes.json").read_text(encoding="utf-8"))

    dataset, notes = cached(recipe, make, read, say, f"encoding {files.source.name} and {files.target.name}")
    for note, count in notes.items():
        say(f"warning: {files.source.stem}: {note}: {count:,}")
    return dataset, notes
