"""Languages by code, by file name and by script."""

import pytest

from nmt.languages import check_language, find_language, language_of, language_of_file, language_of_text

CODES = {
    "zh": "cmn zho chi zh zh-CN zh_TW zho_Hans zh-Hant-HK ZH cn zh.txt",
    "ja": "ja jpn jpn_Jpan JP",
    "ko": "ko kor kor_Hang",
    "en": "en eng eng_Latn en-GB",
    "pt": "pt por pt-BR por_Latn",
    "es": "es spa es-419",
    "fa": "fa fas per pes pes_Arab",
    "my": "my mya mya_Mymr",
    "sr": "sr srp_Cyrl sr_Latn",
    "yue": "yue yue_Hant",
    "th": "th tha nod_Thai",
    "": "src tgt trg txt out ref hyp tok bpe gz raw iso ipa py code 1 a xx_yy1 nan_Latn zh_Latn my-text",
}


@pytest.mark.parametrize(("language", "code"), [(key, code) for key, codes in CODES.items() for code in codes.split()])
def test_codes(language: str, code: str) -> None:
    assert language_of(code) == language


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("test.zh", "zh"),
        ("test.zh.gz", "zh"),
        ("newstest2019-ref.cs.txt", "cs"),
        ("zho_Hans.devtest", "zh"),
        ("it.txt", ""),
        ("my-corpus.txt", ""),
        ("hyp.txt", ""),
        ("Bible.en-th.th", "th"),
        ("ref", ""),
    ],
)
def test_file_names(name: str, language: str) -> None:
    assert language_of_file(name) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我们看见房子。", "zh"),
        ("用 Python 写的程序", "zh"),
        ("私たちは家を見る", "ja"),
        ("カタカナ", "ja"),
        ("우리는 집을 봅니다", "ko"),
        ("เราเห็นบ้าน", "th"),
        ("ພວກເຮົາ", "lo"),
        ("យើងឃើញ", "km"),
        ("မြန်မာ", "my"),
        ("བོད་སྐད", "bo"),
        ("हम घर देखते हैं", ""),
        ("a house 家", ""),
        ("2024-01-05", ""),
        ("", ""),
    ],
)
def test_scripts(text: str, language: str) -> None:
    assert language_of_text([text, ""]) == language


def test_what_is_named_goes_before_the_ending_and_that_before_the_script() -> None:
    assert find_language("jpn", "zh", ["เราเห็นบ้าน"]) == "ja"
    assert find_language("", "zh", ["เราเห็นบ้าน"]) == "zh"
    assert find_language("", "tgt", ["เราเห็นบ้าน"]) == "th"
    assert find_language("", "tgt", ["a house"]) == ""


def test_a_code_that_is_not_in_the_table_stands_for_itself() -> None:
    assert check_language("tlx") == check_language("TLX-Latn") == "tlx"
    for name in ("Chinese", "z", "zh CN", ""):
        with pytest.raises(ValueError, match="is not a language code; give one such as en, zh or pt-BR"):
            check_language(name)
