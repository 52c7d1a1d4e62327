"""Training of subword models by SentencePiece, as the settings `subword` say."""

import io
import re
from collections.abc import Callable, Iterable, Sequence

import sentencepiece as spm

from nmt.config import SubwordSettings
from nmt.data.normalization import SIDES, Side, name_of, of_settings, read_name
from nmt.data.sentencepiece_file import with_normalization
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, SPACE_MARK, STAND_IN, UNK_ID, Subword
from nmt.data.subword_text import MAX_BYTES, common_characters, cut_at_others, cut_long
from nmt.errors import ConfigError

LOWEST_COVERAGE = 0.98  # that SentencePiece takes
LONGEST_LEARNT = 100_000  # characters of a line that the subwords are learnt from
LEAST_ROOM = 8  # characters; with less, a size is a mistake
BYTES = 256  # tokens that spell any character, if `subword.byte_fallback` is on


def train_subword(
    sentences: Iterable[str],
    settings: SubwordSettings,
    sides: Sequence[Side] = SIDES,
    say: Callable[[str], None] = lambda _: None,
) -> bytes:
    """Train a model on raw lines; equal input gives equal bytes. `sentences` are of the `sides` in turn.

    `subword.vocab_size` is the most that the vocabulary may have. Raises ConfigError if that is too little.
    """
    names = of_settings(settings)
    joint = name_of(names[side] for side in sides)
    normalizers = [read_name(joint, side) for side in sides]
    lines = list(enumerate(sentences))
    usual = [(place, sentence) for place, sentence in lines if len(sentence) <= LONGEST_LEARNT]
    if usual and len(usual) < len(lines):  # a single one would outweigh all others
        left_out = len(lines) - len(usual)
        say(f"lines of more than {LONGEST_LEARNT:,} characters, left out of the subword training: {left_out:,}")
    texts = [
        part
        for place, sentence in usual or lines
        for part in cut_long(normalizers[place % len(sides)](sentence).replace(SPACE_MARK, STAND_IN))
    ]
    room = settings.vocab_size - EOS_ID - 1 - (BYTES if _spells(settings) else 0)
    if settings.character_coverage < LOWEST_COVERAGE and settings.model_type != "word":
        texts = cut_at_others(texts, common_characters(texts, share=settings.character_coverage))
        settings = settings.model_copy(update={"character_coverage": 1.0})
    try:
        model = _train(texts, settings, joint)
    except _TooSmall as error:
        if not _spells(settings) or room < LEAST_ROOM:
            raise
        common = common_characters(texts, most=room * 3 // 4)
        say(
            f"subword.vocab_size={settings.vocab_size} has no room for all {error.needed - EOS_ID - 1 - BYTES:,} "
            f"characters of the text: the {len(common):,} most frequent ones have tokens, the others are spelt in bytes"
        )
        whole = settings.model_copy(update={"character_coverage": 1.0})
        model = _train(cut_at_others(texts, common), whole, joint)
    if len(Subword(model, "trained")) == EOS_ID + 1:
        raise ConfigError(f"subword.model_type: {settings.model_type} finds no token in this text; set it to unigram")
    return model


class _TooSmall(ConfigError):
    """Signal that the vocabulary has no room for the characters of the text; `needed` is a size that has."""

    def __init__(self, settings: SubwordSettings, needed: int) -> None:
        bytes_too = f"{BYTES} byte tokens and " if _spells(settings) else ""
        without_bytes = _spells(settings) and needed - BYTES <= settings.vocab_size
        super().__init__(
            f"subword.vocab_size: {settings.vocab_size} is too small for {bytes_too}the characters of this text; "
            f"raise it to {needed} or more{', or set subword.byte_fallback=false' if without_bytes else ''}"
        )
        self.needed = needed


def _spells(settings: SubwordSettings) -> bool:
    """Return whether the vocabulary has bytes."""
    return settings.byte_fallback and settings.model_type in {"unigram", "bpe"}


def _train(texts: list[str], settings: SubwordSettings, normalization: str) -> bytes:
    model = io.BytesIO()
    rule = normalization if normalization in {"nmt_nfkc", "nfkc"} else "identity"
    keeps_spaces = "identity" in normalization or "|" in normalization
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=settings.vocab_size,
            model_type=settings.model_type,
            byte_fallback=_spells(settings),
            character_coverage=max(settings.character_coverage, LOWEST_COVERAGE),
            normalization_rule_name=rule,
            remove_extra_whitespaces=not keeps_spaces,
            allow_whitespace_only_pieces=keeps_spaces,
            use_all_vocab=False,
            hard_vocab_limit=False,
            max_sentence_length=MAX_BYTES,
            pad_id=PAD_ID,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            unk_surface="\u2047",
            num_threads=4,  # part of the result: sums depend on it in the last digit
            minloglevel=2,
        )
    except RuntimeError as error:
        if needed := re.search(r"required_chars\. \d+ vs (\d+)", str(error)):
            raise _TooSmall(settings, int(needed[1])) from None
        if "sentences_.empty" in str(error) or "all_chars_count" in str(error):
            raise ConfigError(
                "subword: this text holds nothing that a subword model could learn from: its lines show no characters"
            ) from None
        raise ConfigError(
            f"subword.vocab_size: {settings.vocab_size}: no subword model could be trained on this text: "
            f"{str(error).splitlines()[0]}"
        ) from None
    trained = model.getvalue()
    return trained if rule == normalization else with_normalization(trained, normalization)
