"""The few facts of a SentencePiece model file that its library does not tell: how text is normalised, and its kind.

The file is a protocol buffer. Two of them written one after the other are one, in which the later value counts, so a
name is set by appending it.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

# Field numbers.
_TRAINER, _NORMALIZER = 2, 3  # of the model
_MODEL_TYPE = 3  # of the trainer's part
_NAME, _CHARACTER_MAP = 1, 2  # of the normaliser's part


class Facts(NamedTuple):
    """Hold what a SentencePiece model file says about itself."""

    normalization: str  # the name that the model was trained with
    kind: str  # unigram, bpe, word or char
    maps_characters: bool  # whether SentencePiece itself replaces characters


@functools.lru_cache(maxsize=2)  # both sides of a run may have the same model
def read_facts(model: bytes) -> Facts:
    """Return the facts of a model. Raises ValueError if `model` is damaged."""
    normalization, kind, maps = "", "unigram", False
    for field, value in _fields(model):
        if field == _TRAINER and isinstance(value, bytes):
            for number, content in _fields(value):
                kind = KINDS.get(content, "") if number == _MODEL_TYPE and isinstance(content, int) else kind
        elif field == _NORMALIZER and isinstance(value, bytes):
            for number, content in _fields(value):
                if number == _NAME and isinstance(content, bytes):
                    normalization = content.decode()
                elif number == _CHARACTER_MAP:
                    maps = maps or bool(content)
    return Facts(normalization, kind, maps)


def with_normalization(model: bytes, name: str) -> bytes:
    """Return the model with another name of its normalisation. What SentencePiece itself does stays as it was."""
    text = name.encode()
    inner = bytes([_NAME << 3 | 2, len(text)]) + text
    return model + bytes([_NORMALIZER << 3 | 2, len(inner)]) + inner


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field numbers and values."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                value, place = _varint(message, place)
                yield key >> 3, value
            case 1 | 5 as wire:
                place += 8 if wire == 1 else 4
            case 2:
                size, place = _varint(message, place)
                yield key >> 3, message[place : place + size]
                place += size
            case _:
                raise ValueError("not a protocol buffer")
    if place > len(message):
        raise ValueError("cut short")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("cut short")
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
