"""Subwords: raw text <-> piece ids, by SentencePiece. Ids 0 to 3 are padding, unknown, begin and end."""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sentencepiece as spm

from nmt.config import SubwordSettings
from nmt.data.corpus import is_blank
from nmt.errors import ConfigError, DataError, UserError

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3

# SentencePiece writes spaces as U+2581, so a U+2581 in the text would come back as a space. It travels as a
# private-use character instead.
SPACE_MARK, _STAND_IN = "\u2581", "\ue581"

# Byte pieces can spell any character: a newline or a tab would break the lines and columns of the output.
# So would the controls of C1: U+009B begins an escape sequence as ESC [ does.
_NO_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")

LONGEST_LINE = 1_000_000  # characters of a line that are translated, scored or aligned
MAX_TRAINING_BYTES = 4192  # SentencePiece's own limit for a training sentence


class Piece(NamedTuple):
    text: str
    start: int  # offsets in the raw text, in characters; `end` is excluded
    end: int


class Subword:
    """One SentencePiece model."""

    def __init__(self, model: bytes, name: str) -> None:
        """Raises DataError if `model`, the bytes of the file `name`, is no model of this kind."""
        self.model = model
        self.processor = spm.SentencePieceProcessor()
        try:
            self.processor.LoadFromSerializedProto(model)
            self.processor.id_to_piece(list(range(len(self))))  # that all are UTF-8
        except (RuntimeError, ValueError):
            raise DataError(f"{name}: not a SentencePiece model, or damaged") from None
        ids = tuple(getattr(self.processor, f"{part}_id")() for part in ("pad", "unk", "bos", "eos"))
        if ids != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
            raise DataError(
                f"{name}: has pad, unk, bos, eos ids {ids}; train it with "
                "--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or let `nmt train` train one"
            )

    def __len__(self) -> int:
        return int(self.processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """Piece ids of a line, without begin and end. A blank line gives none."""
        ids: list[int] = self.processor.encode(text.replace(SPACE_MARK, _STAND_IN))
        return ids

    def beginning(self, text: str, count: int) -> list[int]:
        """The first `count` piece ids of a line, or all if it has fewer; a blank line has none.

        Of a huge line no more is read than is needed for them, and at most LONGEST_LINE characters.
        """
        size, text = 8 * count + 100, text[:LONGEST_LINE]
        if is_blank(text):
            return []
        while size < len(text):
            ids = self.encode(text[:size])
            if len(ids) >= count + 100:  # so far from its end, a cut changes nothing
                return ids[:count]
            size *= 2
        return self.encode(text)[:count]

    def encode_many(self, texts: list[str]) -> list[np.ndarray]:
        arrays: list[np.ndarray] = self.processor.encode(
            [text.replace(SPACE_MARK, _STAND_IN) for text in texts], return_type="numpy"
        )
        return arrays

    @property
    def is_unigram(self) -> bool:
        """Whether segmentations have probabilities: not so for BPE, words and characters, which have one each."""
        try:
            self.processor.nbest_encode_as_ids("a", 1)
        except RuntimeError:
            return False
        return True

    def decode(self, ids: list[int]) -> str:
        """Text of piece ids; begin, end and padding are left out. Always one line, and without control characters."""
        text: str = self.processor.decode([index for index in ids if index > EOS_ID])
        return text.replace(_STAND_IN, SPACE_MARK).translate(_NO_CONTROLS)

    def pieces(self, text: str, count: int) -> list[Piece]:
        """The first `count` pieces of a line with their places in it. Reads no more of a huge line than it needs."""
        text, size = text.replace(SPACE_MARK, _STAND_IN), 8 * count
        pieces = _pieces(self.processor.encode(text[:size], return_type="offset_mapping"))
        while size < len(text) and len(pieces) < count + 100:  # so far from its end, a cut changes nothing
            size *= 2
            pieces = _pieces(self.processor.encode(text[:size], return_type="offset_mapping"))
        return pieces[:count]

    def decoded_pieces(self, ids: list[int]) -> list[Piece]:
        """The pieces of `ids`, which must not hold begin, end or padding, with their places in `decode(ids)`."""
        return _pieces(self.processor.decode(ids, return_type="offset_mapping"))


def _pieces(mapping: dict[str, Any]) -> list[Piece]:
    return [
        Piece(str(text), start, end) for text, (start, end) in zip(mapping["pieces"], mapping["offsets"], strict=True)
    ]


class Subwords(NamedTuple):
    """The subword models of both languages; the same object twice if joint."""

    source: Subword
    target: Subword

    @property
    def joint(self) -> bool:
        return self.source is self.target


def train_subword(sentences: Iterable[str], settings: SubwordSettings) -> bytes:
    """Trains a model on raw lines; equal input gives equal bytes. Raises ConfigError if the vocabulary cannot be."""
    model = io.BytesIO()
    byte_fallback = settings.byte_fallback and settings.model_type in {"unigram", "bpe"}
    failures: list[UserError] = []

    def guarded() -> Iterator[str]:
        """SentencePiece turns what its iterator raises into an error of its own, so it is kept aside."""
        try:
            yield from _trainable(sentences)
        except UserError as error:
            failures.append(error)
            raise

    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=guarded(),
            model_writer=model,
            vocab_size=settings.vocab_size,
            model_type=settings.model_type,
            byte_fallback=byte_fallback,
            character_coverage=settings.character_coverage,
            normalization_rule_name=settings.normalization,
            use_all_vocab=False,
            hard_vocab_limit=settings.model_type in {"unigram", "bpe"},
            max_sentence_length=MAX_TRAINING_BYTES,
            pad_id=PAD_ID,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            unk_surface="\u2047",
            num_threads=4,  # part of the result: sums depend on it in the last digit
            minloglevel=2,
        )
    except RuntimeError as error:
        raise (failures[0] if failures else ConfigError(_explain(str(error), settings))) from None
    return model.getvalue()


def _trainable(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        if len(sentence.encode()) <= MAX_TRAINING_BYTES:
            yield sentence.replace(SPACE_MARK, _STAND_IN)


def _explain(message: str, settings: SubwordSettings) -> str:
    key = f"subword.vocab_size: {settings.vocab_size}"
    if at_most := re.search(r"<= (\d+)", message):
        return f"{key} pieces are more than this text yields; write {at_most[1]} or less"
    if at_least := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return f"{key} pieces are too few for the characters of this text; write {at_least[1]} or more"
    if "sentences_.empty" in message or "all_chars_count" in message:
        return (
            f"{key}: no line of this text has 1 to {MAX_TRAINING_BYTES:,} bytes that a subword model could learn from"
        )
    return f"{key}: no subword model could be trained on this text: {message.splitlines()[0]}"


def load_subword(path: Path) -> Subword:
    try:
        return Subword(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot read the subword model: {error.strerror}") from None
