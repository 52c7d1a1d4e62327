"""Preparation: made once, kept under the hash of what it was made from, and refused or warned about in words."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt import config
from nmt.config import Settings
from nmt.data.cache import cache_folder
from nmt.data.prepare import prepare, thinned
from nmt.data.subword_training import train_subword
from nmt.errors import DataError

CONFIG = """\
data:
  folder: .
  source: en
  target: fr
  max_length: 400
subword:
  vocab_size: 330
training:
  max_steps: 9
"""


@pytest.fixture
def corpus(tiny_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny corpus with a config beside it, and an empty cache."""
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "corpus"
    shutil.copytree(tiny_corpus, folder)
    (folder / "a.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


def settings(corpus: Path, *words: str) -> Settings:
    return config.load(corpus / "a.yaml", list(words))


def said(corpus: Path, *words: str) -> list[str]:
    lines: list[str] = []
    prepare(settings(corpus, *words), lines.append)
    return lines


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


TRAINING = "training a unigram subword model on train.en + train.fr"
ENCODING = ["encoding train.en and train.fr", "encoding valid.en and valid.fr"]


def test_everything_is_made_once(corpus: Path) -> None:
    assert said(corpus) == [TRAINING, *ENCODING]
    made = {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")}
    assert said(corpus) == []
    assert {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")} == made


def test_what_comes_out(corpus: Path) -> None:
    data = prepare(settings(corpus))
    assert data.subwords.joint
    assert len(data.subwords.source) == 330
    assert (len(data.train), len(data.valid)) == (200, 20)
    first = (corpus / "train.fr").read_text(encoding="utf-8").split("\n")[0]
    assert data.subwords.target.decode(data.train.target(0).tolist()) == first
    assert set(data.hashes) == {"train.en", "train.fr", "valid.en", "valid.fr"}
    assert data.notes == {"train": {}, "valid": {}}


def test_only_what_depends_on_a_change_is_made_again(corpus: Path) -> None:
    said(corpus)
    assert said(corpus, "data.max_length=401") == ENCODING[:1]
    assert said(corpus, "model.hidden=64", "training.seed=2") == []
    assert said(corpus, "subword.vocab_size=331") == [TRAINING, *ENCODING]
    change(corpus / "valid.en", "the", "The")
    assert said(corpus) == ENCODING[1:]
    change(corpus / "train.fr", "le", "Le")
    assert said(corpus) == [TRAINING, *ENCODING]


def test_the_same_content_elsewhere_is_not_made_again(corpus: Path) -> None:
    said(corpus)
    moved = corpus.rename(corpus.with_name("moved"))
    assert said(moved) == []


def test_files_of_the_same_name_in_two_folders_are_told_apart(corpus: Path) -> None:
    for stem in ("train", "valid"):
        (corpus / stem).mkdir()
        for language in ("en", "fr"):
            (corpus / f"{stem}.{language}").rename(corpus / stem / f"text.{language}")
    data = prepare(settings(corpus, "data.train=train/text", "data.valid=valid/text"))
    assert (len(data.train), len(data.valid)) == (200, 20)
    assert set(data.hashes) == {"train/text.en", "train/text.fr", "valid/text.en", "valid/text.fr"}
    assert len(set(data.hashes.values())) == 4


def test_separate_vocabularies(corpus: Path) -> None:
    words = ("subword.joint=false", "model.tying=none")
    assert said(corpus, *words) == [
        "training a unigram subword model on train.en",
        "training a unigram subword model on train.fr",
        *ENCODING,
    ]
    data = prepare(settings(corpus, *words))
    assert not data.subwords.joint
    assert data.subwords.source.model != data.subwords.target.model


def test_a_leftover_of_a_crash_is_harmless(corpus: Path) -> None:
    data = prepare(settings(corpus))
    folder = data.train.folders[0]
    expected = data.train.source(7).tolist()
    shutil.copytree(folder, folder.with_name(f"{folder.name}.tmp-1"))
    (folder.with_name(f"{folder.name}.tmp-1") / "source.ids").write_bytes(b"half")
    shutil.rmtree(folder)
    assert said(corpus) == ENCODING[:1]
    assert prepare(settings(corpus)).train.source(7).tolist() == expected


def test_what_a_killed_process_left_of_a_folder_is_removed_when_it_is_made(corpus: Path) -> None:
    folder = prepare(settings(corpus)).train.folders[0]
    shutil.rmtree(folder)
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = platform.node()
    left = [f"{folder.name}.tmp-{here}@{ended.pid}", f"{folder.name}.tmp-{here}@{os.getpid()}"]
    others = [
        f"{folder.name}.tmp-{here}@{os.getppid()}",
        f"{folder.name}.tmp-{here}-2@{ended.pid}",
        f"another.tmp-{here}@{ended.pid}",
    ]
    for name in (*left, *others):
        folder.with_name(name).mkdir()
    prepare(settings(corpus))
    assert {path.name for path in cache_folder().glob("*.tmp-*")} == set(others)


@pytest.mark.parametrize("cache", ["a file", "a file/cache", "/proc/cache"])
def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / cache))
    with pytest.raises(DataError) as caught:
        prepare(settings(corpus))
    assert re.fullmatch(
        rf"{cache_folder()}: cannot write the cache: [\w ]+; name another folder: NMT_CACHE=FOLDER", str(caught.value)
    )


@pytest.mark.parametrize(
    "name", ["lines", "source.ids", "source.offsets", "target.ids", "target.offsets", "notes.json"]
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda file: os.truncate(file, 0), lambda file: os.truncate(file, 4)])
def test_a_damaged_dataset_of_the_cache_is_made_again(
    corpus: Path, name: str, damage: Callable[[Path], object]
) -> None:
    folder = prepare(settings(corpus)).train.folders[0]
    before = contents(folder)
    damage(folder / name)
    [note, making] = said(corpus)
    assert re.fullmatch(rf"note: {folder}: this cache entry is damaged \({name} [\w ,]+\); rebuilding it", note)
    assert making == ENCODING[0]
    assert contents(folder) == before
    assert said(corpus) == []


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_damaged_subword_model_of_the_cache_is_made_again(corpus: Path) -> None:
    expected = prepare(settings(corpus)).subwords.source.model
    [model] = cache_folder().glob("*/subword.model")
    model.write_bytes(expected[:-1] + b"x")  # still a model
    assert said(corpus) == [
        f"note: {model.parent}: this cache entry is damaged (subword.model differs from its checksum); rebuilding it",
        TRAINING,
    ]
    assert prepare(settings(corpus)).subwords.source.model == expected


def test_a_failure_leaves_nothing_in_the_cache(corpus: Path) -> None:
    (corpus / "train.en").write_bytes(b"ok\n\xff\n")
    with pytest.raises(DataError, match=r"train\.en:2: byte 1: not UTF-8"):
        prepare(settings(corpus))
    assert list(cache_folder().glob("*")) == []


# Warnings and refusals -----------------------------------------------------------------------------------------------


def test_validation_on_the_training_text_is_warned_about(corpus: Path) -> None:
    warning = "warning: train.en and {}.en are the same: validation will not see overfitting"
    assert said(corpus, "data.valid=train")[0] == warning.format("train")
    for language in ("en", "fr"):
        shutil.copy(corpus / f"train.{language}", corpus / f"copy.{language}")
    assert said(corpus, "data.valid=copy")[0] == warning.format("copy")


def test_what_was_mended_or_left_out_is_said_each_time_and_counted(corpus: Path) -> None:
    for language, first in (("en", "a" * 1_000_000), ("fr", "b")):
        lines = (corpus / f"train.{language}").read_text(encoding="utf-8").split("\n")[:-1]
        lines[3] = first
        if language == "en":
            lines[4:6] = ["", "\u3000"]
        (corpus / f"train.{language}").write_text("\r\n".join(lines), encoding="utf-8", newline="")
    expected = [
        "warning: train: train.en: line ending \\r\\n read as \\n: 199",
        "warning: train: train.en: no newline at the end of the file: 1",
        "warning: train: train.fr: line ending \\r\\n read as \\n: 199",
        "warning: train: train.fr: no newline at the end of the file: 1",
        "warning: train: pairs with a blank side left out: 2",
        "warning: train: pairs longer than 400 pieces left out (data.max_length): 1",
    ]
    left_out = "lines of more than 100,000 characters, left out of the subword training: 1"
    assert sorted(said(corpus)) == sorted([left_out, TRAINING, *ENCODING, *expected])
    assert sorted(said(corpus)) == sorted(expected)
    data = prepare(settings(corpus))
    assert len(data.train) == 197
    assert sum(data.notes["train"].values()) == 403
    assert not {4, 5, 6} & set(data.train.lines.tolist())


@pytest.mark.parametrize("stem", ["train", "valid"])
@pytest.mark.parametrize(("source", "target"), [("", ""), ("\n\u00a0\n", "a\nb\n")])
def test_no_usable_pair(corpus: Path, stem: str, source: str, target: str) -> None:
    (corpus / f"{stem}.en").write_text(source, encoding="utf-8")
    (corpus / f"{stem}.fr").write_text(target, encoding="utf-8")
    with pytest.raises(DataError, match=rf"{stem}\.en: no usable pair of sentences"):
        prepare(settings(corpus))


def test_all_pairs_too_long(corpus: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepare(settings(corpus, "data.max_length=1"))
    assert str(caught.value) == (
        f"{corpus / 'train.en'}: no usable pair of sentences is left; the warnings above say why"
    )


def test_a_missing_line_is_refused_before_anything_is_trained(corpus: Path) -> None:
    text = (corpus / "train.fr").read_text(encoding="utf-8")
    (corpus / "train.fr").write_text(text[: text[:-1].rindex("\n") + 1], encoding="utf-8")
    with pytest.raises(DataError) as caught:
        prepare(settings(corpus))
    assert str(caught.value) == (
        f"{corpus / 'train.en'} has 200 lines and {corpus / 'train.fr'} has 199; "
        "line N of one must translate line N of the other"
    )


def test_a_vocabulary_that_the_text_does_not_yield(corpus: Path) -> None:
    words = ("subword.vocab_size=90k", "subword.model_type=bpe")
    lines: list[str] = []
    size = len(prepare(settings(corpus, *words), lines.append).subwords.source)
    assert f"vocabulary of train.en + train.fr: 90,000 asked for, {size:,} used: all that this text yields" in lines


# Models that are given -----------------------------------------------------------------------------------------------


def test_a_given_model_is_taken(corpus: Path) -> None:
    made = prepare(settings(corpus)).subwords.source.model
    (corpus / "mine.model").write_bytes(made)
    (corpus / "a.yaml").write_text(CONFIG.replace("vocab_size: 330", "model: mine.model"), encoding="utf-8")
    data = prepare(settings(corpus))
    assert data.subwords.joint
    assert data.subwords.source.model == made
    assert said(corpus) == []


def test_two_given_models_are_source_and_target(corpus: Path) -> None:
    words = ("subword.joint=false", "model.tying=none")
    made = prepare(settings(corpus, *words)).subwords
    (corpus / "en.model").write_bytes(made.source.model)
    (corpus / "fr.model").write_bytes(made.target.model)
    taken = prepare(
        settings(corpus, f"subword.model=[{corpus / 'en.model'}, {corpus / 'fr.model'}]", "model.tying=none")
    ).subwords
    assert [subword.model for subword in taken] == [made.source.model, made.target.model]


def test_a_given_model_that_is_none(corpus: Path) -> None:
    with pytest.raises(DataError, match=r"train\.en: not a SentencePiece model, or damaged$"):
        prepare(settings(corpus, f"subword.model={corpus / 'train.en'}"))


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("NMT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "nmt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "nmt"


# Large corpora -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 99, 100, 101, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 100, 1000])
def test_thinned_is_evenly_spaced_from_the_first(count: int, limit: int) -> None:
    kept = thinned(range(count), limit)
    assert len(kept) <= limit
    if count <= limit:
        assert kept == list(range(count))
        return
    step = kept[1] if len(kept) > 1 else count
    assert kept == list(range(0, count, step))[: len(kept)]
    assert count - 1 - kept[-1] < step  # up to the end
    assert len(kept) > limit / 2 - 1


def test_subwords_are_learnt_from_pairs_all_over_the_text(corpus: Path) -> None:
    prepared = prepare(settings(corpus, "subword.sample=200", "subword.vocab_size=320"))
    source, target = (
        (corpus / f"train.{side}").read_text(encoding="utf-8").splitlines()  # (a corpus without blank lines)
        for side in ("en", "fr")
    )
    pairs = thinned(list(zip(source, target, strict=True)), 100)
    assert 50 <= len(pairs) < len(source)
    how = settings(corpus, "subword.vocab_size=320").subword
    assert prepared.subwords.source.model == train_subword([text for pair in pairs for text in pair], how)
