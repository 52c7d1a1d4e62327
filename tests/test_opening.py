"""Texts from anywhere: compressed, through pipes, in other encodings; and what is no text."""

import bz2
import gzip
import lzma
import os
import threading
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from nmt.data.corpus import ParallelFiles, read_lines, read_pairs
from nmt.data.encodings import likely_encoding, wide_encoding
from nmt.data.opening import kind_of
from nmt.data.prepare import prepare
from nmt.errors import DataError


def lines(path: Path, encoding: str = "auto") -> list[str]:
    return list(read_lines(path, encoding=encoding))


def error(path: Path, encoding: str = "auto") -> str:
    with pytest.raises(DataError) as caught:
        lines(path, encoding)
    return str(caught.value)


# Compressed ----------------------------------------------------------------------------------------------------------

TEXT = "één\nзвук\n".encode() * 3000
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("named", [True, False])
def test_compressed_text(tmp_path: Path, ending: str, named: bool) -> None:
    """With its ending or without, of one part or of two."""
    path = tmp_path / f"a{ending if named else ''}"
    path.write_bytes(COMPRESS[ending](TEXT) + COMPRESS[ending](b"end"))
    assert lines(path) == ["één", "звук"] * 3000 + ["end"]


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_compressed_text_that_is_cut(tmp_path: Path, ending: str, kept: float) -> None:
    packed = COMPRESS[ending](os.urandom(20_000).hex().encode())
    path = tmp_path / f"a{ending}"
    path.write_bytes(packed[: int(len(packed) * kept)])
    assert error(path) == f"{path}: damaged or cut short; download or compress the file again"


def test_an_empty_compressed_text(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b""))
    assert lines(tmp_path / "a.gz") == []


# Pipes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress, COMPRESS[".zst"]])
def test_a_pipe_is_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[pack(TEXT)])
    writer.start()
    assert lines(tmp_path / "pipe") == ["één", "звук"] * 3000
    writer.join()


@pytest.mark.parametrize("names", [("-", "-"), ("-", "/dev/stdin"), ("pipe", "pipe")])
def test_one_pipe_cannot_be_two_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(DataError, match=r"^(standard input|pipe): is given twice, but can be read only once; name a"):
        list(read_pairs(ParallelFiles(Path(names[0]), Path(names[1]))))


# Encodings -----------------------------------------------------------------------------------------------------------

SENTENCES = {
    "windows-1252": "Où est la bibliothèque ? C'était déjà fermé à Genève.",
    "windows-1250": "Zażółć gęślą jaźń. Dziś będzie ładna pogoda.",
    "windows-1254": "Bugün hava çok güzel, değil mi? Işıklar açık.",
    "windows-1251": "Привет, как дела? Сегодня хорошая погода.",
    "koi8-u": "Привет, как дела? Сегодня хорошая погода.",
    "windows-1253": "Καλημέρα κόσμε, πώς είσαι σήμερα;",
    "windows-1255": "שלום עולם, מה שלומך היום",
    "windows-1256": "مرحبا بالعالم، كيف حالك اليوم",
    "cp874": "สวัสดีชาวโลก วันนี้อากาศดี",
    "gb18030": "今天天气很好，我们去公园散步吧。",
    "big5": "今天天氣很好，我們去公園散步吧。",
    "shift_jis": "今日はとても良い天気です。公園を散歩しましょう。",
    "euc_jp": "今日はとても良い天気です。公園を散歩しましょう。",
    "cp949": "오늘은 날씨가 아주 좋습니다. 공원에 갑시다.",
}


@pytest.mark.parametrize(("encoding", "text"), SENTENCES.items())
def test_legacy_encodings_are_named_and_then_read(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(f"ok\n{text}\n".encode(encoding))
    assert likely_encoding(path.read_bytes()) == encoding
    message = error(path)
    assert message.startswith(f"{path}:2: byte ") and f"set data.encoding={encoding} in training" in message
    assert lines(path, encoding) == ["ok", text]


OTHER_SCRIPTS = ["नमस्ते दुनिया।", "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ", "გამარჯობა მსოფლიო", "今天在桌子上 2 个。", "Xin chào thế giới."]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [*SENTENCES.values(), *OTHER_SCRIPTS, "plain"])
def test_wide_encodings_are_read_with_and_without_a_mark(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "a").write_bytes(f"{text}\r\nend\r\n".encode(encoding) * 1)
    assert lines(tmp_path / "a") == [text, "end"]


@pytest.mark.parametrize("text", [*SENTENCES.values(), "plain"])
def test_utf8_is_never_taken_for_another_encoding(tmp_path: Path, text: str) -> None:
    """Not with a stray NUL, nor if the user names another for the files that are not UTF-8."""
    assert wide_encoding(f"{text}\na\0b\n".encode()) == ""
    (tmp_path / "a").write_bytes(text.encode())
    for encoding in ("windows-1252", "gb18030"):
        assert lines(tmp_path / "a", encoding) == [text]


@pytest.mark.parametrize("content", [b"12\n\n\n", b"1\n2\n3\n", b"a\tb\n\n\nc\n", b"\n\n\n\n\n\n"])
def test_a_nul_in_a_short_text_is_no_sign_of_utf16(content: bytes) -> None:
    """Wherever it is: the lines stay as many."""
    for place in range(len(content) + 1):
        assert wide_encoding(content[:place] + b"\0" + content[place:]) == ""


def test_bytes_that_are_wrong_in_the_named_encoding(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ok\n\x81\x20\n")
    assert (
        error(tmp_path / "a", "gb18030")
        == f"{tmp_path / 'a'}:2: not gb18030; name the right encoding, or repair the line"
    )


def test_a_single_letter_among_ascii_words() -> None:
    """It is most likely a letter of Western Europe, though it is one of many other alphabets too."""
    for letter in "éàÀô":
        assert likely_encoding(f"they go {letter} Paris in May\n".encode("windows-1252")) == "windows-1252"


# No text -------------------------------------------------------------------------------------------------------------


def packed(name: str) -> bytes:
    import io

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "text")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (packed("a.txt"), "a zip archive"),
        (packed("word/document.xml"), "a Word document"),
        (packed("xl/workbook.xml"), "an Excel table"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 50, "a program"),
        (b"MZ" + bytes(range(32)) * 9, "a Windows program"),
        (b"SQLite format 3\0", "an SQLite database"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "gzip data, compressed twice"),
        (gzip.compress(b"a.txt".ljust(257, b"\0") + b"ustar", mtime=0), "a tar archive"),
        (bytes(range(256)) * 4, "binary data"),
    ],
)
def test_what_is_no_text_is_refused_by_name(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert error(tmp_path / "a") == f"{tmp_path / 'a'}: {kind}, not text; name a text file"


@pytest.mark.parametrize("text", ["RIFF raff", "PAR1", "GIF89a is one", "MZ", "BZ", "ID3 tags", "\x1b[1mbold\x1b[0m"])
def test_text_that_begins_like_something_else(tmp_path: Path, text: str) -> None:
    assert kind_of(text.encode()) == ""
    (tmp_path / "a").write_text(text)
    assert lines(tmp_path / "a") == [text]


# Training ------------------------------------------------------------------------------------------------------------


def test_training_text_in_any_form(tiny_corpus: Path, tiny_config: Path, tmp_path: Path) -> None:
    """UTF-16, windows-1252 and compressed text give the pairs of the same text in UTF-8."""
    from nmt import config

    for path in tiny_corpus.iterdir():
        text = path.read_text(encoding="utf-8").encode("windows-1252", "replace").decode("windows-1252")
        (tmp_path / path.name).write_bytes(text.encode())
    whole = prepare(config.load(tiny_config, [f"data.folder={tmp_path}"]))
    source = (tmp_path / "train.en").read_text(encoding="utf-8")
    target = (tmp_path / "train.fr").read_text(encoding="utf-8")
    (tmp_path / "train.en").write_bytes(source.encode("utf-16"))
    (tmp_path / "train.fr").unlink()
    (tmp_path / "train.fr.xz").write_bytes(lzma.compress(target.encode("windows-1252")))
    found = prepare(config.load(tiny_config, [f"data.folder={tmp_path}", "data.encoding=windows-1252"]))
    assert found.subwords.source.model == whole.subwords.source.model
    assert [found.train.target(index).tolist() for index in range(len(found.train))] == [
        whole.train.target(index).tolist() for index in range(len(whole.train))
    ]


def test_notes_of_a_text_in_another_encoding(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    (tmp_path / "a").write_bytes("a\r\nb".encode("utf-16"))
    assert list(read_lines(tmp_path / "a", notes)) == ["a", "b"]
    assert notes == {"line ending \\r\\n read as \\n": 1, "no newline at the end of the file": 1}
