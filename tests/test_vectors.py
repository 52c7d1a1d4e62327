"""Pretrained vectors: their files, the rows that they set, and what freezing holds still."""

import gzip
import json
import shutil
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt import cli, config
from nmt.check import check_config
from nmt.config import ModelSettings, SubwordSettings
from nmt.data.subword import Subword
from nmt.data.subword_training import train_subword
from nmt.data.vectors import Vectors, read_vectors, vocabulary_words
from nmt.errors import ConfigError, DataError, UserError
from nmt.model import make_model
from nmt.model.architecture import ARCHITECTURES
from nmt.runs.store import CHECKPOINTS, LOG, METRICS, PROVENANCE
from nmt.runs.weights import tensors_hash
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.initialization import FrozenRows, at_random_scale, initialize_from_vectors
from nmt.training.state import TrainState
from nmt.training.train import train

# Files ---------------------------------------------------------------------------------------------------------------

WORDS = {4: "the", 5: "Paris", 6: "paris", 7: "Lyon", 8: "nowhere"}
GLOVE = "the 1 -2e-1 .5\nparis 4 5 6\nLYON 0 0 0\nlyon 7 8 9\n"

FORMATS = {
    "GloVe": GLOVE.encode(),
    "word2vec": f"4 3\n{GLOVE}".encode(),
    "word2vec, a space after each line": f"4 3\n{GLOVE}".replace("\n", " \n").encode(),
    "no newline at the end": GLOVE.removesuffix("\n").encode(),
    "from Windows": b"\xef\xbb\xbf" + GLOVE.replace("\n", "\r\n").encode(),
}


def read(folder: Path, content: bytes, words: dict[int, str] = WORDS, size: int = 3, name: str = "v.txt") -> Vectors:
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return read_vectors(folder / name, words, size)


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.txt.gz"])
@pytest.mark.parametrize("form", FORMATS)
def test_all_formats_give_the_same(tmp_path: Path, form: str, name: str) -> None:
    vectors = read(tmp_path, FORMATS[form], name=name)
    assert vectors.ids.tolist() == [4, 5, 6, 7]
    expected = np.array([[1, -0.2, 0.5], [4, 5, 6], [4, 5, 6], [7, 8, 9]], dtype=np.float32)
    assert (vectors.values.dtype, vectors.values.tolist()) == (expected.dtype, expected.tolist())
    assert vectors.lowered == 2  # Paris and Lyon
    assert vectors.missing == ["nowhere"]


@pytest.mark.parametrize("content", ["Paris 1\nparis 2\n", "paris 2\nParis 1\n"])
def test_the_word_itself_comes_before_its_lower_case(tmp_path: Path, content: str) -> None:
    vectors = read(tmp_path, content.encode(), size=1)
    assert (vectors.ids.tolist(), vectors.values.ravel().tolist(), vectors.lowered) == ([5, 6], [1, 2], 0)


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    vectors = read(tmp_path, b"lyon 3\nthe 1\nlyon 4\nthe 2\n", size=1)
    assert (vectors.ids.tolist(), vectors.values.ravel().tolist()) == ([4, 7], [1, 3])


def test_words_of_a_file_may_hold_spaces_and_digits(tmp_path: Path) -> None:
    """The numbers are the last fields: `the end` is not `the`, and `4` is a word."""
    content = "the end 9 9\n. . . 8 8\nthe 7 7\n\u00a0 6 6\n 5 5\n4 4 4\n"
    vectors = read(tmp_path, content.encode(), {4: "the", 5: ".", 6: "4", 7: "end"}, size=2)
    assert (vectors.ids.tolist(), vectors.values.tolist()) == ([4, 6], [[7, 7], [4, 4]])
    with pytest.raises(ConfigError, match="have 2 numbers"):
        read(tmp_path, content.encode(), size=3)


def test_two_words_of_the_same_spelling_get_the_same_vector(tmp_path: Path) -> None:
    assert read(tmp_path, b"a 1\n", {4: "a", 9: "a", 11: "A"}, size=1).ids.tolist() == [4, 9, 11]


BAD = [
    (b"the 1 2 3\nParis 1 2\n", "{file}:2: not a word and 3 numbers; is the line cut short?"),
    (b"2 3\nthe 1 2 3\n1 2 3\n", "{file}:3: not a word and 3 numbers; is the line cut short?"),
    (b"the 1 2 3\n\nlyon 1 2 3\n", "{file}:2: not a word and 3 numbers; is the line cut short?"),
    (b"a 1 2 3\nthe 1 2,5 3\n", "{file}:2: '2,5' is not a number, or too large"),
    (b"a 1 2 3\nthe 1 2 nan\n", "{file}:2: 'nan' is not a number, or too large"),
    (b"a 1 2 3\nthe 1e39 2 3\n", "{file}:2: '1e39' is not a number, or too large"),
    (
        b"a 1 2 3\nTHE\xff 1 2 3\n",
        "{file}:2: byte 4: not UTF-8; convert it, or name its encoding: data.encoding=NAME in training, "
        "--encoding NAME elsewhere",
    ),
    (b"a 1 2 3\nthe\0 1 2 3\n", "{file}:2: byte 4: a NUL character; is this a text file?"),
    (b"", "{file}: empty; name a text file of word vectors"),
    (
        b"one two three\n",
        "{file}:1: neither COUNT SIZE nor a word and its numbers; is this word2vec's or GloVe's text?",
    ),
    (b"3 3\na 1 2 3\nthe 1 2 3\n", "{file}: has 2 vectors, and its first line says 3; is it cut short?"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_malformed_files(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert str(caught.value) == message.format(file=tmp_path / "v.txt")


@pytest.mark.parametrize("content", [b"the 1 2 3 4\n", b"1 4\nthe 1 2 3 4\n", b"the very 1 2 3 4\n"])
def test_vectors_of_another_size(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, content)
    file = tmp_path / "v.txt"
    assert str(caught.value) == (f"model.embedding: 3, but the vectors in {file} have 4 numbers; set model.embedding=4")


def test_a_file_that_is_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: no such file; name a text file$"):
        read_vectors(tmp_path / "none.txt", WORDS, 3)
    (tmp_path / "v.gz").write_bytes(gzip.compress(GLOVE.encode())[:-9])
    with pytest.raises(DataError, match=r"v\.gz: damaged or cut short"):
        read_vectors(tmp_path / "v.gz", WORDS, 3)


def test_a_large_file_needs_no_more_memory_than_the_vocabulary(tmp_path: Path) -> None:
    lines = "".join(f"w{number} {'0.123456 ' * 50}\n" for number in range(4000)) + f"the {'1 ' * 50}\n"
    (tmp_path / "v.txt").write_text(lines)
    tracemalloc.start()
    vectors = read_vectors(tmp_path / "v.txt", WORDS, 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert vectors.ids.tolist() == [4]
    assert len(lines) > 1_000_000 and peak < 600_000


def test_the_words_of_a_vocabulary() -> None:
    sentences = ["the cat sees the dog", "The dog sleeps."] * 20
    model = train_subword(sentences, SubwordSettings(model_type="word", vocab_size=20))
    words = vocabulary_words(Subword(model, "x"))
    assert set(words.values()) == {"the", "cat", "sees", "dog", "The", "sleeps."}
    assert sorted(words) == [4, 5, 6, 7, 8, 9]
    assert {words[4], words[5]} == {"the", "dog"}, "the frequent ones come first"


# Rows ----------------------------------------------------------------------------------------------------------------


def test_one_factor_brings_vectors_to_the_scale_of_drawn_ones() -> None:
    values = np.array([[3, 4, 0, 0], [0, 0, 5, 12]], dtype=np.float32)  # mean square 194 / 8, drawn: 1 / 4
    factor = (0.25 / 24.25) ** 0.5
    torch.testing.assert_close(at_random_scale(values), torch.tensor(values) * factor)
    assert at_random_scale(np.zeros((2, 4), dtype=np.float32)).tolist() == [[0.0] * 4] * 2
    assert at_random_scale(np.zeros((0, 4), dtype=np.float32)).shape == (0, 4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("tying", "sides"), [("none", ("source", "target")), ("all", ("source",))])
def test_only_the_rows_found_are_set(architecture: str, tying: str, sides: tuple[str, ...]) -> None:
    settings = ModelSettings(architecture=architecture, embedding=4, hidden=8, tying=tying)

    def fresh():
        torch.manual_seed(1)
        return make_model(settings, 9, 9)

    model, before = fresh(), dict(fresh().named_parameters())
    found = {
        side: Vectors(np.array([5, 7]), np.full((2, 4), sign, dtype=np.float32), 0, [])
        for side, sign in zip(sides, (3.0, -3.0), strict=False)
    }
    initialize_from_vectors(model, found)
    changed = {
        name: (weight != before[name]).any(dim=-1).nonzero().flatten().tolist()
        for name, weight in model.named_parameters()
        if not torch.equal(weight, before[name])
    }
    names = {"source": "encoder.embedding.table.weight", "target": "target_embedding.table.weight"}
    assert changed == {names[side]: [5, 7] for side in sides}
    weights = dict(model.named_parameters())
    for side, sign in zip(sides, (0.5, -0.5), strict=False):  # 4 ** -0.5
        assert weights[names[side]][[5, 7]].tolist() == [[sign] * 4] * 2


def test_frozen_rows_have_no_gradient_and_weight_decay_is_undone() -> None:
    model = make_model(ModelSettings(embedding=4, hidden=8, tying="none"), 9, 9)
    weight, other = model.encoder.embedding.table.weight, model.target_embedding.table.weight
    frozen, before = FrozenRows(model, {"source": [5, 7]}), weight.detach().clone()
    frozen.drop_gradients()  # there are none yet
    weight.grad, other.grad = torch.ones_like(weight), torch.ones_like(other)
    frozen.drop_gradients()
    assert (weight.grad == 0).all(dim=1).nonzero().flatten().tolist() == [5, 7]
    assert other.grad.all()
    with torch.no_grad():
        weight.mul_(0.9)
    frozen.put_back()
    assert (weight == before).all(dim=1).nonzero().flatten().tolist() == [0, 5, 7]  # 0: padding, which is zero


# Training ------------------------------------------------------------------------------------------------------------

CONFIG = """\
data: {folder: corpus, source: en, target: fr, test: []}
subword: {model_type: word, vocab_size: 40, joint: false}
model: {embedding: 4, hidden: 8, attention: additive, tying: target}
training:
  source_vectors: vectors/en.txt
  max_steps: 4
  batch_sentences: 4
  schedule: constant
  learning_rate: 0.05
  warmup: 0
  validate_every: 4
  average: false
  samples: 0
decoding: {max_length: 4}
threads: 1
"""
ENGLISH, FRENCH = ["the", "cat", "a", "dog", "sees", "Ann", "and"], ["le", "chat", "un", "chien", "voit", "Anne", "et"]
FILE = "the 1 2 3 4\ndog -1 1 -1 1\nann 2 0 0 0\nelephant 0 0 0 9\n"
FOUND = ["the", "dog", "Ann"]
SOURCE, TARGET = "encoder.embedding.table.weight", "target_embedding.table.weight"
KEYS = {"source": SOURCE, "target": TARGET}
FREEZE = ["training.freeze_vectors=true", "training.optimizer=adamw", "training.weight_decay=0.5", "training.ema=0.5"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a corpus of a few words, vectors for some of them, and a config; the current one is another."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "vectors").mkdir()
    (tmp_path / "here").mkdir()
    for stem, first, count in (("train", 0, 20), ("valid", 3, 4)):
        for language, words in (("en", ENGLISH), ("fr", FRENCH)):
            lines = (" ".join(words[(first + line * step) % 7] for step in (1, 2, 3)) for line in range(count))
            (tmp_path / "corpus" / f"{stem}.{language}").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "vectors" / "en.txt").write_text(FILE)
    (tmp_path / "vectors" / "fr.txt").write_text("1 4\nchien 5 -5 5 -5\n")
    (tmp_path / "words.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def run(place: Path, *words: str, name: str = "run") -> None:
    train(config.load(place / "words.yaml", [f"run={place / name}", *words]), ["nmt", "train"])


def last(place: Path, name: str = "run") -> TrainState:
    return load_checkpoint(list_checkpoints(place / name / CHECKPOINTS)[-1])


def rows(place: Path, side: str, words: list[str], name: str = "run") -> list[int]:
    subword = Subword((place / name / f"subword.{side}.model").read_bytes(), "x")
    ids = {word: index for index, word in vocabulary_words(subword).items()}
    return [ids[word] for word in words]


def scaled(values: list[list[float]]) -> torch.Tensor:
    """By hand: the file's numbers times 0.5 (4 ** -0.5) over their root mean square."""
    table = torch.tensor(values)
    return table * 0.5 / table.square().mean().sqrt()


def test_frozen_rows_stay_and_all_others_learn(place: Path) -> None:
    run(place, *FREEZE, f"training.target_vectors={place}/vectors/fr.txt")
    state = last(place)
    for side, words, values in (
        ("source", FOUND, [[1.0, 2, 3, 4], [-1, 1, -1, 1], [2, 0, 0, 0]]),
        ("target", ["chien"], [[5.0, -5, 5, -5]]),
    ):
        ids = rows(place, side, words)
        assert sorted(state.progress.frozen[side]) == sorted(ids)
        for weights in (state.weights, state.average):
            torch.testing.assert_close(weights[KEYS[side]][ids], scaled(values), rtol=1e-6, atol=0)
        moved = (state.weights[KEYS[side]] != initial(place, side)).any(dim=1)
        still = set((~moved).nonzero().flatten().tolist())
        assert still - {0} == set(ids)  # 0: padding, which only a tied generator moves


def test_frozen_rows_do_not_count_in_the_norm_of_the_gradient(place: Path) -> None:
    norms = []
    for name in ("true", "false"):
        run(place, f"training.freeze_vectors={name}", "training.max_steps=1", "training.log_every=1", name=name)
        first = json.loads((place / name / METRICS).read_text().split("\n")[0])
        norms.append(first["gradient_norm"])
    assert 0 < norms[0] < norms[1] * 0.9999


def initial(place: Path, side: str, name: str = "run") -> torch.Tensor:
    """The table as it is drawn, with the file's rows in it."""
    settings = config.load(place / name / "config.yaml")
    sizes = [len(Subword((place / name / f"subword.{one}.model").read_bytes(), "x")) for one in ("source", "target")]
    torch.manual_seed(settings.training.seed)
    table = dict(make_model(settings.model, *sizes).named_parameters())[KEYS[side]].detach()
    words, values = {
        "source": (FOUND, [[1.0, 2, 3, 4], [-1, 1, -1, 1], [2, 0, 0, 0]]),
        "target": (["chien"], [[5.0, -5, 5, -5]]),
    }[side]
    table[rows(place, side, words, name)] = scaled(values)
    return table


def test_rows_that_are_not_frozen_learn_from_where_the_file_put_them(place: Path) -> None:
    run(place, "training.learning_rate=1e-6", name="slow")
    start = initial(place, "source", "slow")
    ids = rows(place, "source", FOUND, "slow")
    found = last(place, "slow").weights[SOURCE]
    assert last(place, "slow").progress.frozen == {}
    torch.testing.assert_close(found, start, rtol=0, atol=1e-4)
    run(place, name="fast")
    assert (last(place, "fast").weights[SOURCE][ids] != start[ids]).any(dim=1).all()


@pytest.mark.parametrize("words", [[], FREEZE], ids=["tuned", "frozen"])
def test_stopped_and_resumed_equals_never_stopped(place: Path, words: list[str], capsys) -> None:
    run(place, *words, name="whole")
    capsys.readouterr()
    run(place, *words, "training.max_steps=1", "training.validate_every=100")
    assert capsys.readouterr().out.count("vectors: ") == 1
    run(place, *words, "training.max_steps=2", "training.validate_every=100")
    run(place, *words)
    assert "vectors: " not in capsys.readouterr().out, "they are read once, when the run begins"
    assert tensors_hash(last(place).weights) == tensors_hash(last(place, "whole").weights)
    assert last(place).progress.frozen == last(place, "whole").progress.frozen


def test_coverage_is_told_and_kept(place: Path, capsys) -> None:
    run(place, f"training.target_vectors={place}/vectors/fr.txt")
    lines = [
        "vectors: 3 of 7 source words found in en.txt (42.9 %), 1 after lowercasing",
        "vectors: 1 of 7 target words found in fr.txt (14.3 %)",
    ]
    out = capsys.readouterr().out.split("\n")
    log = (place / "run" / LOG).read_text()
    for line in lines:
        assert line in out and f"  {line}\n" in log
    missing = out[out.index(lines[0]) + 1]
    assert missing.startswith("  not found, the most frequent first: ")
    assert sorted(missing.partition(": ")[2].split(", ")) == sorted(set(ENGLISH) - set(FOUND))
    assert out[out.index(lines[1]) + 1].endswith(", ...")
    checked: list[str] = []
    check_config(config.load(place / "words.yaml"), checked.append)
    assert lines[0] in checked


def test_one_table_for_both_languages(place: Path, capsys) -> None:
    (place / "vectors" / "both.txt").write_text(f"{FILE}chien 5 -5 5 -5\n")
    run(place, "subword.joint=true", "model.tying=all", f"training.source_vectors={place}/vectors/both.txt")
    assert "vectors: 4 of 14 words found in both.txt (28.6 %), 1 after lowercasing\n" in capsys.readouterr().out


def test_a_file_with_none_of_the_words_changes_nothing(place: Path, capsys) -> None:
    (place / "vectors" / "none.txt").write_text("elephant 1 2 3 4\n")
    run(place, f"training.source_vectors={place}/vectors/none.txt", "training.freeze_vectors=true")
    assert "vectors: 0 of 7 source words found in none.txt (0.0 %)\n" in capsys.readouterr().out
    run(place, "training.source_vectors=''", name="without")
    assert tensors_hash(last(place).weights) == tensors_hash(last(place, "without").weights)


def test_a_run_goes_on_with_the_same_file_only(place: Path) -> None:
    run(place, "training.max_steps=1")
    assert len(json.loads((place / "run" / PROVENANCE).read_text())["data"]["training.source_vectors"]) == 64
    shutil.move(place / "vectors" / "en.txt", place / "moved.txt")
    run(place, "training.max_steps=2", f"training.source_vectors={place}/moved.txt")
    (place / "moved.txt").write_text(f"{FILE}cat 0 0 1 1\n")
    with pytest.raises(DataError) as caught:
        run(place, f"training.source_vectors={place}/moved.txt")
    assert str(caught.value) == (
        "training.source_vectors: has changed since this run began; restore it, or train in another directory: "
        "run=runs/NAME (or resume with it: --changed-data)"
    )
    assert last(place).progress.step == 2


# Settings and errors -------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_config(place: Path) -> None:
    assert config.load(place / "words.yaml").training.source_vectors == str(place / "vectors" / "en.txt")
    found = config.load(place / "words.yaml", ["training.target_vectors=x.txt"]).training
    assert found.target_vectors == str(place / "here" / "x.txt")


RULES = [
    (
        ["training.source_vectors=x", "subword.model_type=unigram"],
        "training.source_vectors: has no effect unless subword.model_type=word; remove it",
    ),
    (
        ["training.target_vectors=x", "model.tying=all", "subword.joint=true"],
        "training.target_vectors: with model.tying=all both languages share one embedding table, which "
        "training.source_vectors initializes; remove this, or set model.tying=target",
    ),
    (
        ["training.source_vectors=''", "training.freeze_vectors=true"],
        "training.freeze_vectors: has no effect without training.source_vectors or training.target_vectors; remove it",
    ),
]


@pytest.mark.parametrize(("words", "message"), RULES)
def test_settings_that_do_not_go_together(place: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(place / "words.yaml", words)
    assert caught.value.problems == (f"command line: {message}",)


def test_another_kind_of_pieces_drops_the_vectors_of_the_config(place: Path) -> None:
    settings = config.load(place / "words.yaml", ["subword.model_type=char"])
    assert "training.source_vectors" not in config.flat(settings)
    assert settings.training.source_vectors == ""


NO_VECTORS = "{file}:1: neither COUNT SIZE nor a word and its numbers; is this word2vec's or GloVe's text?"
SIZE = "model.embedding: 4, but the vectors in {file} have 3 numbers; set model.embedding=3"
ERRORS: list[tuple[str, str, type[UserError]]] = [
    ("the 1 2 3\n", SIZE, ConfigError),
    ("cat 1 2 3 4\nthe 1 2 3\n", "{file}:2: not a word and 4 numbers; is the line cut short?", DataError),
    ("the 1 2 3 x\n", NO_VECTORS, DataError),
]


@pytest.fixture
def nmt(monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., tuple[int, str]]:
    """(exit status, what stands on standard error) of `nmt ARGUMENTS`."""

    def command(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["nmt", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return command


@pytest.mark.parametrize(("content", "message", "kind"), ERRORS)
def test_errors_are_one_line_and_leave_no_run(
    place: Path, nmt: Callable[..., tuple[int, str]], content: str, message: str, kind: type[UserError]
) -> None:
    file = place / "vectors" / "en.txt"
    file.write_text(content)
    status, errors = nmt("train", place / "words.yaml", f"run={place / 'run'}")
    assert (status, errors.count("\n")) == (2, 1)
    assert message.format(file=file) in errors
    assert not (place / "run").exists()
    with pytest.raises(kind):
        run(place)


def test_a_missing_file_is_one_line(place: Path, nmt: Callable[..., tuple[int, str]]) -> None:
    status, errors = nmt("train", place / "words.yaml", "training.source_vectors=none.txt", f"run={place / 'run'}")
    assert status == 2
    assert errors.count("\n") == 1 and f"{place / 'here' / 'none.txt'}: no such file; name a text file" in errors
