"""From text files to subword models and datasets, each made once and kept under the hash of what it was made from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import sentencepiece

from nmt.config import Settings, SubwordSettings
from nmt.data.cache import Say, cached
from nmt.data.corpora import HELD_OUT, Corpora, file_hashes, find_corpora, shown_name
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.early import EarlyStart
from nmt.data.encoded_text import UsableText, encoded
from nmt.data.filters import kept
from nmt.data.hold_out import HeldOut, hold_out
from nmt.data.normalization import SIDES, of_settings
from nmt.data.sources import TextSource
from nmt.data.subword import Subword, Subwords, load_subword
from nmt.data.subword_training import train_subword
from nmt.errors import DataError
from nmt.shown import amount

Item = TypeVar("Item")

NAMED = 4  # files that a message names


class Prepared(NamedTuple):
    """Hold everything that training reads."""

    subwords: Subwords
    train: Dataset
    valid_sets: tuple[tuple[TextSource, Dataset], ...]  # the first one chooses the checkpoint
    weights: tuple[float, ...]  # of each training text
    corpora: Corpora
    held_out: HeldOut
    training: UsableText
    files: dict[Path, str]  # SHA-256 of each text file
    notes: dict[str, dict[str, int]]  # by text: what was repaired or left out, and how often
    folder: str  # of the text

    @property
    def valid(self) -> Dataset:
        """Return the validation set that judges the checkpoints."""
        return self.valid_sets[0][1]

    @property
    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its name in the folder of the text; held out text by its name in the
        run."""
        names = {
            path: f"{HELD_OUT}/{part}.{language}"
            for part, source in self.held_out.texts.items()
            for path, language in zip(source.files, source.languages, strict=True)
        }
        return {names.get(path) or shown_name(path, self.folder): digest for path, digest in self.files.items()}

    @property
    def text(self) -> str:
        """Return the hashes of the training text."""
        return " ".join(self.files[path] for source, _ in self.corpora.train for path in source.files)


def prepare(settings: Settings, say: Say = lambda _: None, early: EarlyStart | None = None) -> Prepared:
    """Read and check the text, train or take the subword models, encode. Says what it does and what it repaired.

    With `early`, the end of the training text may not be encoded yet. Raises DataError or ConfigError.
    """
    data = settings.data
    corpora = find_corpora(data)
    text, valid, hashes = _find_texts(settings, corpora, say)
    subwords = _subwords(text, settings.subword, say)
    found = [
        encoded(text, number, subwords, say, data.max_length, data.workers, surveyed=True)
        for number in range(0 if early else len(text.sources))
    ]
    all_of_it = UsableText(valid, hashes, (), HeldOut.nothing(valid))  # of validation text, blank pairs are left out
    valid_sets = [(source, *encoded(all_of_it, number, subwords, say)) for number, source in enumerate(valid)]
    if early:
        train_set, left_out = early.train_set(text, subwords, data, say)
        notes = {text.sources[0].name: left_out}
    else:
        train_set = Dataset(*(dataset.folders[0] for dataset, _ in found))
        notes = {source.name: left_out for source, (_, left_out) in zip(text.sources, found, strict=True)}
    read = [(text.sources[0], len(train_set))] if train_set.complete else []
    for source, size in (*read, *((source, len(each)) for source, each, _ in valid_sets)):
        if not size:
            raise DataError(f"{source.files[0]}: no usable pair of sentences is left; the warnings above say why")
    return Prepared(
        subwords,
        train_set,
        tuple((source, dataset) for source, dataset, _ in valid_sets),
        sampling_weights(train_set.sizes, [weight for _, weight in corpora.train], data.temperature),
        corpora,
        text.held_out,
        text,
        hashes,
        notes | {source.name: left_out for source, _, left_out in valid_sets},
        data.folder,
    )


def sampling_weights(sizes: Sequence[int], weights: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return how often the pairs of each text occur per epoch, whose length does not depend on the temperature."""
    counts = [size * weight for size, weight in zip(sizes, weights, strict=True)]
    if temperature == 1 or not all(counts):
        return tuple(weights)
    shares = [(count / max(counts)) ** (1 / temperature) for count in counts]
    return tuple(sum(counts) * share / sum(shares) / size for share, size in zip(shares, sizes, strict=True))


def _find_texts(
    settings: Settings, corpora: Corpora, say: Say
) -> tuple[UsableText, tuple[TextSource, ...], dict[Path, str]]:
    """Return the training text, without what is held out, the validation text, and the hashes of all their files. Says
    which validation text is a training text as well."""
    sources = tuple(source for source, _ in corpora.train)
    filters = tuple(settings.data.filters)
    text = UsableText(sources, file_hashes(sources), filters, HeldOut.nothing(sources))

    def usable(source: TextSource, notes: Counter[str]) -> Iterator[Pair]:
        return kept(source, source.pairs(notes), filters, notes)

    held_out = hold_out(sources, settings.data, [*text.fingerprint(), filters], usable, say, text.check_unchanged)
    valid = (held_out.texts["valid"],) if "valid" in held_out.texts else corpora.valid
    hashes = text.hashes | file_hashes(valid)
    known = {tuple(hashes[path] for path in source.files): source for source in sources}
    for source in valid:
        if same := known.get(tuple(hashes[path] for path in source.files)):
            names = f"{same.files[0].name} and {source.files[0].name}"
            say(f"warning: {names} are the same: validation will not see overfitting")
    return text._replace(held_out=held_out), valid, hashes


def _subwords(text: UsableText, settings: SubwordSettings, say: Say) -> Subwords:
    if settings.model:
        return Subwords.load([Path(path) for path in settings.model])
    if settings.joint:
        joint = _trained(text, (0, 1), settings, say)
        return Subwords(joint.of_side("source"), joint.of_side("target"))
    source, target = (_trained(text, (side,), settings, say) for side in (0, 1))
    return Subwords(source.of_side("source"), target.of_side("target"))


def _trained(text: UsableText, sides: tuple[int, ...], settings: SubwordSettings, say: Say) -> Subword:
    """Return a subword model trained on one or both sides (0 source, 1 target) of the training text."""
    first = text.sources[0]
    alike = len(set(of_settings(settings).values())) == 1
    if alike and len(text.sources) == 1 and len(set(first.files)) == 1 and first.format == "text":
        sides = (0,)  # one file is both sides
    how = settings.model_dump(exclude={"sampling"})
    recipe = ("subword", text.fingerprint(), sides, how, sentencepiece.__version__, *text.choice())

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        # Sentences from all over the text.
        every = (pair for number in range(len(text.sources)) for pair in text.pairs(number, Counter()))
        pairs = thinned(every, settings.sample // len(sides))
        if not pairs:
            raise DataError(
                f"{first.files[0]}: no usable pair of sentences: the file is empty, or every pair has a blank side"
            )
        texts = [(pair.source, pair.target)[side] for pair in pairs for side in sides]
        (folder / "subword.model").write_bytes(train_subword(texts, settings, [SIDES[side] for side in sides], say))

    def read(folder: Path) -> Subword:
        return load_subword(folder / "subword.model")

    # The names of the files that hold these sides, as people read them.
    files = [each.files[side] if each.format == "text" else each.files[0] for each in text.sources for side in sides]
    distinct = list(dict.fromkeys(path.name for path in files))
    others = f" and {amount(len(distinct) - NAMED, 'other file')}" if len(distinct) > NAMED else ""
    names = " + ".join(distinct[:NAMED]) + others
    if len(sides) == 1 and any(each.format != "text" for each in text.sources):
        names += f" ({SIDES[sides[0]]} side)"

    doing = f"training a {settings.model_type} subword model on {names}"
    trained = cached(recipe, make, read, say, doing, text.check_unchanged)
    if len(trained) < settings.vocab_size:
        used = f"{settings.vocab_size:,} asked for, {len(trained):,} used"
        say(f"vocabulary of {names}: {used}: all that this text yields")
    return trained


def thinned(items: Iterable[Item], limit: int) -> list[Item]:
    """Return at most `limit` of them, evenly spaced: whenever there are too many, every second goes."""
    kept: list[Item] = []
    step = 1
    for place, item in enumerate(items):
        if place % step:
            continue
        kept.append(item)
        if len(kept) > limit:
            kept, step = kept[::2], 2 * step
    return kept
