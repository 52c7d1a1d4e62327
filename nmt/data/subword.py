"""Subwords: raw text <-> token ids, by SentencePiece. Ids 0 to 3 are padding, unknown, begin and end."""

import functools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sentencepiece as spm

from nmt.data.corpus import is_blank
from nmt.data.invisible import INVISIBLE
from nmt.data.normalization import Side, read_name
from nmt.data.sentencepiece_file import read_facts
from nmt.errors import DataError

PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3
UNKNOWN = "<unk>"  # what an unknown word is in text

# SentencePiece writes spaces as U+2581, so a U+2581 in the text would come back as a space. It travels as a
# private-use character instead.
SPACE_MARK, STAND_IN = "\u2581", "\ue581"

LONGEST_LINE = 1_000_000  # characters of a line that are translated, scored or aligned
BYTES_OF_RULES, BYTES_OF_PIECE = 1_000_000, 100  # at most, in a model: the normalisation takes 240,000

# Byte tokens can spell any character: a newline would break the lines of the output, a tab its columns. Nor may a
# terminal get a control of C1: U+009B begins an escape sequence as ESC [ does.
_NO_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")
_TAB = {code: " " for code in _NO_CONTROLS if chr(code) != "\t"}  # tabs of a model that keeps all


class Piece(NamedTuple):
    """Hold a subword and where its text stands in the decoded line."""

    text: str
    start: int  # offsets in the raw text, in characters; `end` is excluded
    end: int


class Subword:
    """Wrap one SentencePiece model, as it is used for one side of the text."""

    def __init__(self, model: bytes, name: str, side: Side = "target") -> None:
        """Raises DataError if `model`, the bytes of the file `name`, is no model of this kind."""
        self.model = model
        self.side = side
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
        try:
            facts = read_facts(model)
        except ValueError:
            raise DataError(f"{name}: not a SentencePiece model, or damaged") from None
        ids = tuple(getattr(self.processor, f"{part}_id")() for part in ("pad", "unk", "bos", "eos"))
        if ids != (PAD_ID, UNK_ID, BOS_ID, EOS_ID):
            raise DataError(
                f"{name}: has pad, unk, bos, eos ids {ids}; train it with "
                "--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or let `nmt train` train one"
            )
        self.kind = facts.kind
        self.normalizer = read_name(facts.normalization, side)

    def __len__(self) -> int:
        return int(self.processor.vocab_size())

    def of_side(self, side: Side) -> "Subword":
        """Return the same model as it is used for a side."""
        return Subword(self.model, "subword model", side)

    @functools.cached_property
    def byte_values(self) -> npt.NDArray[np.int64]:
        """Return the byte that each token spells, or -1 for those that are text."""
        values = np.full(len(self), -1)
        for index in range(len(self)):
            if self.processor.is_byte(index):
                values[index] = int(self.processor.id_to_piece(index)[1:-1], 16)
        return values

    @property
    def has_bytes(self) -> bool:
        """Return whether every character can be spelt, so that no word is unknown."""
        return bool((self.byte_values >= 0).any())

    def normalize(self, text: str) -> str:
        """Return the text as it is cut into tokens, apart from what SentencePiece itself changes."""
        return self._known(self.normalizer(text)).replace(SPACE_MARK, STAND_IN)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a line, without begin and end. A blank line gives none."""
        ids: list[int] = self.processor.encode(self.normalize(text))
        return ids

    def beginning(self, text: str, count: int) -> list[int]:
        """Return the first `count` piece ids of a line, or all if it has fewer; a blank line has none.

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
        """Return the token ids of each text."""
        prepared = [self._known(text).replace(SPACE_MARK, STAND_IN) for text in self.normalizer.many(texts)]
        arrays: list[np.ndarray] = self.processor.encode(prepared, return_type="numpy")
        return arrays

    @property
    def is_unigram(self) -> bool:
        """Return whether segmentations have probabilities: not so for BPE, words and characters, which have one
        each."""
        try:
            self.processor.nbest_encode_as_ids("a", 1)
        except RuntimeError:
            return False
        return True

    # The source may hold characters that training never saw, in a form that it did see without a tag of its own: a
    # no-break space, a ligature from a PDF file. Only the target must come out as it was.

    def _known(self, text: str) -> str:
        if self.side != "source" or self.normalizer.name != "nfc" or self._characters.issuperset(text):
            return text
        return "".join(self._nearest(character) for character in text)

    def _nearest(self, character: str) -> str:
        """Return what stands for a character: itself, its plain form if only that is known, or nothing."""
        if character in self._characters:
            return character
        if INVISIBLE.match(character):
            return ""
        plain = unicodedata.normalize("NFKC", character)
        return plain if self._characters.issuperset(plain) else character

    @functools.cached_property
    def _characters(self) -> frozenset[str]:
        pieces = self.processor.id_to_piece(list(range(EOS_ID + 1, len(self))))
        shown = [piece for piece, byte in zip(pieces, self.byte_values[EOS_ID + 1 :], strict=True) if byte < 0]
        return frozenset({" ", SPACE_MARK, *"".join(shown)})

    # Text -------------------------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int], copies: Sequence[str] = ()) -> str:
        """Return the text of token ids; begin, end and padding are left out. It is always one line.

        `copies` are the texts of the unknown tokens, in their order; one without a text is `<unk>`. Control characters
        become spaces, except for tabs where the model keeps all (`identity`).
        """
        if UNK_ID in ids:
            return self.normalizer.composed(self._decode_unknown(ids, copies)[0])
        text: str = self.processor.decode([int(index) for index in ids if index > EOS_ID])
        return self.normalizer.composed(self._clean(text))

    def _clean(self, text: str) -> str:
        controls = _TAB if self.normalizer.name == "identity" else _NO_CONTROLS
        return text.replace(STAND_IN, SPACE_MARK).translate(controls)

    def _decode_unknown(self, ids: Sequence[int], copies: Sequence[str]) -> tuple[str, list[Piece]]:
        """Return the text and its pieces, with `copies` in place of the unknown tokens."""
        kept = [int(index) for index in ids if index > EOS_ID or index == UNK_ID]
        mapping = self.processor.decode(kept, return_type="offset_mapping")
        texts, pieces, place = [], [], 0
        rest = iter(copies)
        for index, text, (start, end) in zip(kept, mapping["pieces"], mapping["offsets"], strict=True):
            shown = mapping["text"][start:end]
            if index == UNK_ID:
                shown = next(rest, UNKNOWN)
                text = f"{SPACE_MARK if self.kind == 'word' else ''}{shown}"
                shown = f" {shown}" if self.kind == "word" and place else shown
            texts.append(shown)
            pieces.append(Piece(str(text), place, place + len(shown)))
            place += len(shown)
        return self._clean("".join(texts)), pieces

    def blank(self) -> npt.NDArray[np.bool_]:
        """Return which pieces show nothing by themselves, such as a space. The first four, begin to unknown, do not
        count."""
        texts: list[str] = self.processor.id_to_piece(list(range(len(self))))
        # A byte piece of an ASCII character stands for that character.
        bytes_of = (re.fullmatch(r"<0x([0-7][0-9A-F])>", text) for text in texts)
        shown = [
            (chr(int(byte[1], 16)) if byte else text).replace(SPACE_MARK, " ")
            for text, byte in zip(texts, bytes_of, strict=True)
        ]
        return np.array([index > EOS_ID and is_blank(text) for index, text in enumerate(shown)])

    def pieces(self, text: str, count: int) -> list[Piece]:
        """Return the first `count` pieces of a line with their places in it. Reads no more of a huge line than it
        needs."""
        text = text[:LONGEST_LINE]
        size = 8 * count
        pieces = self._placed(text[:size])
        while size < len(text) and len(pieces) < count + 100:  # so far from its end, a cut changes nothing
            size *= 2
            pieces = self._placed(text[:size])
        return pieces[:count]

    def _placed(self, text: str) -> list[Piece]:
        mapped = self.normalizer.mapped(text)
        if self._known(mapped.text) != mapped.text:
            mapped = mapped.replace(
                (place, place + 1, nearest)
                for place, character in enumerate(mapped.text)
                if (nearest := self._nearest(character)) != character
            )
        pieces = _pieces(self.processor.encode(mapped.text.replace(SPACE_MARK, STAND_IN), return_type="offset_mapping"))
        placed = []
        for shown, start, end in pieces:
            if start < end:
                span = mapped.starts[start], mapped.ends[end - 1]
            else:  # it stands for no character
                place = mapped.starts[start] if start < len(mapped.starts) else mapped.ends[-1] if mapped.ends else 0
                span = place, place
            placed.append(Piece(shown, *span))
        return placed

    def decoded_pieces(self, ids: Sequence[int], copies: Sequence[str] = ()) -> list[Piece]:
        """Return the pieces of `ids`, without begin, end and padding, with their places in `decode(ids, copies)`."""
        if UNK_ID in ids:
            text, pieces = self._decode_unknown(ids, copies)
        else:
            mapping = self.processor.decode([int(index) for index in ids], return_type="offset_mapping")
            text, pieces = str(mapping["text"]), _pieces(mapping)
        if self.normalizer.composed(text) == text:
            return pieces
        starts = [*self.normalizer.composing(text).starts, len(text)]  # where each character of the output comes from
        return [Piece(piece.text, bisect_left(starts, piece.start), bisect_left(starts, piece.end)) for piece in pieces]


def _pieces(mapping: dict[str, Any]) -> list[Piece]:
    return [
        Piece(str(text), start, end) for text, (start, end) in zip(mapping["pieces"], mapping["offsets"], strict=True)
    ]


class Subwords(NamedTuple):
    """Hold the subword models of both languages."""

    source: Subword
    target: Subword

    @classmethod
    def load(cls, paths: Sequence[Path]) -> "Subwords":
        """Read one file, which both languages share, or two. Raises DataError."""
        return cls(load_subword(paths[0], "source"), load_subword(paths[-1], "target"))

    @classmethod
    def of_models(cls, models: Sequence[tuple[bytes, Path]]) -> "Subwords":
        """Make them of one model, or two, and the names of their files. Raises DataError."""
        (source, first), (target, last) = models[0], models[-1]
        return cls(Subword(source, str(first), "source"), Subword(target, str(last), "target"))

    @property
    def joint(self) -> bool:
        """Return whether both sides share one model."""
        return self.source.model == self.target.model


def load_subword(path: Path, side: Side = "target") -> Subword:
    """Load a subword model from a file. Raise DataError if it is damaged."""
    try:
        return Subword(path.read_bytes(), str(path), side)
    except OSError as error:
        raise DataError(f"{path}: cannot read the subword model: {error.strerror}") from None
