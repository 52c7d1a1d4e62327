"""Training that starts early: the training text is encoded beside it, and read as far as it is encoded.

The order in which the first epoch reads (`WindowsInOrder`) depends neither on how far the encoding is nor on whether it
is complete when training starts.
"""

import os
import time
from collections.abc import Sequence

from nmt.config import DataSettings
from nmt.data.background import Background, Say
from nmt.data.cache import is_temporary, place_of
from nmt.data.dataset import Dataset
from nmt.data.encoded_text import UsableText, encoded, recipe_of
from nmt.data.growing import GrowingDataset
from nmt.data.normalization import Side
from nmt.data.subword import Subword, Subwords
from nmt.errors import ConfigError

LOOK = 0.1  # seconds between two looks at what is encoded


class EarlyStart:
    """Encode the training text beside this process, unless it is in the cache.

    Of several ranks on one machine the first one encodes, and the others look at what it has written.
    """

    def __init__(self, first: int, encodes: bool = True, machines: int = 1) -> None:
        """`first` is the number of pairs that training begins with, `machines` the number of those that train."""
        self.first, self.encodes, self.machines = first, encodes, machines
        self.encoding: Background | None = None

    def train_set(
        self, text: UsableText, subwords: Subwords, data: DataSettings, say: Say
    ) -> tuple[Dataset, dict[str, int]]:
        """Return the training text as a dataset, and what was left out, as far as it is known: at least `first` pairs
        where this rank encodes.

        Raise BackgroundFailed if the text cannot be encoded, ConfigError if it would have to be on several machines.
        """
        place = place_of(recipe_of(text, 0, subwords, data.max_length))
        if place.is_dir():
            return encoded(text, 0, subwords, say, data.max_length, data.workers, surveyed=True)
        if self.machines > 1:
            raise ConfigError(
                f"data.start_early: the processes are on {self.machines} machines, and can read a text that is still "
                "being encoded on one only; encode it first on each machine: nmt check CONFIG"
            )
        if is_temporary() and not self.encodes:
            raise ConfigError(
                "data.start_early: the processes need a cache that all of them can write; name a folder: "
                "NMT_CACHE=FOLDER"
            )
        dataset = GrowingDataset(place)
        if self.encodes:
            models = [(subword.model, subword.side) for subword in subwords]
            arguments = (str(place.parent), text, models, data.max_length, data.workers, self.first)
            ended = (
                "the process that encodes the training text ended (killed or out of memory?); start again, with "
                "data.workers lower; what is encoded is kept"
            )
            self.encoding = Background(say, ended, encode, *arguments)
            try:
                while not (self.encoding.check() or dataset.has(self.first)):
                    time.sleep(LOOK)
            except BaseException:
                self.end()
                raise
            if dataset.has(self.first) and not dataset.complete:
                say(
                    f"training begins with the first {self.first:,} pairs; the rest of the text is encoded meanwhile "
                    "(data.start_early)"
                )
        return dataset, self.left_out()

    def left_out(self) -> dict[str, int]:
        """Return what was left out of the text and how often, once all of it is encoded."""
        return self.encoding.result or {} if self.encoding else {}

    def end(self) -> None:
        """End the encoding. What is encoded is kept."""
        if self.encoding:
            self.encoding.end()


def encode(
    say: Say,
    cache: str,
    text: UsableText,
    models: Sequence[tuple[bytes, Side]],
    max_length: int | None,
    workers: int,
    every: int,
) -> dict[str, int]:
    """Encode the first text of these into the cache, in a process of its own, and return what was left out.

    After `every` pairs those that are there can be read.
    """
    os.environ["NMT_CACHE"] = cache
    source, target = (Subword(model, "subword model", side) for model, side in models)
    return encoded(text, 0, Subwords(source, target), say, max_length, workers, surveyed=True, every=every)[1]
