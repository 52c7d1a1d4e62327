"""From the name that a user writes to the files that are meant: layouts, shards, archives, and what errors propose."""

import re
import zipfile
from pathlib import Path

import pytest

from nmt.data.corpus import Pair, file_hash
from nmt.data.sources import NoSuchText, TextSource, find_source
from nmt.errors import DataError

EN_FR = ("en", "fr")


def write(folder: Path, *names: str) -> Path:
    """Files that contain their own names: one line each, sources and targets alike."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    return folder


def names_of(source: TextSource) -> list[str]:
    return [path.name for path in source.files]


LAYOUTS = [
    (("train.en", "train.fr"), "train", EN_FR),
    (("train.en.txt", "train.fr.txt"), "train", EN_FR),
    (("news.en-fr.en", "news.en-fr.fr"), "news", EN_FR),
    (("news.en-fr.en", "news.en-fr.fr"), "news.en-fr", EN_FR),
    (("news.fr-en.en", "news.fr-en.fr"), "news", EN_FR),
    (("small_vocab_en", "small_vocab_fr"), "small_vocab", EN_FR),
    (("eng_Latn.dev", "fra_Latn.dev"), "dev", ("eng_Latn", "fra_Latn")),
    (("src-train.txt", "tgt-train.txt"), "train", ("src", "tgt")),
    (("src-train.txt", "tgt-train.txt"), "train", EN_FR),
    (("src-train.txt", "tgt-train.txt"), "train", ("txt", "txt")),
    (("src-val.txt", "tgt-val.txt"), "valid", EN_FR),
    (("train.src", "train.tgt"), "train", EN_FR),
    (("train.source", "train.target"), "train", EN_FR),
    (("train.en", "train.fr"), "train.en", EN_FR),
    (("train.en", "train.fr"), "train.fr", EN_FR),
    (("eng-web.txt", "fra-lsg.txt"), "train", ("eng-web", "fra-lsg")),
    (("dev.en", "dev.fr"), "valid", EN_FR),
    (("en/train.txt", "fr/train.txt"), "train", EN_FR),
    (("sub/train.en", "sub/train.fr"), "sub/train", EN_FR),
]


@pytest.mark.parametrize(("files", "name", "languages"), LAYOUTS, ids=[f"{row[0][0]}-{row[1]}" for row in LAYOUTS])
def test_layouts(tmp_path: Path, files: tuple[str, str], name: str, languages: tuple[str, str]) -> None:
    source = find_source(write(tmp_path, *files), name, languages)
    assert source.files == (tmp_path / files[0], tmp_path / files[1])
    assert (source.format, source.recipe()) == ("text", ())
    assert list(source.pairs()) == [Pair(1, *files)]


@pytest.mark.parametrize("file", ["train.tsv", "train.en-fr.tsv", "train.en-fr", "train.en-fr.txt"])
def test_a_stem_finds_a_file_with_both_sides(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("a ||| b\n" if "tsv" not in file else "a\tb\n", encoding="utf-8")
    assert list(find_source(tmp_path, "train", EN_FR).pairs()) == [Pair(1, "a", "b")]


def test_stem_and_language_win_and_two_other_layouts_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "train.en", "train.fr", "train_en", "train_fr", "train.tsv")
    assert names_of(find_source(tmp_path, "train", EN_FR)) == ["train.en", "train.fr"]
    write(tmp_path / "two", "train_en", "train_fr", "src-train.txt", "tgt-train.txt")
    with pytest.raises(DataError) as raised:
        find_source(tmp_path / "two", "train", EN_FR)
    assert str(raised.value).endswith(
        "train can be train_en with train_fr or src-train.txt with tgt-train.txt; "
        "name the file, as in data.train: train_en"
    )
    assert names_of(find_source(tmp_path / "two", "train_en", EN_FR)) == ["train_en", "train_fr"]  # as it says


def test_two_paths_of_any_name(tmp_path: Path) -> None:
    write(tmp_path, "here/a.txt", "there/b")
    source = find_source(tmp_path, {"source": "here/a.txt", "target": "there/b"}, EN_FR)
    assert list(source.pairs()) == [Pair(1, "here/a.txt", "there/b")]
    with pytest.raises(NoSuchText, match=r"here/c: no such file; the folder has a\.txt"):
        find_source(tmp_path, {"source": "here/c", "target": "there/b"}, EN_FR)
    with pytest.raises(DataError, match="names source; name two files"):
        find_source(tmp_path, {"source": "here/c"}, EN_FR)


@pytest.mark.parametrize("pattern", ["shards/*.en", "shards/*.fr", "shards/*", "shards/part-?"])
def test_shards_of_pairs(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, "shards/part-2.en", "shards/part-2.fr", "shards/part-1.en", "shards/part-1.fr")
    source = find_source(tmp_path, pattern, EN_FR)
    assert names_of(source) == ["part-1.en", "part-1.fr", "part-2.en", "part-2.fr"]
    assert [pair.line for pair in source.pairs()] == [1, 2]
    assert source.recipe() == ("text", EN_FR, (), 4)


def test_shards_of_tables(tmp_path: Path) -> None:
    for number in (2, 1):
        (tmp_path / f"part-{number}.tsv").write_text(f"fr\ten\nun {number}\tone {number}\n", encoding="utf-8")
    source = find_source(tmp_path, "part-*.tsv", EN_FR)
    assert list(source.pairs()) == [Pair(2, "one 1", "un 1"), Pair(4, "one 2", "un 2")]


def test_an_archive_is_read_as_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "en-fr.txt.zip", "w") as archive:
        archive.writestr("README", "read me")
        archive.writestr("Bible.en-fr.en", "In the beginning\n")
        archive.writestr("Bible.en-fr.fr", "Au commencement\n")
    source = find_source(tmp_path, "en-fr.txt.zip", EN_FR)
    assert list(source.pairs()) == [Pair(1, "In the beginning", "Au commencement")]
    assert len({file_hash(path) for path in source.files}) == 2
    assert find_source(tmp_path, "en-fr.txt.zip/Bible", EN_FR).files == source.files
    assert find_source(tmp_path / "en-fr.txt.zip", "Bible.en-fr", EN_FR).files == source.files
    with pytest.raises(NoSuchText, match="has no text in en and de; it has Bible"):
        find_source(tmp_path, "en-fr.txt.zip", ("en", "de"))
    with zipfile.ZipFile(tmp_path / "en-fr.txt.zip", "a") as archive:
        archive.writestr("News.en-fr.en", "a\n")
        archive.writestr("News.en-fr.fr", "b\n")
    with pytest.raises(DataError, match=r"; name one, as in data.train: en-fr.txt.zip/Bible.en-fr$"):
        find_source(tmp_path, "en-fr.txt.zip", EN_FR)
    (tmp_path / "bad.zip").write_bytes(b"PK no")
    with pytest.raises(DataError, match=r"bad.zip: not a valid .zip file"):
        find_source(tmp_path, "bad.zip", EN_FR)


def test_an_archive_with_one_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        archive.writestr("data/pairs.tsv", "Hello.\tBonjour.\n")
    assert list(find_source(tmp_path, "pairs.zip", EN_FR).pairs()) == [Pair(1, "Hello.", "Bonjour.")]


# What an error says --------------------------------------------------------------------------------------------------

PROPOSALS = [
    (("pairs.tsv",), "train", EN_FR, "data.train: pairs.tsv"),
    (("small_vocab_en", "small_vocab_fr"), "train", EN_FR, "data.train: small_vocab"),
    (("news.en", "news.fr"), "train", EN_FR, "data.train: news"),
    (("train.en", "train.de"), "train", EN_FR, "data.source: de and data.target: en"),
    (("eng_Latn.devtest", "fra_Latn.devtest"), "train", ("eng_Latn", "fra_Latn"), "data.train: devtest"),
]


@pytest.mark.parametrize(("files", "name", "languages", "proposal"), PROPOSALS, ids=[row[3] for row in PROPOSALS])
def test_an_error_proposes_what_works(
    tmp_path: Path, files: tuple[str, ...], name: str, languages: tuple[str, str], proposal: str
) -> None:
    write(tmp_path, *files)
    if files == ("pairs.tsv",):
        (tmp_path / "pairs.tsv").write_text("a\tb\n", encoding="utf-8")
    with pytest.raises(NoSuchText) as raised:
        find_source(tmp_path, name, languages)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / name}: no such text in {languages[0]} and {languages[1]}; the folder has ")
    assert message.endswith(f"; set {proposal}")
    found = dict(re.findall(r"data\.(\w+): (\S+)", proposal))
    meant = (found.get("source", languages[0]), found.get("target", languages[1]))
    assert next(find_source(tmp_path, found.get("train", name), meant).pairs())


def test_an_error_lists_only_some_of_a_big_folder(tmp_path: Path) -> None:
    write(tmp_path, *(f"file{number:03}.bin" for number in range(50)))
    with pytest.raises(NoSuchText, match=r"the folder has file000.bin, .*file007.bin and 42 others$"):
        find_source(tmp_path, "train", EN_FR)


def test_validation_on_the_training_text_is_never_proposed(tmp_path: Path) -> None:
    write(tmp_path, "train.en", "train.fr")
    with pytest.raises(NoSuchText, match=r"the folder has train.en, train.fr$"):
        find_source(tmp_path, "valid", EN_FR, key="data.valid")


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "alone.txt", "train.en", "train.fr")
    with pytest.raises(DataError, match=r"alone.txt: holds one side of a text; name its translation as well"):
        find_source(tmp_path, "alone.txt", EN_FR)
    with pytest.raises(DataError, match="columns have no effect on train, which is text; remove them"):
        find_source(tmp_path, "train", EN_FR, columns=(1, 2))
    with pytest.raises(DataError, match="format 'odt' is not known; use one of text, "):
        find_source(tmp_path, "train", EN_FR, format="odt")
    with pytest.raises(DataError, match="no such folder"):
        find_source(tmp_path / "none", "train", EN_FR)
