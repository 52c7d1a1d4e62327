"""Text files: where a line ends, what is mended and counted, and what is refused with its place."""

import gzip
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from nmt.data.corpus import (
    Pair,
    ParallelFiles,
    file_hash,
    is_blank,
    parallel_files,
    read_lines,
    read_pairs,
    usable_pairs,
)
from nmt.errors import DataError


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(path: Path, content: bytes | str) -> tuple[list[str], dict[str, int]]:
    notes: Counter[str] = Counter()
    return list(read_lines(write(path, content), notes)), dict(notes)


def error(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    return str(caught.value)


# Lines ---------------------------------------------------------------------------------------------------------------

NOT_LINE_BREAKS = "\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\x1f\r"


@pytest.mark.parametrize("character", NOT_LINE_BREAKS, ids=[f"U+{ord(c):04X}" for c in NOT_LINE_BREAKS])
def test_only_a_newline_ends_a_line(tmp_path: Path, character: str) -> None:
    text = f"one{character}two\n{character}three\n"
    assert lines(tmp_path / "a", text) == ([f"one{character}two", f"{character}three"], {})


CRLF, NO_END, BOM = "line ending \\r\\n read as \\n", "no newline at the end of the file", "byte order mark dropped"
FILES: list[tuple[bytes, list[str], dict[str, int]]] = [
    (b"", [], {}),
    (b"\n", [""], {}),
    (b"a\nb\n", ["a", "b"], {}),
    (b"a\nb", ["a", "b"], {NO_END: 1}),
    (b"a\n\n\n", ["a", "", ""], {}),
    (b"a\r\nb\r\n", ["a", "b"], {CRLF: 2}),
    (b"a\r\nb\n\r\n", ["a", "b", ""], {CRLF: 2}),
    (b"a\r\r\n", ["a\r"], {CRLF: 1}),
    (b"\xef\xbb\xbfa\nb\n", ["a", "b"], {BOM: 1}),
    (b"\xef\xbb\xbf", [""], {BOM: 1, NO_END: 1}),
    (b"a\n\xef\xbb\xbfb\n", ["a", "\ufeffb"], {}),  # only the beginning of the file has a mark
]


@pytest.mark.parametrize(("content", "expected", "notes"), FILES, ids=[repr(content) for content, _, _ in FILES])
def test_lines_and_what_was_mended(tmp_path: Path, content: bytes, expected: list[str], notes: dict[str, int]) -> None:
    assert lines(tmp_path / "plain", content) == (expected, notes)
    assert lines(tmp_path / "packed.gz", gzip.compress(content)) == (expected, notes)


def test_a_line_of_a_million_characters(tmp_path: Path) -> None:
    long = "é " * 500_000
    assert lines(tmp_path / "a", f"a\n{long}\nb\n")[0] == ["a", long, "b"]


# Refused -------------------------------------------------------------------------------------------------------------


UNKNOWN = "not UTF-8; convert it, or name its encoding: data.encoding=NAME in training, --encoding NAME elsewhere"
LATIN = (
    "not UTF-8; it looks like windows-1252 (Western European, latin-1): set data.encoding=windows-1252 in training, "
    "give --encoding windows-1252 elsewhere, or convert it to UTF-8"
)
WRONG = "name the right encoding, or repair the line"
DAMAGED = "damaged or cut short; download or compress the file again"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\nba\xffd\n", f"2: byte 3: {UNKNOWN}"),
        (b"caf\xe9\n", f"1: byte 4: {LATIN}"),
        (b"a\n\xed\xa0\x80\n", f"2: byte 1: {UNKNOWN}"),  # a lone surrogate
        (b"a\nb\n\xe2\x82", f"3: byte 1: {UNKNOWN}"),  # a character cut short
        (b"\xef\xbb\xbfa\xff\n", f"1: byte 5: {UNKNOWN}"),  # the mark has three bytes
        ("ok\né\0\n".encode(), "2: byte 3: a NUL character; is this a text file?"),
        (
            "ab\n\ud800c\n".encode("utf-16", "surrogatepass"),
            "2: not utf-16; name the right encoding, or repair the line",
        ),
    ],
)
def test_bad_bytes_are_refused_with_file_line_and_byte(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "train.en", content)
    assert error(path) == f"{path}:{message}"


@pytest.mark.parametrize("kept", [0.25, 0.5, 0.99])
def test_a_gz_file_cut_short(tmp_path: Path, kept: float) -> None:
    packed = gzip.compress(random.Random(1).randbytes(5000).hex().encode())
    path = write(tmp_path / "a.gz", packed[: int(len(packed) * kept)])
    assert error(path) == f"{path}: {DAMAGED}"


def test_a_gz_file_that_is_none(tmp_path: Path) -> None:
    """Browsers decompress what they download, and keep its name."""
    assert lines(tmp_path / "a.gz", b"plain text\n") == (["plain text"], {})
    for content in (b"", b"\0\xff\xfe\xfd"):
        path = write(tmp_path / "a.gz", content)
        assert error(path) == f"{path}: damaged or cut short: not gzip data; download or compress the file again"


def test_a_folder_a_pipe_and_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert error(tmp_path) == f"{tmp_path}: a folder; name a text file"
    assert error(tmp_path / "none") == f"{tmp_path / 'none'}: no such file; name a text file"
    with pytest.raises(
        DataError,
        match=r"pipe: a pipe or device, and the texts of a config are read several times; write it into a file$",
    ):
        file_hash(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a", "a\n")
    path.chmod(0)
    assert error(path) == f"{path}: cannot read: Permission denied"


def test_random_bytes_are_lines_or_a_data_error(tmp_path: Path) -> None:
    chance = random.Random(7)
    parts = [b"\n", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", "é".encode(), "\u2028".encode(), b"word ", b"\x1f\x8b"]
    outcomes: Counter[str] = Counter()
    for number in range(200):
        content = b"".join(chance.choices(parts, [9, 3, 0.2, 0.2, 1, 3, 2, 9, 0.2], k=chance.randrange(30)))
        if number % 4 == 0:
            content = chance.randbytes(chance.randrange(40))
        path = write(tmp_path / ("a.gz" if number % 5 == 0 else "a"), content)
        try:
            found = list(read_lines(path))
            assert len(found) == content.count(b"\n") + (content[-1:] not in {b"", b"\n"})
            outcomes["fine"] += 1
        except DataError:
            outcomes["refused"] += 1
    assert min(outcomes["fine"], outcomes["refused"]) > 30


# Pairs ---------------------------------------------------------------------------------------------------------------


def pair_files(folder: Path, source: bytes | str, target: bytes | str) -> ParallelFiles:
    return ParallelFiles(write(folder / "train.en", source), write(folder / "train.fr", target))


def test_pairs_have_line_numbers(tmp_path: Path) -> None:
    files = pair_files(tmp_path, "a\nb\n", "x\ny\n")
    assert list(read_pairs(files)) == [Pair(1, "a", "x"), Pair(2, "b", "y")]


@pytest.mark.parametrize("difference", [-3, -1, 1, 100])
@pytest.mark.parametrize("end", ["", "\n"])
def test_counts_that_differ_are_refused_with_both_names_and_counts(tmp_path: Path, difference: int, end: str) -> None:
    def text(count: int) -> str:
        return "\n".join(["line"] * count) + end

    files = pair_files(tmp_path, text(10 + difference), text(10))
    with pytest.raises(DataError) as caught:
        list(read_pairs(files))
    assert str(caught.value) == (
        f"{files.source} has {10 + difference} lines and {files.target} has 10; "
        "line N of one must translate line N of the other"
    )


def test_an_empty_file_beside_a_full_one_is_refused(tmp_path: Path) -> None:
    files = pair_files(tmp_path, "", "a\nb\n")
    with pytest.raises(DataError, match=r"train\.en has 0 lines and .*train\.fr has 2; "):
        list(read_pairs(files))


def test_two_empty_files_have_no_pairs(tmp_path: Path) -> None:
    assert list(read_pairs(pair_files(tmp_path, "", ""))) == []


def test_what_was_mended_is_counted_by_file(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    files = pair_files(tmp_path, b"\xef\xbb\xbfa\r\nb\r\n", b"x\ny")
    assert list(read_pairs(files, notes)) == [Pair(1, "a", "x"), Pair(2, "b", "y")]
    assert notes == {
        "train.en: byte order mark dropped": 1,
        "train.en: line ending \\r\\n read as \\n": 2,
        "train.fr: no newline at the end of the file": 1,
    }


BLANK = ["", " ", "\t", "\u00a0", "\u3000", "\u200b", "\u2028", "\r", " \u00a0\u200b\ufeff ", "\x1c"]


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
def test_blank_lines(blank: str) -> None:
    assert is_blank(blank)
    assert not is_blank(f"{blank}a{blank}")


@pytest.mark.parametrize("line", [".", "\u0301", "👍", "가", "\ue000", "\u2581"], ids=ascii)
def test_lines_that_show_something(line: str) -> None:
    assert not is_blank(line)


def test_pairs_with_a_blank_side_are_left_out_and_counted(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    files = pair_files(tmp_path, "a\n\nc\n\u200b\ne\n\n", "1\n2\n\u3000\n4\n5\n\n")
    assert list(usable_pairs(read_pairs(files), notes)) == [Pair(1, "a", "1"), Pair(5, "e", "5")]
    assert notes == {"pairs with a blank side left out": 4}


# Names ---------------------------------------------------------------------------------------------------------------


def test_files_are_found_plain_first_and_packed_second(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\n")
    write(tmp_path / "train.en.gz", gzip.compress(b"b\n"))
    write(tmp_path / "train.fr.gz", gzip.compress(b"x\n"))
    files = parallel_files(tmp_path, "train", "en", "fr")
    assert files == (tmp_path / "train.en", tmp_path / "train.fr.gz")
    assert list(read_pairs(files)) == [Pair(1, "a", "x")]


def test_files_that_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\n")
    write(tmp_path / "dev.fr", "a\n")
    with pytest.raises(DataError) as caught:
        parallel_files(tmp_path, "train", "en", "fr")
    assert str(caught.value) == f"{tmp_path / 'train.fr'}: no such file; the folder has dev.fr"
    with pytest.raises(DataError) as caught:
        parallel_files(tmp_path, "train", "en", "ko")
    assert str(caught.value) == f"{tmp_path / 'train.ko'}: no such file"
    with pytest.raises(DataError) as caught:
        parallel_files(tmp_path / "none", "train", "en", "ko")
    assert str(caught.value) == (
        f"{tmp_path / 'none'}: data.folder: no such folder; paths in a config are relative to the config file"
    )


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, "abc"
    assert file_hash(write(tmp_path / "a", "abc")) == expected
