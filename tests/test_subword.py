"""Subwords: fixed ids, text that survives the way there and back, equal bytes for equal text, clear refusals."""

import io
import itertools
import re
import unicodedata
from pathlib import Path

import pytest
import sentencepiece

from nmt.config import SubwordSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Piece, Subword, Subwords, load_subword, train_subword
from nmt.errors import ConfigError, DataError

SETTINGS = SubwordSettings(vocab_size=360)


@pytest.fixture(scope="module")
def sentences(tiny_corpus: Path) -> list[str]:
    return (tiny_corpus / "train.en").read_text(encoding="utf-8").split("\n")[:-1]


@pytest.fixture(scope="module")
def subword(sentences: list[str]) -> Subword:
    return Subword(train_subword(sentences, SETTINGS), "test")


def trained(sentences: list[str], **changes: object) -> Subword:
    return Subword(train_subword(sentences, SETTINGS.model_copy(update=changes)), "test")


def test_the_first_four_ids(subword: Subword) -> None:
    assert (PAD_ID, UNK_ID, BOS_ID, EOS_ID) == (0, 1, 2, 3)
    assert [subword.processor.id_to_piece(index) for index in range(4)] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert len(subword) == 360


UNCHANGED = [
    "A plain sentence.",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "<0x41>",
    "a <s> in </s> the <unk> middle",
    "\u2581",
    "a \u2581 b\u2581c",
    "a ||| b",
    "|||",
    "👍🏽 👩‍👩‍👧 ok",
    "나는 학교에 간다.",
    "Привет, 你好, שלום and hello",
    "$1,000.50 (100%) — “quoted”",
]


@pytest.mark.parametrize("text", UNCHANGED, ids=ascii)
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_text_survives(sentences: list[str], model_type: str, text: str, cache: dict[str, Subword]) -> None:
    if model_type not in cache:
        cache[model_type] = trained(sentences, model_type=model_type)
    ids = cache[model_type].encode(text)
    assert cache[model_type].decode(ids) == text
    assert min(ids) > EOS_ID  # nothing in a text is a control symbol


@pytest.fixture(scope="module")
def cache() -> dict[str, Subword]:
    return {}


def test_text_is_normalised(subword: Subword) -> None:
    changed = {
        "  two   spaces ": "two spaces",
        "a\tb": "a b",
        "ﬁn": "ﬁn",
        "e\u0301": "é",
        "co\u00adop\u200b\ufeff": "coop",
        "\u202bab\u202c": "ab",
    }
    assert {text: subword.decode(subword.encode(text)) for text in changed} == changed


def test_compatibility_characters_are_rewritten_if_asked_for(sentences: list[str]) -> None:
    made = trained(sentences, normalization="nmt_nfkc")
    changed = {"ﬁn": "fin", "\u2047": "??", "a\u2028b": "a b", "你，": "你,", "m²": "m2"}
    assert {text: made.decode(made.encode(text)) for text in changed} == changed


@pytest.mark.parametrize("text", ["ﬁn e\u0301", "    return  x", "\tif x:", " a ", "co\u00adop", "a\u200cb", "  "])
def test_identity_changes_nothing(sentences: list[str], text: str) -> None:
    identity = trained(sentences, normalization="identity")
    assert identity.normalization == "identity"
    assert identity.decode(identity.encode(text)) == text == identity.clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "你好，世界！“很晚了。”",
        "これは「本」です。",
        "می‌روم آن‌ها",
        "शक्‍ति क्‍ष",
        "น้ำทำงาน",
        "أين المكتبة؟ قرأتُ",
        "안녕하세요",
        "Tôi đang học tiếng Việt",
        "Ẹ káàárọ̀",
        "ˈmɛʒɚ tʃɝtʃ ˈbʌʔn̩",
        "120\u00a0m² 100\u202f°C œ",
        "👨‍👩‍👧 👩🏽‍💻 ❤️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "ខ្ញុំ\u200bស្រឡាញ់",
    ],
)
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_text_of_every_language_comes_back(sentences: list[str], model_type: str, text: str) -> None:
    made = trained(sentences, model_type=model_type)
    assert made.decode(made.encode(text)) == text == made.clean(text)
    assert made.decode(made.encode(unicodedata.normalize("NFD", text))) == text


def test_places_are_those_in_the_text_as_it_was(subword: Subword) -> None:
    text = "co\u00adop e\u0301te\u0301 \u202bab\u202c"
    pieces = subword.pieces(text, 99)
    assert "".join(text[piece.start : piece.end] for piece in pieces).replace("\u00ad", "").replace(" ", "") in (
        "coope\u0301te\u0301ab",
        "coope\u0301te\u0301\u202bab\u202c",
        "coope\u0301te\u0301ab\u202c",
    )
    assert all(one.end <= other.start for one, other in itertools.pairwise(pieces) if other.text != "\u2581")


@pytest.mark.parametrize("blank", ["", " "], ids=ascii)
def test_blank_lines_have_no_pieces(subword: Subword, blank: str) -> None:
    assert subword.encode(blank) == []
    assert subword.decode([]) == ""


def test_decoding_leaves_out_control_ids_and_gives_one_line(subword: Subword) -> None:
    ids = subword.encode("ab")
    assert subword.decode([BOS_ID, *ids, EOS_ID, PAD_ID]) == "ab"
    assert subword.decode([*ids, UNK_ID]) == "ab⁇"
    controls = [subword.processor.piece_to_id(f"<0x{code:02X}>") for code in (0, 9, 10, 13, 27)]
    assert subword.decode([*ids, *controls, *subword.encode("cd")]) == "ab      cd"


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char", "word"])
def test_without_byte_fallback_unknown_characters_are_unknown(sentences: list[str], model_type: str) -> None:
    made = trained(sentences, model_type=model_type, byte_fallback=False, vocab_size=120)
    assert not any(made.processor.is_byte(index) for index in range(len(made)))
    assert UNK_ID in made.encode("한")
    assert UNK_ID not in made.encode("the")
    assert made.decode(made.encode("the")) == "the"


@pytest.mark.parametrize("model_type", ["char", "word"])
def test_char_and_word_models_have_no_bytes_and_at_most_the_size_asked_for(
    sentences: list[str], model_type: str
) -> None:
    made = trained(sentences, model_type=model_type, vocab_size=5000, character_coverage=1.0)
    assert not any(made.processor.is_byte(index) for index in range(len(made)))
    pieces = [made.processor.id_to_piece(index) for index in range(4, len(made))]
    if model_type == "char":
        assert {len(piece) for piece in pieces} == {1}
        assert set(pieces) <= {*"".join(sentences), "\u2581"}
    else:
        assert set(pieces) == {f"\u2581{word}" for sentence in sentences for word in sentence.split()}


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char", "word"])
def test_equal_text_gives_equal_bytes(sentences: list[str], model_type: str) -> None:
    settings = SETTINGS.model_copy(update={"model_type": model_type})
    assert train_subword(sentences, settings) == train_subword(iter(sentences), settings)


def test_a_line_too_long_for_sentencepiece_is_learnt_from_in_parts(sentences: list[str]) -> None:
    made = Subword(train_subword([*sentences, " ".join(["zyzzyva"] * 5000)], SETTINGS), "test")
    assert len(made.encode("zyzzyva")) < 4
    assert train_subword(["字" * 5000], SETTINGS)  # no spaces to cut at


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char", "word"])
@pytest.mark.parametrize("size", [300, 8000, 100_000])
def test_the_size_is_an_upper_limit(model_type: str, size: int) -> None:
    """Also for texts of a few lines; with room for the 256 bytes and less than all characters."""
    for text in (["0 1", "2 3"], [chr(0x4E00 + place) * 3 for place in range(200)], ["a b c d e f g"] * 20):
        made = Subword(
            train_subword(text, SETTINGS.model_copy(update={"model_type": model_type, "vocab_size": size})), "test"
        )
        assert len(made) <= size
        assert made.bytes or model_type in {"char", "word"}


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_size_too_small_is_refused_with_one_that_works(sentences: list[str], model_type: str) -> None:
    with pytest.raises(ConfigError) as caught:
        trained(sentences, model_type=model_type, vocab_size=20)
    message = str(caught.value)
    assert message.startswith("subword.vocab_size: 20 pieces are too few for the characters of this text; set it to ")
    enough = int(re.findall(r"\d+", message)[-1])
    assert len(trained(sentences, model_type=model_type, vocab_size=enough)) == enough


def test_nothing_to_learn_from() -> None:
    with pytest.raises(ConfigError) as caught:
        train_subword([""], SETTINGS)
    assert str(caught.value) == (
        "subword.vocab_size: 360: the text has no characters that a subword model could learn from; "
        "check the training files"
    )


def test_a_model_with_other_ids_is_refused(sentences: list[str], tmp_path: Path) -> None:
    foreign = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=foreign, vocab_size=100, minloglevel=2
    )
    path = tmp_path / "foreign.model"
    path.write_bytes(foreign.getvalue())
    with pytest.raises(DataError) as caught:
        load_subword(path)
    assert str(caught.value) == (
        f"{path}: has pad, unk, bos, eos ids (-1, 0, 1, 2); train it with "
        "--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or let `nmt train` train one"
    )


@pytest.mark.parametrize("content", [b"", b"text\n", b"\x80\x04K\x2a."])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.model"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_subword(path)
    assert str(caught.value) == f"{path}: not a SentencePiece model, or damaged"


def test_a_model_cut_short_is_refused_or_misses_pieces_but_never_crashes(subword: Subword) -> None:
    for size in range(1, len(subword.model), 997):
        try:
            assert len(Subword(subword.model[:size], "cut")) < len(subword)
        except DataError as error:
            assert str(error).startswith("cut: ")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.model: cannot read the subword model: No such file or directory$"):
        load_subword(tmp_path / "none.model")


# Pieces and places ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Hello there.", "  two  spaces", "a \u2581 나 b", "ﬁn 👍🏽", "x"], ids=ascii)
def test_pieces_lie_in_the_line_in_order(subword: Subword, text: str) -> None:
    ids = subword.encode(text)
    pieces = subword.pieces(text, len(ids))
    assert len(pieces) == len(ids)
    assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)
    assert all(0 <= piece.start <= piece.end <= len(text) for piece in pieces)
    assert pieces[-1].end == len(text.rstrip())


def test_pieces_name_their_characters(sentences: list[str]) -> None:
    word = trained(["one two", "one", "two"] * 9, model_type="word", vocab_size=8)
    assert word.pieces("two one", 2) == [Piece("\u2581two", 0, 3), Piece("\u2581one", 3, 7)]
    assert word.decoded_pieces(word.encode("two one")) == [Piece("\u2581two", 0, 3), Piece("\u2581one", 3, 7)]


def test_the_first_pieces_of_a_huge_line(subword: Subword) -> None:
    text = "The cat 나 reads  a ﬁne book. " * 1000
    everything = subword.pieces(text, len(subword.encode(text)))
    assert subword.pieces(text, 50) == everything[:50]
    assert subword.pieces(" " * 10_000 + "word", 3)[-1].end > 10_000


def test_encoding_many_is_encoding_one_by_one(subword: Subword, sentences: list[str]) -> None:
    texts = [*sentences[:20], "", "a \u2581 b"]
    assert [ids.tolist() for ids in subword.encode_many(texts)] == [subword.encode(text) for text in texts]


def test_joint_means_the_same_object(subword: Subword) -> None:
    assert Subwords(subword, subword).joint
    assert not Subwords(subword, Subword(subword.model, "other")).joint
