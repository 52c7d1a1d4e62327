"""Every format of parallel text: what is read from it, and what a damaged file says."""

import gc
import gzip
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from nmt.data.corpus import Pair
from nmt.data.documents import DOCUMENTS
from nmt.data.formats import FORMATS
from nmt.data.formats.codes import is_code, language_index, same_language
from nmt.data.formats.guess_languages import guess_languages
from nmt.data.formats.text import is_markup
from nmt.data.sources import TextSource, find_source
from nmt.errors import DataError

EN_FR = ("en", "fr")
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en-US"/><body>
<tu tuid="1">
  <tuv xml:lang="en-US"><seg>Press <bpt i="1">&lt;b&gt;</bpt>OK<ept i="1">&lt;/b&gt;</ept>
  now.</seg></tuv>
  <tuv xml:lang="de"><seg>Jetzt.</seg></tuv>
  <tuv lang="fr-FR"><seg>Appuyez sur <ph x="1">{x}</ph>OK.</seg></tuv>
  <tuv xml:lang="fr-CA"><seg>Canada</seg></tuv>
</tu>
<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>
</body></tmx>
"""
XLIFF_1 = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="fr-FR"><body>
<trans-unit id="1"><source>One <g id="1">cat</g><x id="2"/>.</source><target>Un <g id="1">chat</g>.</target>
</trans-unit>
<trans-unit id="2"><source>Two.</source><target/></trans-unit>
<group><trans-unit id="3"><source>Three.</source><target state="final">Trois &amp; demi.</target></trans-unit></group>
</body></file></xliff>
"""
XLIFF_2 = """<xliff version="2.0" srcLang="en" trgLang="fr" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f">
<unit id="1"><segment><source>One <pc id="1">cat</pc>.</source><target>Un <pc id="1">chat</pc>.</target></segment>
<segment><source>Two.</source></segment></unit></file></xliff>
"""
PO = r"""# Translators of the program
msgid ""
msgstr ""
"Language: fr\n"
"Content-Type: text/plain; charset=UTF-8\n"

#: main.c:1
msgid "Open \"file\"\t%s"
msgstr "Ouvrir « %s »"

#, fuzzy
msgid "Doubtful"
msgstr "Douteux"

msgctxt "menu"
msgid ""
"Save\n"
"all"
msgstr "Tout enregistrer"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d fichier"
msgstr[1] "%d fichiers"

msgid "Empty"
msgstr ""

#~ msgid "Old"
#~ msgstr "Vieux"
"""
SGM_SOURCE = """<srcset setid="t" srclang="en">
<DOC docid="a"><p>
<seg id=1>One &amp; a
half.</seg>
<hl><seg id="2"> Two. </seg></hl></p></DOC></srcset>
"""
SGM_TARGETS = """<refset setid="t" srclang="en" trglang="fr">
<doc docid="a" sysid="ref1"><p><seg id="1">Un et demi.</seg><seg id="2">Deux.</seg></p></doc>
<doc docid="a" sysid="ref2"><p><seg id="1">1,5.</seg><seg id="2">2.</seg></p></doc></refset>
"""
WMT_XML = """<?xml version='1.0' encoding='utf-8'?>
<dataset id="x"><collection><doc origlang="en" id="d1">
<src lang="en"><p><seg id="1">One.</seg></p><p><seg id="2">Two.</seg></p></src>
<ref lang="fr" translator="A"><p><seg id="1">Un.</seg><seg id="2">Deux.</seg></p></ref>
<ref lang="fr" translator="B"><p><seg id="1">1.</seg><seg id="2">2.</seg></p></ref>
</doc></collection></dataset>
"""
TWO = [("Hello, you.", "Bonjour."), ("Bye.", "Au revoir.")]


def source_of(folder: Path, name: str, content: str | bytes, **more: object) -> TextSource:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return find_source(folder, name, EN_FR, **more)  # type: ignore[arg-type]


def texts(source: TextSource, notes: Counter[str] | None = None) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in source.pairs(notes)]


# What is read --------------------------------------------------------------------------------------------------------

TABLES: list[tuple[str, str]] = [
    ("pairs.tsv", "Hello, you.\tBonjour.\nBye.\tAu revoir.\n"),
    ("pairs.tsv", "Hello, you.\tBonjour.\tCC-BY 1\nBye.\tAu revoir.\tCC-BY 2\n"),
    ("pairs.tsv", "en\tfr\nHello, you.\tBonjour.\nBye.\tAu revoir.\n"),
    ("pairs.tsv", "id\tfr\tnote\ten\n1\tBonjour.\tx\tHello, you.\n2\tAu revoir.\tx\tBye.\n"),
    ("pairs.tsv", "source\ttarget\r\nHello, you.\tBonjour.\r\nBye.\tAu revoir."),
    ("pairs.tsv", "sentence\ttranslation\nHello, you.\tBonjour.\nBye.\tAu revoir.\n"),
    ("pairs.tsv", "text_fr\ttext_en\nBonjour.\tHello, you.\nAu revoir.\tBye.\n"),
    ("pairs.csv", 'English,French\n"Hello, you.",Bonjour.\nBye.,Au revoir.\n'),
    ("pairs.csv", '"en";"fr"\n"Hello, you.";"Bonjour."\nBye.;Au revoir.\n'),
    ("pairs.csv", '"Hello, you.",Bonjour.\nBye.,Au revoir.\n'),
    ("pairs.csv", 'target,source\nBonjour.,"Hello,\n you."\nAu revoir.,Bye.\n'),
    ("pairs.en-fr", "Hello, you. ||| Bonjour.\nBye. ||| Au revoir.\n"),
    ("pairs.fr-en", "Bonjour. ||| Hello, you.\nAu revoir. ||| Bye.\n"),
    ("pairs.fr-en.tsv", "Bonjour.\tHello, you.\nAu revoir.\tBye.\n"),
    ("pairs.txt", "Hello, you.\tBonjour.\nBye.\tAu revoir.\n"),
    ("pairs.jsonl", '{"en": "Hello, you.", "fr": "Bonjour."}\n\n{"fr": "Au revoir.", "en": "Bye.", "id": 2}\n'),
    ("pairs.jsonl", '{"a": {"en": "Hello,\\nyou.", "fr": "Bonjour."}}\n{"a": {"en": "Bye.", "fr": "Au revoir."}}'),
    ("pairs.json", '[{"en": "Hello, you.",\n  "fr": "Bonjour."},\n {"en": "Bye.", "fr": "Au revoir."}]\n'),
    ("pairs.jsonl", '{"i": "x", "en_t": "Hello, you.", "fr_t": "Bonjour."}\n{"en_t": "Bye.", "fr_t": "Au revoir."}'),
    ("pairs.json", '{"source": "Hello, you.", "target": "Bonjour."}\n{"source": "Bye.", "target": "Au revoir."}\n'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), TABLES, ids=range(len(TABLES)))
def test_tables_and_json(tmp_path: Path, name: str, content: str) -> None:
    assert texts(source_of(tmp_path, name, content)) == TWO
    assert texts(source_of(tmp_path, f"{name}.gz", gzip.compress(content.encode()))) == TWO


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", 'source,english,other\nx,"Hello, you.",Bonjour.\nx,Bye.,Au revoir.\n', ("english", "other")),
        ("a.csv", 'source,english,other\nx,"Hello, you.",Bonjour.\nx,Bye.,Au revoir.\n', (2, 3)),
        ("a.tsv", "1\tHello, you.\tx\tBonjour.\n2\tBye.\tx\tAu revoir.\n", (2, 4)),
        ("a.jsonl", '{"t":{"a":"Hello, you."},"b.c":"Bonjour."}\n{"t":{"a":"Bye."},"b.c":"Au revoir."}', ["t.a", "b.c"]),  # noqa: E501
    ],
)  # fmt: skip
def test_columns_by_number_name_and_key(tmp_path: Path, name: str, content: str, columns: Sequence[str | int]) -> None:
    assert texts(source_of(tmp_path, name, content, columns=columns)) == TWO


@pytest.mark.parametrize("number", ["1e400", "-0", "9" * 5000], ids=["large", "zero", "long"])
@pytest.mark.parametrize(("name", "form"), [("a.jsonl", "{}"), ("a.json", "[{}]")])
def test_numbers_beside_the_texts_may_be_of_any_size(tmp_path: Path, name: str, form: str, number: str) -> None:
    row = f'{{"id": {number}, "en": "one", "fr": "un"}}'
    assert texts(source_of(tmp_path, name, form.format(row))) == [("one", "un")]


def test_quotation_marks_in_tsv_are_text(tmp_path: Path) -> None:
    assert texts(source_of(tmp_path, "a.tsv", '"Yes\t"Oui\n')) == [('"Yes', '"Oui')]


def test_tmx_takes_languages_by_prefix_and_leaves_out_native_code(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    source = source_of(tmp_path, "memory.tmx", TMX)
    assert list(source.pairs(notes)) == [Pair(1, "Press OK now.", "Appuyez sur OK.")]
    assert notes == {"units without en or fr left out": 1}


def test_xliff_1_and_2(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    assert texts(source_of(tmp_path, "a.xlf", XLIFF_1), notes) == [
        ("One cat.", "Un chat."),
        ("Three.", "Trois & demi."),
    ]
    assert notes == {"units without a translation left out": 1}
    assert texts(source_of(tmp_path, "b.xlf", XLIFF_2)) == [("One cat.", "Un chat.")]
    assert next(find_source(tmp_path, "b.xlf", ("fr", "en")).pairs()) == Pair(1, "Un chat.", "One cat.")


def test_po(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    assert list(source_of(tmp_path, "fr.po", PO).pairs(notes)) == [
        Pair(1, 'Open "file"\t%s', "Ouvrir « %s »"),
        Pair(3, "Save all", "Tout enregistrer"),
        Pair(4, "%d file", "%d fichier"),
        Pair(5, "%d files", "%d fichiers"),
    ]
    assert notes == {
        "fuzzy entries left out": 1,
        "entries without a translation left out": 1,
        "obsolete entries left out": 1,
    }
    assert next(find_source(tmp_path, "fr.po", ("fr", "en")).pairs()).source == "Ouvrir « %s »"


def test_wmt_sgm_and_xml(tmp_path: Path) -> None:
    (tmp_path / "test-src.en.sgm").write_text(SGM_SOURCE, encoding="utf-8")
    (tmp_path / "test-ref.fr.sgm").write_text(SGM_TARGETS, encoding="utf-8")
    both = [Pair(1, "One & a half.", "Un et demi."), Pair(2, "Two.", "Deux.")]
    assert list(find_source(tmp_path, "test", EN_FR).pairs()) == both
    named = {"source": "test-src.en.sgm", "target": "test-ref.fr.sgm"}
    assert list(find_source(tmp_path, named, EN_FR).pairs()) == both
    assert list(source_of(tmp_path, "wmt.xml", WMT_XML).pairs()) == [Pair(1, "One.", "Un."), Pair(2, "Two.", "Deux.")]


def test_iwslt_tags_are_left_out_on_both_sides(tmp_path: Path) -> None:
    for language, word in EN_FR_WORDS:
        (tmp_path / f"train.tags.en-fr.{language}").write_text(
            f"<url>http://x</url>\n<title>{word}</title>\n {word} one.\n{word} two.\n", encoding="utf-8"
        )
    notes: Counter[str] = Counter()
    source = find_source(tmp_path, "train.tags.en-fr", EN_FR)
    assert list(source.pairs(notes)) == [Pair(3, "cat one.", "chat one."), Pair(4, "cat two.", "chat two.")]
    assert notes == {"lines of markup left out": 2}


EN_FR_WORDS = (("en", "cat"), ("fr", "chat"))


def test_range_of_ebible_belongs_to_the_verse_before(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("a\n<range>\nb\nc\n<range>\n", encoding="utf-8")
    (tmp_path / "fr.txt").write_text("1\n2\n3\n4\n<range>\n", encoding="utf-8")
    assert list(find_source(tmp_path, "train", EN_FR).pairs()) == [
        Pair(1, "a", "1 2"),
        Pair(3, "b", "3"),
        Pair(4, "c", "4"),
    ]


def test_markup_in_plain_text_is_counted(tmp_path: Path) -> None:
    for language, _ in EN_FR_WORDS:
        (tmp_path / f"t.{language}").write_text('<p id="1">\na < b\n<b>x</b> and\n', encoding="utf-8")
    notes: Counter[str] = Counter()
    assert len(list(find_source(tmp_path, "t", EN_FR).pairs(notes))) == 3
    assert notes == {"lines that are markup, not sentences; name their format or remove them": 1}
    assert [is_markup(text) for text in ("<seg>", "<a>b</a>", "x <b>", "<-- look", "I <3 you>", "<>")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_xml_in_other_encodings(tmp_path: Path) -> None:
    for name, encoding in (("a.tmx", "utf-16"), ("b.tmx", "iso-8859-1")):
        content = TMX.replace("UTF-8", encoding).replace("Appuyez", "Touché").encode(encoding)
        assert texts(source_of(tmp_path, name, content)) == [("Press OK now.", "Touché sur OK.")]


def test_a_long_tmx_is_read_one_unit_at_a_time(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="en"><seg>Words.</seg></tuv><tuv xml:lang="fr"><seg>Mots.</seg></tuv></tu>\n'
    pairs = source_of(tmp_path, "long.tmx", f"<tmx><body>{unit * 1500}<broken").pairs()
    first = [next(pairs) for _ in range(1000)]  # long before the end is seen
    assert first[-1] == Pair(1000, "Words.", "Mots.")
    assert sum(type(thing) is Element for thing in gc.get_objects()) < 5_000  # of 7,500
    with pytest.raises(DataError, match=r"long\.tmx:1501: not well-formed XML"):
        list(pairs)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    from pyarrow import parquet

    nested = [{"en": "Hello, you.", "fr": "Bonjour."}, {"en": "Bye.", "fr": "Au revoir."}]
    for name, table in (("a", {"translation": nested}), ("b", {"id": [1, 2], "en": ["Hello, you.", "Bye."]})):
        if name == "b":
            table["fr"] = ["Bonjour.", "Au revoir."]
        parquet.write_table(pyarrow.table(table), tmp_path / f"{name}.parquet")
        assert texts(find_source(tmp_path, f"{name}.parquet", EN_FR)) == TWO
    with pytest.raises(DataError, match=r"no keys for en and de; the object has en, fr; name two, as in"):
        texts(find_source(tmp_path, "b.parquet", ("en", "de")))
    with pytest.raises(DataError, match=r"c\.parquet: not a valid Parquet file"):
        texts(source_of(tmp_path, "c.parquet", b"PAR1 not really"))


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"need pyarrow, which is not installed: pip install .*\[parquet\]"):
        texts(source_of(tmp_path, "a.parquet", b"PAR1"))


# Damaged files -------------------------------------------------------------------------------------------------------

BOMB = '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><tmx><body/></tmx>'
DAMAGED: list[tuple[str, str, str]] = [
    ("a.tsv", "one\tun\ntwo\n", "a.tsv:2: has 1 column, and column 2 is needed; repair the row"),
    ("a.tsv", "alone\n", "a.tsv:1: has one column; put a tab"),
    ("a.tsv", "1\tone\tun\n2\ttwo\tdeux\n", "a.tsv:1: has 3 columns and no header for en and fr"),
    ("a.tsv", "1\tone\tun\n2\ttwo\tdeux\n", "as in {path: a.tsv, columns: [2, 3]}"),
    ("a.jsonl", '{"a": "x", "b": "y"}\n', "the object has a, b; name two, as in {path: a.jsonl, columns: [a, b]}"),
    ("a.jsonl", '{"data": []}\n', "the object has no texts; write an object with a key for each language"),
    ("a.csv", 'en,fr\n"one,un\n', "a.csv:2: unexpected end of data; close each quoted field"),
    ("a.csv", 'en,fr\none,un\n"two" x,deux\n', "a.csv:3: ',' expected after '\"'"),
    ("a.csv", "x,english,other\n1,one,un\n", "name two of them, as in {path: a.csv, columns: [2, 3]}"),
    ("a.jsonl", '{"en": "a", "fr": "b"}\n{"en": "a"\n', "a.jsonl:2: not JSON"),
    ("a.jsonl", '{"en": "a", "fr": "b"}\n[1]\n', "a.jsonl:2: not a JSON object"),
    ("a.jsonl", '{"en": "a", "fr": 3}\n', "a.jsonl:1: fr: not a text; put it into quotation marks"),
    ("a.jsonl", '{"en": "a", "fr": "b"}\n{"en": "a", "fr": 3}\n', "a.jsonl:2: fr: not a text"),
    ("a.jsonl", '{"en": "a", "fr": "b"}\n{"en": "a"}\n', "a.jsonl:2: has no key 'fr'; its texts are en"),
    ("a.json", '[{"en": "a", "fr": "b"},\n{"en": oops}, {"en": "a", "fr": "b"}]', "a.json:2: not JSON"),
    ("a.json", '[{"en": "a", "fr": "b"},\n', "a.json:2: object 2 or the array is not closed"),
    ("a.jsonl", '{"en": ' + "[" * 100_000, "a.jsonl:1: not JSON (nested too deeply)"),
    ("a.jsonl", '{"en": "a", "fr": "b", "n": Infinity}', "a.jsonl:1: not JSON (Infinity is not a JSON number; write"),
    ("a.json", '[\n{"en": "a", "fr": "b", "n": NaN}]', "a.json:2: not JSON (NaN is not a JSON number; write null"),
    ("a.tmx", "<tmx><body><tu>\n</body></tmx>", "a.tmx:2: not well-formed XML (mismatched tag)"),
    ("a.tmx", BOMB, "a.tmx:1: defines the entity a; entities are not supported"),
    ("a.tmx", TMX.replace('="fr-', '="it-'), "a.tmx: no unit has both en and fr; its languages are en-us"),
    ("a.tmx", "<tmx><body><tu>" + "<a>" * 300, "a.tmx:1: elements are nested more than 200 deep"),
    ("a.xlf", XLIFF_1.replace('"fr-FR"', '"de"'), "a.xlf: is from en into de, not from en into fr; set"),
    ("a.xlf", "<xliff>", "a.xlf:1: not well-formed XML (no element found)"),
    ("a.po", 'msgid "a"\nmsgstr "b\n', "a.po:2: not a line of a PO file"),
    ("a.po", 'msgid "a" "b"\nmsgstr "c"\n', "a.po:1: quotation marks do not close"),
    ("a.po", 'msgid "a"\n\nmsgid "b"\nmsgstr "c"\n', "a.po:3: a second msgid in one entry"),
    ("a.po", 'msgid "a"\n', "a.po:1: an entry without msgid or msgstr"),
    ("a.xml", "<?xml version='1.0'?><html/>", "a.xml: XML that begins with <html> is not supported"),
    ("a.xml", WMT_XML.replace('<seg id="2">Deux.</seg>', ""), "a.xml:2: the reference has no segment 2"),
    ("a.xml", WMT_XML.replace('lang="fr"', 'lang="de"'), "document d1 is in en and de, not in en and fr"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_one_line_with_its_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DataError) as raised:
        texts(source_of(tmp_path, name, content))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (SGM_TARGETS.replace('id="2"', 'id="7"'), "segment 2 of document a meets segment 7 of document a"),
        (SGM_TARGETS.replace('<seg id="2">Deux.</seg>', ""), "has 1 segment, and"),
        ('<refset><doc docid="a"><seg id="1">Un', "segment 1 does not end; was the file cut short?"),
        ("Un.\nDeux.\n", "give two files of the same kind"),
        (TMX, "holds both languages (tmx); name this file alone"),
    ],
)
def test_damaged_sgm(tmp_path: Path, target: str, message: str) -> None:
    (tmp_path / "s.sgm").write_text(SGM_SOURCE, encoding="utf-8")
    (tmp_path / "t.sgm").write_text(target, encoding="utf-8")
    with pytest.raises(DataError) as raised:
        texts(find_source(tmp_path, {"source": "s.sgm", "target": "t.sgm"}, EN_FR))
    assert message in str(raised.value)


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.files == 1 and name != "parquet"])
def test_an_empty_file_is_no_pairs_or_an_error(tmp_path: Path, name: str) -> None:
    source = TextSource("a", (tmp_path / "a",), name, EN_FR)
    (tmp_path / "a").write_bytes(b"")
    try:
        assert texts(source) == []
    except DataError as error:
        assert "no element found" in str(error)


# Languages -----------------------------------------------------------------------------------------------------------


def test_codes() -> None:
    assert same_language("en", "en-US") and same_language("pt_BR", "pt-br") and same_language("fr", "French")
    assert not same_language("en", "eng-x") and not same_language("en", "") and not same_language("en-GB", "en-US")
    assert language_index("en", ["en-GB", "en"]) == 1
    assert language_index("en", ["de", "en-GB"]) == 1
    assert is_code("zho_Hans") and is_code("German") and not is_code("sentence") and not is_code("12")


@pytest.mark.parametrize(
    ("name", "content", "languages"),
    [
        ("a.tsv", "en\tfr\nHello.\tBonjour.\n", ("en", "fr")),
        ("a.csv", "id,German,English\n1,Ja.,Yes.\n", ("de", "en")),
        ("a.tsv", "Hello.\tBonjour.\n", None),
        ("pairs.en-fr.tsv", "Hello.\tBonjour.\n", ("en", "fr")),
        ("eng_Latn-fra_Latn.tsv.gz", "", ("eng_Latn", "fra_Latn")),
        ("de-en.txt", "Ja. ||| Yes.\n", ("de", "en")),
        ("a.jsonl", '{"translation": {"en": "a", "fr": "b"}}\n', ("en", "fr")),
        ("a.tmx", TMX, ("en-US", "de")),
        ("a.xlf", XLIFF_1, ("en", "fr-FR")),
        ("a.xlf", XLIFF_2, ("en", "fr")),
        ("a.po", PO, ("en", "fr")),
        ("a.xml", WMT_XML, ("en", "fr")),
        ("a.txt", "Only text.\n", None),
    ],
)
def test_languages_are_guessed(tmp_path: Path, name: str, content: str, languages: tuple[str, str] | None) -> None:
    raw = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert guess_languages(tmp_path / name) == languages


def test_the_page_on_formats_names_every_kind_of_file() -> None:
    page = (Path(__file__).parent.parent / "docs" / "formats.md").read_text(encoding="utf-8").lower()
    endings = [ending for kind in FORMATS.values() for ending in kind.endings[:1]]
    endings += [ending for document in DOCUMENTS.values() for ending in document.endings[:1]]
    assert [ending for ending in endings if ending not in page and ending[1:] not in page and ending != ".bars"] == []
