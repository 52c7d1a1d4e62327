"""Subwords: raw text <-> piece ids, by SentencePiece. Ids 0 to 3 are padding, unknown, begin and end."""

import functools
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sentencepiece as spm

from nmt.config import SubwordSettings
from nmt.data.corpus import is_blank
from nmt.data.normalization import clean, normalized
from nmt.errors import ConfigError, DataError, UserError

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3

# SentencePiece writes spaces as U+2581, so a U+2581 in the text would come back as a space. It travels as a
# private-use character instead.
SPACE_MARK, _STAND_IN = "\u2581", "\ue581"

# Byte pieces can spell any character: a newline or a tab would break the lines and columns of the output.
# So would the controls of C1: U+009B begins an escape sequence as ESC [ does.
_NO_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")
_NO_CONTROLS_BUT_TABS = {code: space for code, space in _NO_CONTROLS.items() if code != 9}

LONGEST_LINE = 1_000_000  # characters of a line that are translated, scored or aligned
BYTES_OF_RULES, BYTES_OF_PIECE = 1_000_000, 100  # at most, in a model: the normalisation takes 240,000
MAX_TRAINING_BYTES = 4192  # SentencePiece's own limit for a training sentence
MODEL_TYPES_WITH_BYTES = ("unigram", "bpe")
UNKNOWN = "\u2047"  # how SentencePiece decodes an unknown piece


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
        if len(model) > BYTES_OF_RULES + BYTES_OF_PIECE * len(self):
            raise DataError(
                f"{name}: not a SentencePiece model, or damaged: {len(model):,} bytes for {len(self):,} pieces"
            )
        ids = tuple(getattr(self.processor, f"{part}_id")() for part in ("pad", "unk", "bos", "eos"))
        if ids != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
            raise DataError(
                f"{name}: has pad, unk, bos, eos ids {ids}; train it with "
                "--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or let `nmt train` train one"
            )

    def __len__(self) -> int:
        return int(self.processor.vocab_size())

    @functools.cached_property
    def normalization(self) -> str:
        """How text is normalised before it is encoded: `nfc`, `identity`, or a rule of SentencePiece's own."""
        return _normalization_of(self.model)

    def clean(self, text: str) -> str:
        """Return what `decode` should give back for a text.

        Without normalisation that is the text. Otherwise characters are composed (NFC), invisible ones and repeated
        spaces are gone, and control characters are spaces.
        """
        if self.normalization == "identity":
            return text.translate(_NO_CONTROLS_BUT_TABS)
        composed = clean(text, "nfc").translate(_NO_CONTROLS)
        return " ".join(part for part in composed.split(" ") if part)

    def _input(self, text: str) -> str:
        return clean(text, self.normalization).replace(SPACE_MARK, _STAND_IN)

    def encode(self, text: str) -> list[int]:
        """Piece ids of a line, without begin and end. A blank line gives none."""
        ids: list[int] = self.processor.encode(self._input(text))
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
        arrays: list[np.ndarray] = self.processor.encode([self._input(text) for text in texts], return_type="numpy")
        return arrays

    @property
    def is_unigram(self) -> bool:
        """Whether segmentations have probabilities: not so for BPE, words and characters, which have one each."""
        try:
            self.processor.nbest_encode_as_ids("a", 1)
        except RuntimeError:
            return False
        return True

    @functools.cached_property
    def is_words(self) -> bool:
        """Whether every token is a whole word, so that an unknown one is too."""
        return all(self.processor.id_to_piece(index).startswith(SPACE_MARK) for index in range(EOS_ID + 1, len(self)))

    @functools.cached_property
    def bytes(self) -> dict[int, int]:
        """{id: byte} of the pieces that are a byte each; empty for a model that spells nothing in bytes."""
        return {
            index: int(self.processor.id_to_piece(index)[3:5], 16)
            for index in range(len(self))
            if self.processor.is_byte(index)
        }

    def decode(self, ids: list[int]) -> str:
        """Text of piece ids; begin, end and padding are left out. Always one line, and without control characters."""
        kept = [index for index in ids if index not in _NO_TEXT]
        return self.printable(self.processor.decode(_whole_characters(kept, self.bytes)))

    def decode_many(self, rows: Sequence[list[int]]) -> list[str]:
        """`decode` for many sentences, which must not hold begin, end or padding."""
        return [self.printable(text) for text in self.processor.decode(rows)] if rows else []

    def printable(self, text: str) -> str:
        """Return decoded text as one line: control characters become spaces."""
        kept = _NO_CONTROLS_BUT_TABS if self.normalization == "identity" else _NO_CONTROLS
        return text.replace(_STAND_IN, SPACE_MARK).translate(kept)

    def pieces(self, text: str, count: int) -> list[Piece]:
        """The first `count` pieces of a line with their places in it. Reads no more of a huge line than it needs."""
        size = 8 * count
        pieces = self._pieces(text[:size])
        while size < len(text) and len(pieces) < count + 100:  # so far from its end, a cut changes nothing
            size *= 2
            pieces = self._pieces(text[:size])
        return pieces[:count]

    def _pieces(self, text: str) -> list[Piece]:
        found = normalized(text, self.normalization)
        mapping = self.processor.encode(found.text.replace(SPACE_MARK, _STAND_IN), return_type="offset_mapping")
        return [Piece(piece.text, *found.original(piece.start, piece.end)) for piece in _pieces(mapping)]

    def decoded_pieces(self, ids: list[int]) -> list[Piece]:
        """The pieces of `ids`, which must not hold begin, end or padding, with their places in `decode(ids)`."""
        return _pieces(self.processor.decode(ids, return_type="offset_mapping"))


_NO_TEXT = (PAD_ID, BOS_ID, EOS_ID)


def _whole_characters(ids: list[int], byte_of: dict[int, int]) -> list[int]:
    """Leave out bytes that form no character, as where a length limit cut one."""
    if byte_of.keys().isdisjoint(ids):
        return ids
    id_of = {byte: index for index, byte in byte_of.items()}
    kept: list[int] = []
    for is_byte, run in itertools.groupby(ids, key=lambda index: index in byte_of):
        if is_byte:
            characters = bytes(byte_of[index] for index in run).decode("utf-8", "ignore")
            kept += [id_of[byte] for byte in characters.encode()]
        else:
            kept += run
    return kept


def _normalization_of(model: bytes) -> str:
    """Return the name of the normalisation in a serialised model: field 3, and in it field 1.

    A model of ours has `nfc` there, which SentencePiece takes for a rule that does nothing. A field that comes twice
    counts as it comes last (protocol buffers), so ours can be added at the end.
    """
    name = ""
    for number, content in _fields(model):
        if number == 3:
            for inner, text in _fields(content):
                name = text.decode("utf-8", "replace") if inner == 1 else name
    return name


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (field number, content) of the length-delimited fields of a protocol buffer; others are passed over."""
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while place < len(message):
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return value

    while place < len(message):
        tag = number()
        kind = tag & 7
        if kind == 2:
            size = number()
            yield tag >> 3, message[place : place + size]
            place += size
        elif kind == 0:
            number()
        elif kind in {1, 5}:
            place += 8 if kind == 1 else 4
        else:
            return


def _named(model: bytes, normalization: str) -> bytes:
    """Return a model that says how it is normalised, see `_normalization_of`."""
    name = normalization.encode()
    return model + bytes([0x1A, len(name) + 2, 0x0A, len(name)]) + name


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
    """Train a model on raw lines; equal input gives equal bytes.

    `settings.vocab_size` is an upper limit: a text that yields fewer pieces gets those. If it is too small for the
    characters of the text and rare ones can be spelt in bytes, they are. Raises ConfigError if there is no way.
    """
    byte_fallback = settings.byte_fallback and settings.model_type in MODEL_TYPES_WITH_BYTES
    sentences, normalization = list(sentences), settings.normalization
    ours = normalization in {"nfc", "identity"}
    options: dict[str, Any] = {
        "vocab_size": settings.vocab_size,
        "model_type": settings.model_type,
        "byte_fallback": byte_fallback,
        "character_coverage": settings.character_coverage,
        "normalization_rule_name": "identity" if ours else normalization,
        "remove_extra_whitespaces": normalization != "identity",
        "allow_whitespace_only_pieces": normalization == "identity",
        "use_all_vocab": False,
        "hard_vocab_limit": settings.model_type == "bpe",
        "max_sentence_length": MAX_TRAINING_BYTES,
        "pad_id": PAD_ID,
        "unk_id": UNK_ID,
        "bos_id": BOS_ID,
        "eos_id": EOS_ID,
        "unk_surface": UNKNOWN,
        "num_threads": 4,  # part of the result: sums depend on it in the last digit
        "minloglevel": 2,
    }
    while True:
        model, problem = io.BytesIO(), ""
        failures: list[UserError] = []
        try:
            spm.SentencePieceTrainer.train(
                sentence_iterator=_trainable(sentences, normalization, failures), model_writer=model, **options
            )
            return _named(model.getvalue(), normalization) if normalization == "nfc" else model.getvalue()
        except RuntimeError as error:
            if failures:  # SentencePiece turns what its iterator raises into an error of its own
                raise failures[0] from None
            problem = str(error)
        if fewer := re.search(r"<= (\d+)", problem):
            options["vocab_size"] = int(fewer[1])
        elif byte_fallback and "required_chars" in problem:
            characters = settings.vocab_size - (256 + EOS_ID + 1)
            coverage = _coverage_of(sentences, normalization, characters)
            if characters < 1 or coverage >= options["character_coverage"]:
                raise ConfigError(_explain(problem, settings)) from None
            options["character_coverage"] = coverage
        else:
            raise ConfigError(_explain(problem, settings)) from None


def _coverage_of(sentences: Sequence[str], normalization: str, count: int) -> float:
    """Return the share of the text that its `count` most frequent characters make, rounded down a little."""
    characters = Counter(itertools.chain.from_iterable(clean(sentence, normalization) for sentence in sentences))
    return 0.999999 * sum(number for _, number in characters.most_common(count)) / max(characters.total(), 1)


def _trainable(sentences: Iterable[str], normalization: str, failures: list[UserError]) -> Iterator[str]:
    """Yield normalised sentences, in parts that SentencePiece does not skip for their length."""
    try:
        for sentence in sentences:
            text = clean(sentence, normalization).replace(SPACE_MARK, _STAND_IN)
            if len(text.encode()) <= MAX_TRAINING_BYTES:
                yield text
            else:
                yield from _short_parts(text)
    except UserError as error:
        failures.append(error)
        raise


def _short_parts(text: str) -> Iterator[str]:
    """Yield a long line in parts of at most MAX_TRAINING_BYTES, cut at spaces where there are any."""
    size = MAX_TRAINING_BYTES // 4  # characters of at most four bytes
    start = 0
    while start < len(text):
        end = min(start + size, len(text))
        space = text.rfind(" ", start + 1, end) if end < len(text) else -1
        end = space if space > 0 else end
        yield text[start:end]
        start = end


def _explain(message: str, settings: SubwordSettings) -> str:
    key = f"subword.vocab_size: {settings.vocab_size}"
    if at_least := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return f"{key} pieces are too few for the characters of this text; set it to {at_least[1]} or more"
    if "sentences_.empty" in message or "all_chars_count" in message:
        return f"{key}: the text has no characters that a subword model could learn from; check the training files"
    return f"{key}: no subword model could be trained on this text: {message.splitlines()[0]}"


def load_subword(path: Path) -> Subword:
    try:
        return Subword(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot read the subword model: {error.strerror}") from None
