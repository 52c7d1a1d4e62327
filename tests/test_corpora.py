"""Several texts: found once, encoded each by its own fingerprint, read as often as their weights say."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from nmt import config
from nmt.config import Settings
from nmt.data.batching import epoch_order
from nmt.data.cache import FORMAT
from nmt.data.corpora import find_corpora
from nmt.data.corpus import file_hash
from nmt.data.prepare import Prepared, prepare
from nmt.errors import ConfigError, DataError
from nmt.training.batches import EpochBatches


@pytest.fixture(scope="module")
def folder(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """news (200 pairs), talks.tsv (20 pairs) and more (20 pairs, with names of their own)."""
    folder = tmp_path_factory.mktemp("several")
    for language in ("en", "fr"):
        shutil.copy(tiny_corpus / f"train.{language}", folder / f"news.{language}")
        shutil.copy(tiny_corpus / f"valid.{language}", folder / f"valid.{language}")
    english, french = (
        (tiny_corpus / f"test.{language}").read_text(encoding="utf-8").split("\n")[:-1] for language in ("en", "fr")
    )
    rows = "".join(f"{one}\t{other}\n" for one, other in zip(english, french, strict=True))
    (folder / "talks.tsv").write_text(rows, encoding="utf-8")
    (folder / "english.txt").write_text("\n".join(english) + "\n", encoding="utf-8")
    (folder / "french.txt").write_text("\n".join(french) + "\n", encoding="utf-8")
    return folder


def settings(folder: Path, data: str, *words: str) -> Settings:
    text = f"data:\n  source: en\n  target: fr\n  max_length: 400\n{data}\nsubword: {{vocab_size: 340}}\n"
    return config.load(folder / "a.yaml", ["training.max_steps=1", *words], text)


THREE = """\
  train:
    - news
    - {path: talks.tsv, weight: 2, name: talks}
    - {source: english.txt, target: french.txt, weight: 0.25}
"""


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Prepared:
    return prepare(settings(folder, THREE))


def test_texts_follow_each_other_and_lines_know_theirs(prepared: Prepared, folder: Path) -> None:
    assert prepared.train.sizes == [200, 20, 20]
    assert [prepared.train.text_of(index) for index in (0, 199, 200, 219, 220, 239)] == [0, 0, 1, 1, 2, 2]
    assert prepared.train.lines[[0, 199, 200, 239]].tolist() == [1, 200, 1, 20]
    first = (folder / "english.txt").read_text(encoding="utf-8").split("\n")[0]
    for index in (200, 220):
        assert prepared.subwords.source.decode(prepared.train.source(index).tolist()) == first
    assert len(prepared.train.source_lengths()) == len(prepared.train.target_lengths()) == len(prepared.train) == 240
    assert list(prepared.notes) == ["news", "talks", "english.txt", "valid"]
    names = {"news.en", "news.fr", "talks.tsv", "english.txt", "french.txt", "valid.en", "valid.fr"}
    assert set(prepared.hashes) == names
    assert prepared.text.split() == [prepared.hashes[name] for name in list(prepared.hashes)[:5]]


def test_an_epoch_reads_each_text_by_its_weight(prepared: Prepared, folder: Path) -> None:
    batches = EpochBatches(prepared.train, settings(folder, THREE), prepared.subwords, None, prepared.weights)
    batches.begin(0)
    chosen = batches.chosen(0, len(batches))
    assert Counter(text for text, _ in batches.places(chosen)) == {0: 200, 1: 40, 2: 5}
    expected = epoch_order([(200, 1.0), (20, 2.0), (20, 0.25)], 1, 0)
    assert sorted(index for indices in chosen for index in indices.tolist()) == sorted(expected.tolist())


def test_a_change_of_one_text_encodes_that_one_alone(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    model = prepare(settings(copy, THREE)).subwords.source.model
    (copy / "mine.model").write_bytes(model)
    given = THREE.replace("name: talks", "name: talks")
    prepare(settings(copy, given, f"subword.model={copy / 'mine.model'}"))
    with (copy / "talks.tsv").open("a", encoding="utf-8") as file:
        file.write("One more.\tUn de plus.\n")
    said: list[str] = []
    prepare(settings(copy, given, f"subword.model={copy / 'mine.model'}"), said.append)
    assert said == ["encoding talks.tsv"]


def test_several_validation_texts_the_first_one_judges(folder: Path) -> None:
    prepared = prepare(settings(folder, "  train: news\n  valid: [valid, {path: talks.tsv, name: talks}]\n"))
    assert [(source.name, len(dataset)) for source, dataset in prepared.valid_sets] == [("valid", 20), ("talks", 20)]
    assert prepared.valid is prepared.valid_sets[0][1]


def test_one_plain_text_has_the_cache_key_of_the_first_version(folder: Path) -> None:
    prepared = prepare(settings(folder, "  train: news\n"))
    digest = hashlib.sha256(prepared.subwords.source.model).hexdigest()
    recipe = ("dataset", [file_hash(folder / f"news.{side}") for side in ("en", "fr")], [digest, digest], 400)
    key = hashlib.sha256(json.dumps([FORMAT, recipe], sort_keys=True).encode()).hexdigest()[:24]
    assert prepared.train.folders[0].name == key


def test_filters_drop_and_count(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with (copy / "talks.tsv").open("a", encoding="utf-8") as file:
        file.write("Not translated.\tNot translated.\nA <b>tag</b>.\tUne balise.\nNot translated.\tNot translated.\n")
    words = ["data.filters=[identical, markup]"]
    prepared = prepare(settings(copy, "  train: [news, talks.tsv]\n", *words))
    assert prepared.train.sizes == [200, 20]
    assert prepared.notes["talks.tsv"] == {
        "pairs with identical sides left out": 2,
        "pairs with markup left out": 1,
    }


def test_what_is_wrong_with_many_pairs_is_warned_of_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    shutil.copy(copy / "news.en", copy / "news.fr")
    said: list[str] = []
    prepare(settings(copy, "  train: [news, talks.tsv]\n"), said.append)
    remedy = "to leave them out: data.filters=[identical]"
    assert f"warning: news: pairs with identical sides: 200 (100.0 %), such as line 1; {remedy}" in said
    assert len(prepare(settings(copy, "  train: [news, talks.tsv]\n", "data.filters=[identical]")).train) == 20


@pytest.mark.parametrize("hold_out", [[], ["data.hold_out=500"]])
def test_text_without_validation_text_names_the_remedy_that_works(
    folder: Path, tmp_path: Path, hold_out: list[str]
) -> None:
    for language in ("en", "fr"):
        shutil.copy(folder / f"news.{language}", tmp_path / f"train.{language}")
    if hold_out:
        said: list[str] = []
        prepared = prepare(settings(tmp_path, "", *hold_out), said.append)
        assert (len(prepared.train), len(prepared.valid)) == (160, 40)
        assert "data.hold_out: the valid set is 40 pairs of the training text, which is too small for 500" in said
        return
    with pytest.raises(DataError) as caught:
        prepare(settings(tmp_path, ""))
    assert str(caught.value) == (
        f"{tmp_path}/valid: no such text in en and fr; the folder has train.en, train.fr; "
        "name other text, or take it from the training text: set data.hold_out=500"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("  train: []\n", "data.train: names no text; name one, as in data.train=train"),
        ("  valid: []\n", "data.valid: names no text; name one, or take it from the training text: set data.hold_out="),
    ],
)
def test_no_text_at_all(folder: Path, data: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        find_corpora(settings(folder, data if "train" in data else f"  train: news\n{data}").data)
    assert str(caught.value).startswith(message)


MISTAKES = [
    ("  train: [{path: a, wieght: 2}]\n", "a.yaml:5: data.train.wieght: unknown key; did you mean data.train.weight?"),
    ("  train: [{path: a, weight: 0}]\n", "a.yaml:5: data.train.weight: 0 must be more than 0"),
    ("  train: {weight: 2}\n", "a.yaml:5: data.train: {'weight': 2} must have a path, or both source and target"),
    ("  train: [{source: a}]\n", "a.yaml:5: data.train: {'source': 'a'} must have a path, or both source and target"),
    ("  valid: {path: a, weight: 2}\n", "a.yaml:5: data.valid: a weight has an effect only in data.train; remove it"),
    ("  hold_out: 1.5\n", "a.yaml:5: data.hold_out: 1.5 must be a whole number of pairs, or a share below 1"),
    ("  hold_out: -1\n", "a.yaml:5: data.hold_out: -1 must be 0 or more"),
    (
        "  valid: dev\n  hold_out: 5\n",
        "a.yaml:5: data.valid: has no effect unless data.hold_out=0; remove it",
    ),
    (
        "  filters: identcal\n",
        "a.yaml:5: data.filters: 'identcal' must be one of blank, identical, duplicate, ratio, script, markup, entities"
        "; did you mean identical?",
    ),
]


@pytest.mark.parametrize(("data", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        settings(Path(), data)
    assert message in caught.value.problems


@pytest.mark.parametrize(
    "data", [THREE, "  train: one\n", "  train: {path: a.tsv, columns: [1, fr]}\n", "  hold_out: 5%\n"]
)
def test_written_and_read_again_the_settings_are_the_same(tmp_path: Path, data: str) -> None:
    before = settings(tmp_path, data)
    after = config.load(tmp_path / "a.yaml", [], config.dump(before))
    assert config.differences(before, after) == {}


def test_a_mapping_can_be_written_as_keys(tmp_path: Path) -> None:
    one = settings(tmp_path, "", "data.train.path=a.tsv", "data.train.weight=2").data.train
    other = settings(tmp_path, "  train: {path: a.tsv, weight: 2}\n").data.train
    assert one == other == settings(tmp_path, "", "data.train={path: a.tsv, weight: 2}").data.train
