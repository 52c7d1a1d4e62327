"""Pretrained word vectors: word2vec's and GloVe's text files, perhaps compressed, read one line at a time.

A line is a word, a space, and its numbers. word2vec puts `COUNT SIZE` into the first line, GloVe nothing. The numbers
are the last SIZE fields, so a word may hold spaces, as some of GloVe's do. Only the vectors of the vocabulary are kept,
and only their numbers are looked at: a file of gigabytes needs no more memory than the vocabulary's table.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from nmt.data.corpus import read_lines
from nmt.data.encodings import AUTO
from nmt.data.subword import EOS_ID, SPACE_MARK, Subword
from nmt.errors import ConfigError, DataError
from nmt.shown import amount

EXACT, LOWER = 2, 1  # how a word was found; 0: not at all


class Vectors(NamedTuple):
    """Hold the vectors of a file for words of a vocabulary, as they stand in the file."""

    ids: Int[np.ndarray, "found"]
    values: Float[np.ndarray, "found size"]
    lowered: int  # of the words found, those that the file has in lower case only
    missing: list[str]  # words not found, in the vocabulary's order: the frequent ones first


def vocabulary_words(subword: Subword) -> dict[int, str]:
    """Return {id: word} of a vocabulary of words, without padding, unknown, begin and end."""
    pieces = {index: str(subword.processor.id_to_piece(index)) for index in range(EOS_ID + 1, len(subword))}
    return {index: piece.removeprefix(SPACE_MARK) for index, piece in pieces.items()}


def read_vectors(path: Path, words: dict[int, str], size: int, encoding: str = AUTO) -> Vectors:
    """Return the vectors of `words` ({id: word}); of a word that the file lacks, those of its lower case.

    Of a word that comes twice the first counts. Raises ConfigError if the vectors' size is another than `size`, and
    DataError, with the line, for one that is not a word and `size` numbers.
    """
    wanted = ((EXACT, _places(words.values())), (LOWER, _places(word.lower() for word in words.values())))
    found, values = np.zeros(len(words), dtype=np.int8), np.zeros((len(words), size), dtype=np.float32)
    for number, line in _vector_lines(path, size, encoding):
        for how, places in wanted:
            # No word of a vocabulary holds a space, so the line's first field tells nearly always enough.
            if line.partition(" ")[0] not in places:
                continue
            word, *fields = line.rsplit(" ", size)
            for place in places.get(word, ()):
                if found[place] < how:
                    numbers = np.array([_number(field) for field in fields])
                    wrong = ~(np.abs(numbers) <= np.finfo(np.float32).max)
                    if wrong.any():
                        bad = fields[int(wrong.argmax())]
                        raise DataError(f"{path}:{number}: {bad!r} is not a number, or too large")
                    found[place], values[place] = how, numbers.astype(np.float32)
    ids = np.array(list(words), dtype=np.int64)
    missing = [word for word, how in zip(words.values(), found, strict=True) if not how]
    return Vectors(ids[found > 0], values[found > 0], int((found == LOWER).sum()), missing)


def _places(words: Iterable[str]) -> dict[str, list[int]]:
    """Return where each word stands; several words may have the same lower case."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        places[word].append(place)
    return dict(places)


def _vector_lines(path: Path, size: int, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, line) of each vector, without a space after the last number."""
    announced, number = None, 0
    for number, line in enumerate(read_lines(path, encoding=encoding), start=1):
        line = line.rstrip(" ")
        if number == 1:
            fields = line.split(" ")
            if len(fields) == 2 and all(text.isascii() and text.isdecimal() and len(text) < 13 for text in fields):
                announced, found = map(int, fields)  # COUNT SIZE
            else:  # the numbers after the word, which may hold a space
                words = [place for place, field in enumerate(fields) if place == 0 or math.isnan(_number(field))]
                found = len(fields) - 1 - max(words)
            if not found:
                raise DataError(
                    f"{path}:1: neither COUNT SIZE nor a word and its numbers; is this word2vec's or GloVe's text?"
                )
            if found != size:
                raise ConfigError(
                    f"model.embedding: {size}, but the vectors in {path} have {amount(found, 'number')}; set "
                    f"model.embedding={found}"
                )
            if announced is not None:
                continue
        if line.count(" ") < size:
            raise DataError(f"{path}:{number}: not a word and {amount(size, 'number')}; is the line cut short?")
        yield number, line
    if number == 0:
        raise DataError(f"{path}: empty; name a text file of word vectors")
    if announced is not None and announced != number - 1:
        raise DataError(
            f"{path}: has {amount(number - 1, 'vector')}, and its first line says {announced:,}; is it cut short?"
        )


def _number(field: str) -> float:
    """Parse a number; nan if it is not one."""
    try:
        return float(field)
    except ValueError:
        return math.nan
