"""Files that are translated and kept: what is filled in, and that nothing else changes."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from nmt.data import documents
from nmt.data.documents import DOCUMENTS, document_format, open_document
from nmt.data.documents.segments import Document
from nmt.data.formats import json_rows
from nmt.data.sources import find_source
from nmt.errors import ConfigError, DataError

EN_FR = ("en", "fr")


def opened(folder: Path, name: str, content: str | bytes, *columns: str, overwrite: bool = False) -> Document:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_document(path, document_format(path) or "none", EN_FR, columns, overwrite)


def shouted(document: Document) -> str:
    return document.filled([text.upper() for text in document.texts]).decode()


PO = r"""# Translators
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#. A comment
#: main.c:1
#| msgid "old"
msgctxt "menu"
msgid "Open \"it\" (%s)"
msgstr ""

#, c-format
msgid ""
"\n"
"Two\n"
"lines\n"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""
msgstr[2] ""

msgid "done"
msgstr "fini"

#~ msgid "Old"
#~ msgstr "Vieux"
"""
PO_SHOUTED = r"""# Translators
#, fuzzy
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#. A comment
#: main.c:1
#, fuzzy
#| msgid "old"
msgctxt "menu"
msgid "Open \"it\" (%s)"
msgstr "OPEN \"IT\" (%S)"

#, fuzzy, c-format
msgid ""
"\n"
"Two\n"
"lines\n"
msgstr "\nTWO\nLINES\n"

#, fuzzy
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%D FILE"
msgstr[1] "%D FILES"
msgstr[2] "%D FILES"

msgid "done"
msgstr "fini"

#~ msgid "Old"
#~ msgstr "Vieux"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_po(tmp_path: Path, end: str) -> None:
    document = opened(tmp_path, "ui.po", PO.replace("\n", end))
    assert document.texts == ['Open "it" (%s)', "Two", "lines", "%d file", "%d files"]
    assert shouted(document) == PO_SHOUTED.replace("\n", end)
    assert document.notes == {"translations with other placeholders than the source; repair them": 3}


def test_po_overwrite_translates_what_is_translated(tmp_path: Path) -> None:
    document = opened(tmp_path, "ui.po", PO, overwrite=True)
    assert document.texts[-1] == "done"
    assert '#, fuzzy\nmsgid "done"\nmsgstr "DONE"\n' in shouted(document)


XLIFF = """<?xml version="1.0"?>
<!-- kept -->
<xliff version="1.2" xmlns='urn:oasis:names:tc:xliff:document:1.2'><file source-language="en" original="x>y">
<body>
  <trans-unit id="1">
    <source>A &amp; b &lt; c</source>
  </trans-unit>
  <trans-unit id="2"><source>done</source><target state="final">fini</target></trans-unit>
  <trans-unit id="3"><source>two <g id="1">words</g></source>
    <seg-source/><target xml:lang="fr" state="new"/></trans-unit>
  <trans-unit id="4" translate="no"><source>NMT</source></trans-unit>
  <group translate="no"><trans-unit id="5"><source>code</source></trans-unit></group>
  <trans-unit id="6" approved="yes"><source>approved</source></trans-unit>
</body></file></xliff>
"""


def test_xliff_1(tmp_path: Path) -> None:
    document = opened(tmp_path, "ui.xlf", XLIFF)
    assert document.texts == ["A & b < c", "two words"]
    written = XLIFF.replace('original="x>y"', 'original="x>y" target-language="fr"')
    review = 'state="needs-review-translation"'
    written = written.replace(
        "&lt; c</source>", f"&lt; c</source>\n    <target {review}>A &amp; B &lt; C</target>"
    ).replace('<target xml:lang="fr" state="new"/>', f'<target xml:lang="fr" {review}>TWO WORDS</target>')
    assert shouted(document) == written
    assert document.notes == {"segments with inline tags, translated without them; put them back": 1}


def test_xliff_2(tmp_path: Path) -> None:
    content = (
        '<x:xliff xmlns:x="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en"><x:file id="f">'
        '<x:unit id="1"><x:segment id="s"><x:source>One.</x:source></x:segment>'
        "<x:segment><x:source>Two.</x:source><x:target>Deux.</x:target></x:segment></x:unit>"
        '<x:unit id="2" translate="no"><x:segment><x:source>x</x:source></x:segment></x:unit></x:file></x:xliff>'
    )
    document = opened(tmp_path, "ui.xliff", content)
    assert document.texts == ["One."]
    assert shouted(document) == content.replace('srcLang="en"', 'srcLang="en" trgLang="fr"').replace(
        '<x:segment id="s"><x:source>One.</x:source>',
        '<x:segment id="s" state="translated"><x:source>One.</x:source><x:target>ONE.</x:target>',
    )


def test_xliff_in_other_languages_is_counted(tmp_path: Path) -> None:
    content = XLIFF.replace('source-language="en"', 'source-language="de" target-language="fr"')
    assert opened(tmp_path, "ui.xlf", content).notes["ui.xlf names the language de where the run has en"] == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_tmx_in_the_encoding_in_which_it_was(tmp_path: Path, encoding: str) -> None:
    units = [
        '<tu tuid="1">\n  <tuv xml:lang="en-US"><seg>café</seg></tuv>\n</tu>',
        '<tu><tuv xml:lang="en"><seg>done</seg></tuv><tuv xml:lang="fr-FR"><seg>fini</seg></tuv></tu>',
        '<tu><tuv xml:lang="en"><seg>x</seg></tuv><tuv xml:lang="fr"><seg></seg></tuv></tu>',
        '<tu><tuv xml:lang="de"><seg>nein</seg></tuv></tu>',
    ]
    declared = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    content = f'<?xml version="1.0" encoding="{declared}"?>\n<tmx><body>{"".join(units)}</body></tmx>'
    document = opened(tmp_path, "a.tmx", content.encode(encoding))
    assert document.texts == ["café", "x"]
    written = content.replace(
        "café</seg></tuv>", 'café</seg></tuv>\n  <tuv xml:lang="fr" creationtool="nmt"><seg>CAFÉ</seg></tuv>'
    ).replace("<seg></seg>", "<seg>X</seg>")
    filled = document.filled(["CAFÉ", "X"])
    assert filled.decode(encoding) == written
    assert document.notes == {"units without en left as they are": 1}
    (tmp_path / "again.tmx").write_bytes(filled)  # and it is training text
    assert next(find_source(tmp_path, "again.tmx", EN_FR).pairs())[1:] == ("café", "CAFÉ")


TABLES = [
    ("a.tsv", "Hello.\tx\nBye.\n", ("1",), "Hello.\tx\tHELLO.\nBye.\tBYE.\n"),
    ("a.tsv", "Hello.\t\t1\r\nBye.\tdone\t2\r\n", ("1", "2"), "Hello.\tHELLO.\t1\r\nBye.\tdone\t2\r\n"),
    ("a.tsv", "id\ten\n1\tHello.\n\n2\tBye.", ("en",), "id\ten\tfr\n1\tHello.\tHELLO.\n\n2\tBye.\tBYE."),
    ("a.tsv", "fr\ten\n\tHello.\nfait\tBye.\n", (), "fr\ten\nHELLO.\tHello.\nfait\tBye.\n"),
    ("a.tsv", "Hello.\nBye.\n", (), "Hello.\tHELLO.\nBye.\tBYE.\n"),
    ("a.csv", 'en,fr\n"a, ""b""",\nc,"d"\n', (), 'en,fr\n"a, ""b""","A, ""B"""\nc,"d"\n'),
    ("a.csv", 'id;en\n"1";"x\ny"\n2;z\n', ("en",), 'id;en;fr\n"1";"x\ny";"X\nY"\n2;z;Z\n'),
    (
        "a.jsonl",
        '{"en":"a", "n": 1}\n\n{"en":"b","fr":"c"}',
        (),
        '{"en": "a", "n": 1, "fr": "A"}\n\n{"en":"b","fr":"c"}',
    ),
    ("a.jsonl", '{"t": {"x": "a"}}\n', ("t.x", "t.y"), '{"t": {"x": "a", "y": "A"}}\n'),
    ("a.jsonl", '{"text": "é"}\n', ("text",), '{"text": "é", "translation": "É"}\n'),
    ("a.json", '[{"translation": {"en": "a"}}]', (), '[{"translation": {"en": "a", "fr": "A"}}]\n'),
]


@pytest.mark.parametrize(("name", "content", "columns", "written"), TABLES, ids=range(len(TABLES)))
def test_tables_and_json(tmp_path: Path, name: str, content: str, columns: tuple[str, ...], written: str) -> None:
    assert shouted(opened(tmp_path, name, content, *columns)) == written


NUMBERS = ["1e400", "-1E+999", "1e-999", "-0", "1.10", "0.1000000000000000055511151231257827", "9" * 5000]


@pytest.mark.parametrize("number", NUMBERS, ids=[number[:20] for number in NUMBERS])
def test_a_number_of_json_keeps_its_own_text(tmp_path: Path, number: str) -> None:
    row = f'{{"n": {number}, "en": "a é", "in": [{{"x": {number}}}]}}'
    filled = shouted(opened(tmp_path, "a.jsonl", f"{row}\n{row}\n"))
    assert filled == f'{row[:-1]}, "fr": "A É"}}\n' * 2
    assert shouted(opened(tmp_path, "a.json", f"[{row}, {row}]")) == f'[{row[:-1]}, "fr": "A É"}}, ' + (
        f'{row[:-1]}, "fr": "A É"}}]\n'
    )
    row = row.replace("in", "\\ud800")  # half a surrogate pair, in the name of a key
    assert shouted(opened(tmp_path, "b.jsonl", row)) == f'{row[:-1]}, "fr": "A É"}}'.replace("é", "\\u00e9").replace(
        "É", "\\u00c9"
    )


def test_subtitles(tmp_path: Path) -> None:
    content = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\nI like\r\ntea and bread.\r\n\r\n"
        "2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>We buy fish.</i>\r\n\r\n"
        "3\r\n00:00:05,000 --> 00:00:06,000\r\n- Yes.\r\n- No.\r\n\r\n"
        "4\r\n00:00:07,000 --> 00:00:08,000\r\n42\r\n"
    )
    document = opened(tmp_path, "film.srt", content)
    assert document.texts == ["I like tea and bread.", "We buy fish.", "- Yes.", "- No.", "42"]
    written = content.replace("I like\r\ntea and bread.", "I LIKE TEA\r\nAND BREAD.").replace(
        "We buy fish.", "WE BUY FISH."
    )
    assert shouted(document) == written.replace("Yes.", "YES.").replace("No.", "NO.")
    assert document.notes == {}


def test_subtitles_without_blank_lines_between_titles(tmp_path: Path) -> None:
    content = (
        "1\n00:00:01,000 --> 00:00:02,500\nYes.\n2\n00:00:03,000 --> 00:00:04,000\nNo.\n00:05.000 --> 00:06.000\n7\n"
    )
    document = opened(tmp_path, "film.srt", content)
    assert document.texts == ["Yes.", "No.", "7"]
    assert shouted(document) == content.upper()


TITLE = "1\n00:00:01,000 --> 00:00:02,000\nYes.\n"
MALFORMED = [
    "00:00:03,000 -> 00:00:04,000",
    "00:00:03,000 --- 00:00:04,000",
    "00:00:03,000 \u2013> 00:00:04,000",
    "00:00:03,000 - -> 00:00:04,000",
    "00:00:03,000 00:00:04,000",
    "00:03.000 to 00:04.000",
    "0:0:3,0 => 0:0:4,0",
    "00:00:03,000 ->",
    "00:00:03,000",
]


@pytest.mark.parametrize("times", MALFORMED)
@pytest.mark.parametrize(("before", "line"), [(f"{TITLE}\n2\n", 6), (f"{TITLE}2\n", 5), ("WEBVTT\n\n", 3)])
def test_malformed_times_are_an_error_with_their_place(tmp_path: Path, times: str, before: str, line: int) -> None:
    """Otherwise the text of that title would stay untranslated, or the times would be translated as text."""
    with pytest.raises(DataError) as raised:
        opened(tmp_path, "film.srt", f"{before}{times}\nNo.\n")
    expected = f"film.srt:{line}: malformed times of a title: {times!r}; write them as in 00:00:01,000 --> 00:00:02,000"
    assert str(raised.value).endswith(expected)
    repaired = opened(tmp_path, "film.srt", f"{before}00:00:03,000 --> 00:00:04,000\nNo.\n")
    assert repaired.texts[-1] == "No." and repaired.notes == {}


@pytest.mark.parametrize("times", ["00:00:03,000 -->", "00:00:03;000 --> 00:00:04;000", "a --> b", "00: 00: 03 --> 4"])
@pytest.mark.parametrize("blank", ["\n", ""])
def test_odd_times_with_an_arrow_begin_a_title(tmp_path: Path, times: str, blank: str) -> None:
    document = opened(tmp_path, "film.srt", f"{TITLE}{blank}2\n{times}\nNo.\n")
    assert document.texts == ["Yes.", "No."] and document.notes == {}


@pytest.mark.parametrize("text", ["12:30 - 13:30", "12:30:00 - 13:30:00", "12:30:45", "a --> b", "1:2 -> 3"])
def test_times_in_the_text_of_a_title_are_text(tmp_path: Path, text: str) -> None:
    assert opened(tmp_path, "film.srt", f"{TITLE}{text}\n").texts == [f"Yes. {text}"]


def test_text_that_belongs_to_no_title_is_counted(tmp_path: Path) -> None:
    document = opened(tmp_path, "film.srt", f"{TITLE}\nMore.\n\n2\nNo times.\n")
    assert document.texts == ["Yes."] and shouted(document) == f"{TITLE}\nMore.\n\n2\nNo times.\n".replace("Yes", "YES")
    assert document.notes == {
        f"lines that belong to no title, left as they are, the first in {tmp_path / 'film.srt'}:5; write the times of "
        "the title before them, as in 00:00:01,000 --> 00:00:02,000, and remove empty lines inside a title": 2
    }
    other_blocks = "WEBVTT a\nKind: captions\n\nNOTE\nb\n\nSTYLE\n::cue { a: b }\n\nREGION\nid:x\n\n"
    document = opened(tmp_path, "film.vtt", f"{other_blocks}intro\n00:01.000 --> 00:02.000 align:left\nYes.\n")
    assert document.texts == ["Yes."] and document.notes == {}


def test_a_title_of_very_many_lines(tmp_path: Path) -> None:
    content = "00:00:01,000 --> 00:00:02,500\n" + "a b\n" * 30_000
    assert shouted(opened(tmp_path, "film.srt", content)).count("\n") == content.count("\n")


@pytest.mark.parametrize("name", ["page.html", "page.HTM", "page.xhtml.gz"])
def test_html_is_not_translated_tag_by_tag(name: str) -> None:
    with pytest.raises(DataError, match=r"HTML keeps its tags in nmt serve .* --format text translates its lines"):
        document_format(Path(name))


def test_sgm(tmp_path: Path) -> None:
    content = (
        '<srcset srclang="en">\n<doc docid="a"><seg id="1">A &amp; b\n c</seg>\n<seg id=2>d\n</p></doc></srcset>\n'
    )
    document = opened(tmp_path, "test-src.en.sgm", content)
    assert document.texts == ["A & b c", "d"]
    assert shouted(document) == content.replace("A &amp; b\n c", "A &amp; B C").replace("d\n</p>", "D</p>")
    (tmp_path / "a.xml").write_text(f"<?xml version='1.0'?><mteval>{content}</mteval>", encoding="utf-8")
    assert document_format(tmp_path / "a.xml") == "sgm"
    (tmp_path / "a.xml").write_text("<dataset/>", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be filled in; --format text translates its lines"):
        document_format(tmp_path / "a.xml")


UNCHANGED = [("a.po", PO), ("a.xlf", XLIFF), ("a.srt", "1\n00:00 --> 00:01\n...\n"), ("a.csv", 'en,fr\r\n"a","b"\r\n')]


@pytest.mark.parametrize(("name", "content"), UNCHANGED, ids=[name for name, _ in UNCHANGED])
def test_a_filled_file_has_nothing_left_to_fill(tmp_path: Path, name: str, content: str) -> None:
    first = shouted(opened(tmp_path, name, content))
    if not name.endswith("srt"):
        again = opened(tmp_path, name, first)
        assert again.texts == []
        assert again.filled([]).decode() == first


DAMAGED = [
    ("a.po", "hello\n", "a.po:1: not a line of a PO file"),
    ("a.xlf", "<xliff><file>\n</xliff>", "a.xlf:2: not well-formed XML"),
    ("a.xlf", "<tmx/>", "a.xlf:1: begins with <tmx>, not with <xliff>"),
    ("a.tmx", '<!DOCTYPE t [<!ENTITY a "b">]><tmx/>', "a.tmx:1: defines the entity a"),
    ("a.tsv", "a\tb\tc\n", "a.tsv: a table of 3 columns whose header does not name en and fr; say which"),
    ("a.csv", 'en,fr\n"a,\n', "a.csv:2: unexpected end of data"),
    ("a.jsonl", '{"text": "a"}\n', "a.jsonl:1: no key for en; name one to translate, as in --field text"),
    ("a.jsonl", '{"en": "a", "fr": 1}\n', "a.jsonl:1: fr is not a text"),
    ("a.jsonl", '{"en": 1e400}\n', "a.jsonl:1: en: not a text"),
    ("a.jsonl", '{"en": "a"}\n{"en": "a", "n": NaN}\n', "a.jsonl:2: not JSON (NaN is not a JSON number; write null"),
    ("a.json", '[{"en": "a"},\n{"en": "a", "n": [-Infinity]}]', "a.json:2: not JSON (-Infinity is not a JSON number"),
    ("a.srt", b"1\n\xff\n", "a.srt:2: not UTF-8; convert it, or name its encoding"),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_one_line_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as raised:
        opened(tmp_path, name, content)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_columns_are_for_tables_and_json(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="po has no columns or fields"):
        opened(tmp_path, "a.po", PO, "1")
    with pytest.raises(DataError, match="3 columns are given"):
        opened(tmp_path, "a.tsv", "a\tb\n", "1", "2", "3")
    assert json.dumps({name: kind.columns for name, kind in DOCUMENTS.items() if kind.columns}) == (
        '{"tsv": true, "csv": true, "jsonl": true}'
    )


def test_a_document_has_a_limit_however_it_is_compressed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(documents, "LARGEST", 1000)
    for name, content in (("a.po", b"#" * 1001), ("a.po.gz", gzip.compress(b"#" * 1001))):
        with pytest.raises(DataError, match="has more than 1,000 bytes; split it, or translate its lines"):
            opened(tmp_path, name, content)


def test_an_object_across_many_blocks_is_not_read_again_for_each(tmp_path: Path, monkeypatch) -> None:
    tried = []

    class Counting(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0):
            tried.append(idx)
            return super().raw_decode(s, idx)

    text = json.dumps([{"en": "a" * 5000, "fr": "b"}, {"en": "c", "fr": "d"}])
    monkeypatch.setattr(json_rows.json, "JSONDecoder", Counting)
    monkeypatch.setattr(json_rows, "_blocks", lambda *_: iter(text))  # blocks of one character
    (tmp_path / "a.json").write_text(text)
    rows = list(json_rows.json_rows(tmp_path / "a.json", Counter()))
    assert [(number, len(row["en"])) for number, row in rows] == [(1, 5000), (2, 1)]
    assert len(tried) < 40


def test_a_prefix_for_each_row_of_a_jsonl_file(tiny_run: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from nmt.cli import app

    rows = [{"text": "the cat", "begin": "Le ch"}, {"text": "", "begin": "x"}, {"text": "a dog\nthe cat"}]
    file, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    words = ["translate", str(tiny_run), "decoding.max_length=12", "-i", str(file), "-o", str(out), "--field", "text",
             "--prefix-field", "begin"]  # fmt: skip
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert found[0]["translation"].startswith("Le ch") and len(found) == 3
    with pytest.raises(ConfigError, match="--prefix-field: needs a JSONL file"):
        CliRunner().invoke(app, ["translate", str(tiny_run), "--prefix-field", "begin"], catch_exceptions=False)
