"""Lines as they arrive: at once from a slow writer, in windows from a file, and mended in the same way."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from nmt.data.corpus import Text, open_text
from nmt.data.opening import BLOCK
from nmt.inference.stream import windows


@contextmanager
def pipe() -> Iterator[tuple[Path, int]]:
    """The path of a pipe to read from, and the descriptor to write to."""
    reader, writer = os.pipe()
    yield Path(f"/dev/fd/{reader}"), writer
    os.close(reader)


def read(path: Path, content: bytes, size: int = 100) -> tuple[list[list[str]], dict[str, int]]:
    path.write_bytes(content)
    notes: Counter[str] = Counter()
    with open_text(path) as text:
        return list(windows(text, size, notes)), dict(notes)


def test_each_line_is_given_before_the_next_is_written() -> None:
    def arriving(path: Path) -> Iterator[list[str]]:
        with open_text(path) as text:
            yield from windows(text, 100, Counter())

    with ThreadPoolExecutor(1) as pool, pipe() as (path, writer):
        found = arriving(path)

        def answer_to(text: str) -> list[str] | None:
            os.write(writer, text.encode())
            try:
                return pool.submit(next, found, None).result(timeout=120)
            except TimeoutError:
                os.close(writer)  # frees the thread that waits
                raise

        assert answer_to("one\n") == ["one"]
        assert answer_to("two\n") == ["two"]
        assert answer_to("three\nfour\nfi") == ["three", "four"]
        assert answer_to("ve\n\n") == ["five", ""]
        os.write(writer, b"six")
        os.close(writer)
        assert list(found) == [["six"]]


def test_no_line_waits_for_a_full_window_and_none_is_longer(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(2 * BLOCK // 8)]
    found, _ = read(tmp_path / "a", "".join(f"{line}\n" for line in lines).encode(), size=1000)
    assert [line for window in found for line in window] == lines
    assert {len(window) for window in found[:-1]} == {1000}
    assert 0 < len(found[-1]) <= 1000


def test_a_window_does_not_need_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456\n" * (BLOCK // 2))
    with Text(io.BufferedReader(io.FileIO(tmp_path / "a"), 1), "a", "auto") as text:
        text.peek()
        assert len(next(windows(text, 10, Counter()))) == 10
        assert text.file.tell() <= 2 * BLOCK


NOT_UTF8 = "lines with bytes that are not UTF-8, shown as U+FFFD"
NUL = "lines with NUL characters, read as spaces"
INPUTS: list[tuple[bytes, list[str], dict[str, int]]] = [
    (b"", [], {}),
    (b"\n", [""], {}),
    (b"\n\n", ["", ""], {}),
    (b"a", ["a"], {}),
    (b"a\n", ["a"], {}),
    (b"a\n\nb", ["a", "", "b"], {}),
    (b"a\r\nb\r\n", ["a", "b"], {}),
    (b"a\r\nb\r", ["a", "b"], {}),
    (b"a\rb\n", ["a\rb"], {}),
    ("a\u2028b\u0085c\x0bd\x0ce\x1cf\n".encode(), ["a\u2028b\u0085c\x0bd\x0ce\x1cf"], {}),
    (b"\xef\xbb\xbfa\n", ["a"], {}),
    (b"caf\xe9\nok\n\xff\xff\n", ["caf\ufffd", "ok", "\ufffd\ufffd"], {NOT_UTF8: 2}),
    ("real \ufffd\n".encode(), ["real \ufffd"], {}),
    ("real \ufffd ".encode() + b"\xff\n", ["real \ufffd \ufffd"], {NOT_UTF8: 1}),
    (b"a\0b\0\nc\n", ["a b ", "c"], {NUL: 1}),
]


@pytest.mark.parametrize(("content", "expected", "notes"), INPUTS, ids=[repr(content) for content, _, _ in INPUTS])
def test_inputs(tmp_path: Path, content: bytes, expected: list[str], notes: dict[str, int]) -> None:
    found, counted = read(tmp_path / "a", content)
    assert [line for window in found for line in window] == expected
    assert counted == notes
    assert [] not in found


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_characters_and_line_ends_over_the_edge_of_a_block(tmp_path: Path, shift: int) -> None:
    lines = ["x" * (BLOCK - 3 + shift), "é€👍" * 3, "", "y" * BLOCK, "z"]
    found, notes = read(tmp_path / "a", "\r\n".join(lines).encode())
    assert [line for window in found for line in window] == lines
    assert notes == {}
