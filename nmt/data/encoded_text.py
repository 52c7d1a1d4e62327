"""The text that is trained on or validated with, without what is blank, filtered or held out, and as a dataset."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nmt.data.cache import Say, cached, resumable
from nmt.data.corpora import fingerprint
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.filters import Survey, kept
from nmt.data.hold_out import HeldOut
from nmt.data.sources import TextSource
from nmt.data.subword import Subwords
from nmt.data.unchanged import check_unchanged, checker
from nmt.data.write_dataset import write_dataset
from nmt.shown import counted

SERIOUS = 0.05  # share of the training pairs; a problem in more of them gives a warning when they are encoded


class UsableText(NamedTuple):
    """Hold texts as subwords and datasets read them: without what is blank, filtered or held out."""

    sources: tuple[TextSource, ...]
    hashes: dict[Path, str]
    filters: tuple[str, ...]
    held_out: HeldOut

    def pairs(self, number: int, notes: Counter[str]) -> Iterator[Pair]:
        """Yield the pairs of text `number` that are read, and count the others in `notes`."""
        source = self.sources[number]
        return self.held_out.rest(number, kept(source, source.pairs(notes), self.filters, notes))

    def fingerprint(self) -> list[object]:
        """Return a hash of all that decides the text."""
        return [part for source in self.sources for part in fingerprint(source, self.hashes)]

    def check_unchanged(self) -> None:
        """Raise DataError if a file is no longer the one that was hashed."""
        check_unchanged(self.hashes, (path for source in self.sources for path in source.files))

    def choice(self) -> list[object]:
        """Return what decides, besides the text, which pairs are read: empty for all that are not blank."""
        return [self.filters, self.held_out.key] if self.filters or self.held_out.key else []


def recipe_of(text: UsableText, number: int, subwords: Subwords, max_length: int | None) -> tuple[object, ...]:
    """Return what decides the dataset of text `number`, as the cache knows it by."""
    models = [hashlib.sha256(subword.model).hexdigest() for subword in subwords]
    own = [*text.choice(), number] if text.held_out.key else text.choice()
    return ("dataset", fingerprint(text.sources[number], text.hashes), models, max_length, *own)


def encoded(
    text: UsableText,
    number: int,
    subwords: Subwords,
    say: Say,
    max_length: int | None = None,
    workers: int = 1,
    surveyed: bool = False,
    every: int | None = None,
) -> tuple[Dataset, dict[str, int]]:
    """Return text `number` as a dataset, and what was left out. With `surveyed`, what the filters would drop is said
    when the text is encoded. `every` is that of `write_dataset`."""
    source, recipe = text.sources[number], recipe_of(text, number, subwords, max_length)
    surveys: list[Survey] = []  # one if the text is read

    def make(folder: Path) -> None:
        notes: Counter[str] = Counter()
        with resumable(folder) as unfinished:
            pairs = text.pairs(number, notes)
            if surveyed:
                surveys.append(Survey(source, text.filters))
                pairs = surveys[0].read(pairs)
            write_dataset(unfinished, pairs, subwords, max_length, notes, workers, say, every)
        (folder / "notes.json").write_text(json.dumps(notes), encoding="utf-8")

    def read(folder: Path) -> tuple[Dataset, dict[str, int]]:
        return Dataset(folder), json.loads((folder / "notes.json").read_text(encoding="utf-8"))

    names = " and ".join(path.name for path in source.files[:2])
    verify = checker(text.hashes, source.files)
    dataset, notes = cached(recipe, make, read, say, f"encoding {names}", verify)
    for note, count in notes.items():
        say(f"warning: {source.name}: {counted(note, count)}")
    for finding in surveys[0].findings(SERIOUS) if surveys else ():
        say(f"warning: {source.name}: {finding}")
    return dataset, notes
