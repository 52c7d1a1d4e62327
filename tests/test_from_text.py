"""A text in place of a config: three commands from an empty folder; and a folder that is moved with its run."""

import json
import shutil
from pathlib import Path

import pytest
from test_cli import Run, nmt  # noqa: F401 (a fixture)

from nmt import config
from nmt.config.defaults_for import ROWS, defaults_for, describe_rule
from nmt.data.from_text import settings_of
from nmt.errors import ConfigError, DataError
from nmt.runs import store
from nmt.training.train import train

FAST = [
    "subword.vocab_size=340",
    "model.hidden=16",
    "model.embedding=16",
    "training.max_steps=3",
    "data.max_length=400",
]


def rows(corpus: Path, count: int = 200) -> list[str]:
    sides = [(corpus / f"train.{side}").read_text(encoding="utf-8").split("\n")[:count] for side in ("en", "fr")]
    return [f"{source}\t{target}\n" for source, target in zip(*sides, strict=True)]


@pytest.fixture
def place(tiny_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for pairs.tsv, and the current one."""
    (tmp_path / "pairs.tsv").write_text("".join(rows(tiny_corpus)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Three commands ------------------------------------------------------------------------------------------------------


def test_train_translate_evaluate_in_a_folder_with_nothing_but_a_text(nmt: Run, tiny_corpus: Path) -> None:  # noqa: F811
    shutil.rmtree("runs")
    Path("pairs.en-fr.tsv").write_text("".join(rows(tiny_corpus)), encoding="utf-8")
    trained = nmt("train", "pairs.en-fr.tsv", *FAST)
    assert trained.status == 0, trained.err
    lines = trained.out.split("\n")
    assert lines[0] == "200 pairs, en -> fr; the settings will be in runs/pairs/pairs.yaml"
    assert "  translate: echo 'Some text.' | nmt translate runs/pairs" in lines
    assert "  evaluate:  nmt eval runs/pairs" in lines
    assert nmt("translate", "runs/pairs", stdin="We see the house.\n").out.count("\n") == 1
    scored = nmt("eval", "runs/pairs", "--metric", "bleu")
    assert scored.status == 0, scored.err
    assert "test: 10 lines" in scored.out
    again = nmt("train", "pairs.en-fr.tsv")
    assert again.status == 0, again.err
    assert again.out.startswith("settings: runs/pairs/pairs.yaml\n")
    assert "already finished: training.max_steps=3 reached\n" in again.out
    kept = config.load("runs/pairs/pairs.yaml")
    assert config.differences(kept, store.load_settings(Path("runs/pairs"))).keys() <= {
        "run",
        "training.precision",
    }  # auto is recorded as what it chose


def test_the_config_of_a_text_has_a_comment_at_each_setting(place: Path) -> None:
    start = settings_of(Path("pairs.tsv"), [*FAST, "data.source=en", "data.target=fr"])
    [(name, text)] = start.files.items()
    assert name == "pairs.yaml"
    assert text.startswith(
        "# Settings for 200 pairs, written by: nmt train pairs.tsv\n# Paths are relative to this file."
    )
    assert all("  # " in line or line.endswith(":") for line in text.split("\n")[2:-1])
    assert "  train: pairs.tsv  # " in text
    assert "  hold_out: 10  # " in text
    assert "  max_steps: 3  # " in text
    assert start.settings.data.folder == str(place)
    assert not any("note: " in note for note in start.notes)


@pytest.mark.parametrize(
    ("names", "languages"),
    [
        (["train.en", "train.fr"], ("en", "fr")),
        (["src-train.txt", "tgt-train.txt"], ("src", "tgt")),
        (["eng_Latn.dev", "fra_Latn.dev"], ("eng", "fra")),
        (["one.txt", "another-one.txt"], ("source", "target")),
    ],
)
def test_two_files(place: Path, names: list[str], languages: tuple[str, str]) -> None:
    for side, name in enumerate(names):
        text = (place / "pairs.tsv").read_text(encoding="utf-8").split("\n")[:-1]
        (place / name).write_text("".join(f"{line.split(chr(9))[side]}\n" for line in text), encoding="utf-8")
    start = settings_of(Path(names[0]), [names[1], *FAST])
    assert (start.settings.data.source, start.settings.data.target) == languages
    assert start.settings.data.train[0].source == names[0]
    assert any(note.startswith("note: nothing in ") for note in start.notes) == (languages == ("source", "target"))


def test_several_files_with_both_sides(place: Path, tiny_corpus: Path) -> None:
    """They are one training text, of whatever formats and folders; names tell the languages."""
    (place / "sub").mkdir()
    other = place / "sub" / "news.en-fr.jsonl"
    pairs = [line.rstrip("\n").split("\t") for line in rows(tiny_corpus, 30)]
    other.write_text("".join(json.dumps({"en": en, "fr": fr}) + "\n" for en, fr in pairs), encoding="utf-8")
    start = settings_of(Path("pairs.tsv"), ["sub/news.en-fr.jsonl", *FAST])
    assert [text.path for text in start.settings.data.train] == ["pairs.tsv", "sub/news.en-fr.jsonl"]
    assert (start.settings.data.source, start.settings.data.target) == ("en", "fr")
    [(name, text)] = start.files.items()
    assert name == "pairs.yaml" and text.startswith("# Settings for 230 pairs, written by: nmt train pairs.tsv sub/")
    again = settings_of(Path("sub/news.en-fr.jsonl"), ["pairs.tsv", *FAST])
    assert [text.path for text in again.settings.data.train] == ["news.en-fr.jsonl", "../pairs.tsv"]


MISTAKES = [
    (
        ["train.en"],
        "train.en: neither a config nor a text with both sides; name a YAML file, a file with both",
    ),
    (
        ["pairs.tsv", "train.en", "train.fr"],
        "train.en: has one side, but pairs.tsv has both; name files of one kind",
    ),
    (["train.en", "train.fr", "train.en"], "train.en: a third file; name one config, files with both sides, or two"),
    (["train.en", "train.fr", "max_steps"], "max_steps: no such file; a setting is written KEY=VALUE"),
    (["pairs.tsv", "more.yaml"], "more.yaml: a config beside pairs.tsv; name a config alone, and write settings as"),
    (["pairs.en-fr.tsv", "pairs.en-de.tsv"], "pairs.en-de.tsv: is en -> de, but pairs.en-fr.tsv is en -> fr; name"),
    (["pairs.tsv", "data.train=x"], "command line: data.train: has no effect beside pairs.tsv; remove it, or write a"),
    (["few.tsv"], "few.tsv: has 4 usable pairs; training needs 10 or more"),
    (
        ["none.tsv"],
        "none.tsv: no such file; name a config (.yaml), a file with both sides, or two files: none.tsv OTHER",
    ),
    (["pairs.tsv", "model.hiden=3"], "command line: model.hiden: unknown key; did you mean model.hidden?"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_are_named(place: Path, tiny_corpus: Path, words: list[str], message: str) -> None:
    for side in ("en", "fr"):
        shutil.copy(tiny_corpus / f"train.{side}", place)
    for name in ("pairs.en-fr.tsv", "pairs.en-de.tsv"):
        shutil.copy(place / "pairs.tsv", place / name)
    (place / "few.tsv").write_text("".join(rows(tiny_corpus, 4)), encoding="utf-8")
    with pytest.raises((ConfigError, DataError)) as caught:
        settings_of(Path(words[0]), words[1:])
    assert str(caught.value).startswith(message)
    assert not (place / "runs").exists()


def test_a_run_of_another_text_is_not_continued(place: Path) -> None:
    start = settings_of(Path("pairs.tsv"), FAST)
    (place / "runs" / "pairs").mkdir(parents=True)
    (place / "runs" / "pairs" / "pairs.yaml").write_text(start.files["pairs.yaml"], encoding="utf-8")
    (place / "other").mkdir()
    shutil.copy(place / "pairs.tsv", place / "other" / "pairs.tsv")
    assert settings_of(Path("pairs.tsv"), []).settings == start.settings
    with pytest.raises(ConfigError, match=r"^runs/pairs/pairs\.yaml: trains on other text than other/pairs\.tsv; "):
        settings_of(Path("other/pairs.tsv"), [])


# The rule ------------------------------------------------------------------------------------------------------------


def test_the_rule_has_a_row_for_every_size() -> None:
    assert [row.pairs for row in ROWS] == sorted(row.pairs for row in ROWS)
    for pairs in (10, 2_000, 2_001, 10**5, 10**6, 10**9):
        values = defaults_for(pairs)
        assert 0 < values["data.hold_out"] <= max(1, pairs // 20)
        assert config.load(
            "a.yaml", [f"{key}={value}" for key, value in values.items()], "data: {source: a, target: b}"
        )
    table = list(describe_rule(2_001))
    assert len(table) == 2 + len(ROWS)
    assert [line[:2] for line in table[2:]] == ["  ", "->", "  ", "  ", "  "]


# Folders that move ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, a.yaml and runs/a, a trained run. Copy it before you write into it."""
    here = tmp_path_factory.mktemp("project")
    shutil.copytree(tiny_corpus, here / "data")
    text = "data: {folder: data, source: en, target: fr}\nsubword: {vocab_size: 360}\n"
    text += "model: {hidden: 16, embedding: 16}\ntraining: {max_steps: 1}\n"
    (here / "a.yaml").write_text(text, encoding="utf-8")
    train(config.load(here / "a.yaml", [f"run={here}/runs/a"]), ["nmt", "train"])
    return here


def test_a_project_that_moves_finds_its_text_again(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "  folder: ../../data\n" in (trained / "runs" / "a" / "config.yaml").read_text()
    there = Path(shutil.copytree(trained, tmp_path / "there"))
    assert store.load_settings(there / "runs" / "a").data.folder == str(there / "data")
    capsys.readouterr()
    train(config.load(there / "a.yaml", [f"run={there}/runs/a"]), ["nmt", "train"])
    out = capsys.readouterr().out
    assert "already finished" in out
    assert "changed:" not in out


def test_a_run_that_is_copied_alone_finds_the_text_where_it_was(trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained / "runs" / "a", tmp_path / "far" / "away" / "copy"))
    assert store.load_settings(copy).data.folder == str(trained / "data")
    (copy / "provenance.json").unlink()
    assert store.load_settings(copy).data.folder == str(tmp_path / "far" / "data")  # which messages will name


def test_the_absolute_paths_of_an_old_run_stay(trained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained / "runs" / "a", tmp_path / "old"))
    (run / "provenance.json").unlink()
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("../../data", str(trained / "data")))
    assert store.load_settings(run).data.folder == str(trained / "data")
