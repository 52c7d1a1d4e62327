"""From text files to subword models and datasets, each made once and kept under the hash of what it was made from."""

import hashlib
import json
import os
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import sentencepiece

from nmt.config import Settings, SubwordSettings
from nmt.data.corpus import ParallelFiles, file_hash, parallel_files, read_pairs, usable_pairs
from nmt.data.dataset import Dataset, write_dataset
from nmt.data.subword import Subword, Subwords, load_subword, train_subword
from nmt.errors import DataError

FORMAT = 2  # raise it when the meaning of a cached file changes

Say = Callable[[str], None]
Item = TypeVar("Item")


class Prepared(NamedTuple):
    subwords: Subwords
    train: Dataset
    valid: Dataset
    notes: dict[str, dict[str, int]]  # for train and valid: what was mended or left out, and how often
    hashes: dict[str, str]  # SHA-256 of each text file, by its name in the folder


def cache_folder() -> Path:
    """$NMT_CACHE, or nmt in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    if "NMT_CACHE" in os.environ:
        return Path(os.environ["NMT_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nmt"


def prepare(settings: Settings, say: Say = lambda _: None) -> Prepared:
    """Reads and checks the text, trains or takes the subword models, encodes. Says what it does and what it mended.

    Raises DataError or ConfigError.
    """
    data = settings.data
    train, valid = (parallel_files(data.folder, stem, data.source, data.target) for stem in (data.train, data.valid))
    hashes = {path: file_hash(path) for files in (train, valid) for path in files}
    if [hashes[path] for path in train] == [hashes[path] for path in valid]:
        say(f"warning: {train.source.name} and {valid.source.name} are the same: validation will not see overfitting")
    subwords = _subwords(train, hashes, settings.subword, say)
    train_set, train_notes = _dataset(train, hashes, subwords, data.max_length, say)
    valid_set, valid_notes = _dataset(valid, hashes, subwords, None, say)
    for files, dataset in ((train, train_set), (valid, valid_set)):
        if not len(dataset):
            raise DataError(f"{files.source}: no usable pair of sentences is left; the warnings above say why")
    notes = {data.train: train_notes, data.valid: valid_notes}
    names = {os.path.relpath(path, data.folder): digest for path, digest in hashes.items()}
    return Prepared(subwords, train_set, valid_set, notes, names)


def _subwords(files: ParallelFiles, hashes: dict[Path, str], settings: SubwordSettings, say: Say) -> Subwords:
    if settings.model:
        models = [load_subword(Path(path)) for path in settings.model]
        return Subwords(models[0], models[-1])
    if settings.joint:
        joint = _trained(files, files, hashes, settings, say)
        return Subwords(joint, joint)
    source = _trained(files, ParallelFiles(files.source, files.source), hashes, settings, say)
    return Subwords(source, _trained(files, ParallelFiles(files.target, files.target), hashes, settings, say))


def _trained(
    files: ParallelFiles, learn_from: ParallelFiles, hashes: dict[Path, str], settings: SubwordSettings, say: Say
) -> Subword:
    """A subword model trained on one or both sides of the usable pairs of `files`."""
    sides = tuple(dict.fromkeys(files.index(path) for path in learn_from))
    how = settings.model_dump(exclude={"sampling"})
    recipe = ("subword", [hashes[path] for path in files], sides, how, sentencepiece.__version__)

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "subword.model").write_bytes(train_subword(_side_texts(files, sides, settings.sample), settings))

    def read(folder: Path) -> Subword:
        return load_subword(folder / "subword.model")

    names = " + ".join(path.name for path in dict.fromkeys(learn_from))
    return _cached(recipe, make, read, say, f"training a {settings.model_type} subword model on {names}")


def _side_texts(files: ParallelFiles, sides: tuple[int, ...], limit: int) -> list[str]:
    """At most `limit` sentences, from all over the text."""
    pairs = thinned(usable_pairs(read_pairs(files), Counter()), limit // len(sides))
    if not pairs:
        raise DataError(
            f"{files.source}: no usable pair of sentences: the file is empty, or every pair has a blank side"
        )
    return [(pair.source, pair.target)[side] for pair in pairs for side in sides]


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
    files: ParallelFiles, hashes: dict[Path, str], subwords: Subwords, max_length: int | None, say: Say
) -> tuple[Dataset, dict[str, int]]:
    models = [hashlib.sha256(subword.model).hexdigest() for subword in subwords]
    recipe = ("dataset", [hashes[path] for path in files], models, max_length)

    def make(folder: Path) -> None:
        notes: Counter[str] = Counter()
        write_dataset(folder, usable_pairs(read_pairs(files, notes), notes), subwords, max_length, notes)
        (folder / "notes.json").write_text(json.dumps(notes), encoding="utf-8")

    def read(folder: Path) -> tuple[Dataset, dict[str, int]]:
        return Dataset(folder), json.loads((folder / "notes.json").read_text(encoding="utf-8"))

    dataset, notes = _cached(recipe, make, read, say, f"encoding {files.source.name} and {files.target.name}")
    for note, count in notes.items():
        say(f"warning: {files.source.stem}: {note}: {count:,}")
    return dataset, notes


def _cached(recipe: object, make: Callable[[Path], None], read: Callable[[Path], Item], say: Say, doing: str) -> Item:
    """What `read` finds in the folder that `make` wrote for this recipe, now or earlier. A folder is complete as soon
    as it has its name."""
    key = hashlib.sha256(json.dumps([FORMAT, recipe], sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_folder() / key
    if not folder.is_dir():
        say(doing)
        _make(folder, make)
    try:
        return read(folder)
    except (OSError, ValueError, DataError):
        raise DataError(f"{folder}: damaged; remove this folder of the cache, and it is made again") from None


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    """Also removes what killed processes left of it; of this machine, as those of others may be at work on theirs."""
    mark = f"{folder.name}.tmp-{platform.node()}@"
    for leftover in folder.parent.glob(f"{mark}*"):
        process = int(leftover.name.removeprefix(mark))
        if process == os.getpid() or not _lives(process):
            shutil.rmtree(leftover, ignore_errors=True)
    unfinished = folder.with_name(f"{mark}{os.getpid()}")
    try:
        make(unfinished)
        _publish(unfinished, folder)
    except OSError as error:
        raise DataError(
            f"{folder.parent}: cannot write the cache: {error.strerror}; name another folder: NMT_CACHE=FOLDER"
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # no signal, only the question
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _publish(unfinished: Path, folder: Path) -> None:
    for path in unfinished.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process made the same folder first: equally good
            raise
