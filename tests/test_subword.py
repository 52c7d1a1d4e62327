"""Subwords: fixed ids, text that survives the way there and back, equal bytes for equal text, clear refusals."""

import io
from pathlib import Path

import pytest
import sentencepiece

from nmt.config import SubwordSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Piece, Subword, Subwords, load_subword
from nmt.data.subword_training import train_subword
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


def test_text_is_normalised(sentences: list[str]) -> None:
    subword = trained(sentences, normalization="nmt_nfkc")
    changed = {
        "  two   spaces ": "two spaces",
        "a\tb": "a b",
        "ﬁn": "fin",
        "\u2047": "??",
        "a\u2028b": "a b",
        "e\u0301": "é",
    }
    assert {text: subword.decode(subword.encode(text)) for text in changed} == changed


def test_nfc_keeps_all_that_a_reader_sees(subword: Subword) -> None:
    changed = {"  two   spaces ": "two spaces", "a\tb": "a b", "a\u2028b": "a b", "e\u0301": "é", "so\u00adft": "soft"}
    assert {text: subword.decode(subword.encode(text)) for text in changed} == changed


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
@pytest.mark.parametrize(
    "text", ["  two   spaces ", " ", "a\tb", "\t\tx", "ﬁn e\u0301", "so\u00adft", "   ", "x\u2028"]
)
def test_identity_is_identity(sentences: list[str], model_type: str, text: str, cache: dict[str, Subword]) -> None:
    key = f"identity {model_type}"
    if key not in cache:
        cache[key] = trained(sentences, normalization="identity", model_type=model_type)
    assert cache[key].decode(cache[key].encode(text)) == text


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u200e"], ids=ascii)
def test_blank_lines_have_no_pieces(subword: Subword, blank: str) -> None:
    assert subword.encode(blank) == []
    assert subword.decode([]) == ""


def test_decoding_leaves_out_control_ids_and_gives_one_line(subword: Subword) -> None:
    ids = subword.encode("ab")
    assert subword.decode([BOS_ID, *ids, EOS_ID, PAD_ID]) == "ab"
    assert subword.decode([*ids, UNK_ID]) == "ab<unk>"
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


@pytest.mark.parametrize("line", ["qu " * 5_000, "qu" * 5_000, "曲" * 5_000], ids=["words", "word", "han"])
def test_a_line_too_long_for_sentencepiece_is_learnt_from_in_parts(line: str) -> None:
    made = trained([line], vocab_size=300)
    assert UNK_ID not in made.encode(line[:10])
    assert not any(made.processor.is_byte(index) for index in made.encode(line[:10]))


# Refusals ------------------------------------------------------------------------------------------------------------


TINY_TEXTS = {
    "digits": ["1 2", "3 4 5", "67"],
    "one": ["a"],
    "same": ["1"] * 50,
    "numbers": [str(number) for number in range(200)],
    "han": ["".join(chr(0x4E00 + 7 * row + column) for column in range(7)) for row in range(60)],
    "long": ["abc " * 2000],
}


@pytest.mark.parametrize("model_type", ["unigram", "bpe", "char", "word"])
@pytest.mark.parametrize("name", TINY_TEXTS)
def test_the_size_is_an_upper_limit_or_the_remedy_works(name: str, model_type: str) -> None:
    for byte_fallback in (True, False):
        for size in (8, 270, 8000):
            changes = {"model_type": model_type, "byte_fallback": byte_fallback}
            try:
                made = trained(TINY_TEXTS[name], vocab_size=size, **changes)
            except ConfigError as error:
                message = str(error)
                assert message.startswith(f"subword.vocab_size: {size} is too small for ")
                larger = int(message.partition("raise it to ")[2].split()[0])
                assert larger > size
                assert len(trained(TINY_TEXTS[name], vocab_size=larger, **changes)) <= larger
                if "subword.byte_fallback=false" in message:
                    trained(TINY_TEXTS[name], vocab_size=size, model_type=model_type, byte_fallback=False)
            else:
                assert len(made) <= size


def test_with_bytes_the_rarest_characters_give_way() -> None:
    said: list[str] = []
    settings = SETTINGS.model_copy(update={"vocab_size": 300})
    made = Subword(train_subword(TINY_TEXTS["han"], settings, say=said.append), "test")
    assert len(made) <= 300
    assert [line.partition(" has")[0] for line in said] == ["subword.vocab_size=300"]
    assert made.decode(made.encode(TINY_TEXTS["han"][0])) == TINY_TEXTS["han"][0]


def test_a_low_coverage_gives_tokens_to_few_characters() -> None:
    made = trained(["aaaaaaaab c"] * 20, vocab_size=300, character_coverage=0.8)
    assert any(made.processor.is_byte(index) for index in made.encode("c"))
    assert not any(made.processor.is_byte(index) for index in made.encode("a"))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(ConfigError) as caught:
        train_subword([" "], SETTINGS)
    assert str(caught.value) == (
        "subword: this text holds nothing that a subword model could learn from: its lines show no characters"
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


def test_joint_means_the_same_model(subword: Subword, sentences: list[str]) -> None:
    assert Subwords(Subword(subword.model, "test", "source"), subword).joint
    assert not Subwords(subword, trained(sentences, vocab_size=350)).joint
