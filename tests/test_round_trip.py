"""Text of many languages that comes back from its tokens, and the notes about text that does not."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from nmt.config import SubwordSettings
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.subword import UNK_ID, Subword, Subwords
from nmt.data.subword_training import train_subword
from nmt.data.write_dataset import write_dataset

TEXTS = {
    "Chinese": ["但是很贵，真的？是的！", "他说：“好。”（２０２４）"],
    "Japanese": ["ＡＢＣは①番目です。", "㈱です　はい"],
    "Persian": ["می‌روم به خانه‌ها", "نمی‌دانم ۱۲۳"],
    "Arabic": ["هٰذَا كِتَابٌ، نعم؟", "ﷺ لا إله"],
    "Hindi": ["क्‍ष क्‌ष हिन्दी", "यह १०० है।"],
    "Malayalam": ["ന്‍ അവന്‍", "ശ്രീ"],
    "Thai": ["ทำงาน น้ำ คำถาม", "ไม่เป็นไร ฯลฯ"],
    "Khmer": ["ខ្ញុំ\u200bទៅ\u200bផ្សារ"],
    "Korean": ["나는 학교에 간다.", "ㅋㅋㅋ ㈜한국"],
    "Vietnamese": ["Tiếng Việt rất đẹp, phải không?", "Nguyễn Ðình"],
    "Hebrew": ["שָׁלוֹם עולם!"],
    "IPA": ["kʰ a t", "ɕʰ i tʷ a pʲ e ɴ ˈfəʊnə̃"],
    "signs": ["H₂O 3 m²", "½ kg № 5 … 1º ﬁn", "10\u202f000\u00a0€ «\u202foui\u202f»"],
    "emoji": ["👨‍👩‍👧 👩🏽‍💻 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇫🇷 1️⃣"],
}
EQUAL = {
    "Korean jamo": ("\u1112\u1161\u11ab", "한"),
    "marks": ("e\u0302\u0323", "ệ"),
    "Devanagari": ("\u0958", "\u0915\u093c"),
}
CODE = ["def f(x):", "    return x  + 1", "\tif x == 2:\t# tab", "        pass  "]


def trained(lines: list[str], **changes: object) -> Subword:
    settings = SubwordSettings(vocab_size=700, **changes)
    return Subword(train_subword(lines, settings, ["target"]), "test")


@pytest.mark.parametrize("model_type", ["unigram", "char"])
@pytest.mark.parametrize("language", TEXTS)
def test_training_text_comes_back(language: str, model_type: str) -> None:
    made = trained(TEXTS[language], model_type=model_type, character_coverage=1.0)
    for text in TEXTS[language]:
        assert made.decode(made.encode(text)) == text
        pieces = made.pieces(text, len(made.encode(text)))
        assert (pieces[0].start, pieces[-1].end) == (0, len(text))


@pytest.mark.parametrize("language", TEXTS)
def test_other_text_comes_back_through_bytes(language: str, plain: Subword) -> None:
    for text in TEXTS[language]:
        assert plain.decode(plain.encode(text)) == text


@pytest.fixture(scope="module")
def plain() -> Subword:
    return trained(["The quick brown fox jumps over the lazy dog."] * 3)


@pytest.mark.parametrize("name", EQUAL)
def test_equal_text_is_the_same_to_a_model(name: str, plain: Subword) -> None:
    one, other = EQUAL[name]
    assert plain.encode(one) == plain.encode(other)
    assert plain.decode(plain.encode(one)) == plain.normalizer.same(one) == other


def test_code_comes_back() -> None:
    made = trained(CODE, normalization="identity")
    assert [made.decode(made.encode(line)) for line in CODE] == CODE
    assert "\u2581\u2581\u2581\u2581" in "".join(piece.text for piece in made.pieces(CODE[1], 30))


def test_offsets_are_those_of_the_raw_text() -> None:
    word = trained(["the qu\u00e9 fox"], model_type="word")
    text = "t\u00adhe  qu\u00ade\u0301 fox"  # spaces at 4 and 5
    pieces = word.pieces(text, 3)
    assert [piece.text for piece in pieces] == ["\u2581the", "\u2581qu\u00e9", "\u2581fox"]
    assert [text[piece.start : piece.end].strip() for piece in pieces] == ["t\u00adhe", "qu\u00ade\u0301", "fox"]


def test_output_is_composed() -> None:
    made = trained(["e\u0327 x", "\u0301 x", "a b"] * 3)
    ids = [*made.encode("e"), *made.encode("x\u0301")[1:], *made.encode("a b")]
    apart = "".join(made.processor.decode([index]) for index in ids)
    text = made.decode(ids)
    assert unicodedata.is_normalized("NFC", text)
    pieces = made.decoded_pieces(ids)
    assert (pieces[0].start, pieces[-1].end) == (0, len(text))
    assert text[pieces[-1].start : pieces[-1].end].strip() == "b"
    assert "\u0301" in apart


# The source may hold what training never saw -------------------------------------------------------------------------


def test_a_source_reads_unseen_characters_as_their_plain_form() -> None:
    source = trained(["The quick brown fox jumps over the lazy dog."] * 3).of_side("source")
    for text, same in (("Ｔhe\u00a0fox", "The fox"), ("ﬁx", "fix"), ("the\u3000dog", "the dog")):
        assert source.encode(text) == source.encode(same)
        pieces = source.pieces(text, len(source.encode(text)))
        assert pieces[-1].end == len(text)
    assert source.decode(source.encode("é ， ½")) == "é ， ½"  # nothing plainer is known


# Two sides, one vocabulary -------------------------------------------------------------------------------------------


def test_each_side_of_a_joint_vocabulary_has_its_normalisation() -> None:
    settings = SubwordSettings(vocab_size=400, source_normalization="nmt_nfkc", target_normalization="identity")
    model = train_subword(["ﬁne  day", "    x ², y", "ﬁne", "  z"] * 5, settings)
    subwords = Subwords(Subword(model, "test", "source"), Subword(model, "test", "target"))
    assert subwords.joint
    assert subwords.source.decode(subwords.source.encode("  ﬁne   day²")) == "fine day2"
    assert subwords.target.decode(subwords.target.encode("  ﬁne   day² ")) == "  ﬁne   day² "
    assert subwords.source.pieces("  ﬁne   day", 20)[-1].end == len("  ﬁne   day")


# Notes ---------------------------------------------------------------------------------------------------------------


def notes_of(folder: Path, target: str, **changes: object) -> dict[str, int]:
    subwords = Subwords(trained(["abc"], model_type="char").of_side("source"), trained(["abc, 3²"] * 9, **changes))
    notes: Counter[str] = Counter()
    write_dataset(folder / "set", [Pair(1, "a", "ab"), Pair(2, "b", target)], subwords, None, notes)
    assert len(Dataset(folder / "set")) == 2
    return dict(notes)


@pytest.mark.parametrize(
    ("target", "changes", "note"),
    [
        (
            "a，b² ²",
            {"normalization": "nmt_nfkc"},
            "because of U+00B2 SUPERSCRIPT TWO, U+FF0C FULLWIDTH COMMA; set subword.target_normalization=nfc",
        ),
        ("    a", {}, "because of U+0020 SPACE; set subword.target_normalization=identity"),
        ("a\tb", {}, "because of U+0009 control character; set subword.target_normalization=identity"),
        (
            "añb",
            {"model_type": "char"},
            "because of U+00F1 LATIN SMALL LETTER N WITH TILDE; set subword.character_coverage=1",
        ),
        (
            "añb",
            {"byte_fallback": False},
            "because of U+00F1 LATIN SMALL LETTER N WITH TILDE; set subword.byte_fallback=true",
        ),
    ],
)
def test_lines_that_do_not_come_back_are_counted_with_a_remedy(
    tmp_path: Path, target: str, changes: dict[str, object], note: str
) -> None:
    assert notes_of(tmp_path, target, **changes) == {f"target lines that cannot come out as they are, {note}": 1}
    key, _, value = note.rpartition("set subword.")[2].partition("=")
    remedy: object = {"true": True, "1": 1.0}.get(value, value)
    better = trained([target, "abc, 3²"], **{**changes, key: remedy})
    assert better.decode(better.encode(target)) == target


def test_unknown_words_and_invisible_characters_are_counted(tmp_path: Path) -> None:
    word = "target lines that hold unknown words; raise subword.vocab_size, or set subword.model_type=unigram"
    assert notes_of(tmp_path / "1", "abd", model_type="word") == {word: 2}
    invisible = "target lines with invisible characters that have no meaning, which are removed"
    assert notes_of(tmp_path / "2", "a\u00adb") == {invisible: 1}


def test_good_text_has_no_note(tmp_path: Path) -> None:
    assert notes_of(tmp_path, "，² ﬁ\u202f e\u0301 ") == {}


def test_unknown_tokens_are_replaced_in_order() -> None:
    made = trained(["one two", "three"], model_type="word")
    ids = [*made.encode("one"), UNK_ID, *made.encode("two"), UNK_ID]
    assert made.decode(ids) == "one <unk> two <unk>"
    assert made.decode(ids, ["Zoë"]) == "one Zoë two <unk>"
    pieces = made.decoded_pieces(ids, ["Zoë", "x"])
    text = made.decode(ids, ["Zoë", "x"])
    assert [text[piece.start : piece.end] for piece in pieces] == ["one", " Zoë", " two", " x"]
