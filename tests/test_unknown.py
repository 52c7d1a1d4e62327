"""Words outside the vocabulary: what is copied, by which attention, and how a model learns it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt import config
from nmt.config import SubwordSettings
from nmt.data.corpus import Pair
from nmt.data.dataset import Dataset
from nmt.data.hidden_words import Hidden
from nmt.data.subword import UNK_ID, Piece, Subword, Subwords
from nmt.data.subword_training import train_subword
from nmt.data.write_dataset import write_dataset
from nmt.inference.sampling import Sampling
from nmt.inference.translation import warnings_of
from nmt.inference.unknown import copied_words
from nmt.training.train import train

LINE = "Zoë sees Ann"
PIECES = [Piece("\u2581Zoë", 0, 3), Piece("\u2581sees", 3, 8), Piece("\u2581Ann", 8, 12)]


@pytest.mark.parametrize(
    ("source", "row", "expected"),
    [
        ([7, 8, 9], [0.2, 0.5, 0.2, 0.1], "sees"),
        ([UNK_ID, 8, 9], [0.2, 0.5, 0.2, 0.1], "Zoë"),  # unknown on both sides
        ([UNK_ID, 8, 9], [0.1, 0.7, 0.1, 0.1], "sees"),
        ([7, 8, 9], [0.1, 0.1, 0.2, 0.6], "Ann"),  # the end cannot be copied
        ([7, 8, 9], [0.0, 0.0, 0.0, 1.0], "<unk>"),
    ],
)
def test_the_attended_word_is_copied(source: list[int], row: list[float], expected: str) -> None:
    weights = np.array([[0.0, 1.0, 0.0, 0.0], row, [0.0, 0.0, 0.0, 1.0]])
    assert copied_words(LINE, source, PIECES, [5, UNK_ID], weights) == [expected]


CONFIG = """\
data: {folder: ., source: en, target: fr}
subword: {vocab_size: 40, model_type: word}
model: {embedding: 16, hidden: 16, dropout: 0.0, embedding_dropout: 0.0}
training: {max_steps: 150, warmup: 10, learning_rate: 0.02, validate_every: 150, samples: 0, average: false,
  hide_words: 0.3}
threads: 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of words that saw four names, all of them the same in both languages."""
    folder = tmp_path_factory.mktemp("words")
    pairs = [
        (f"{name} {verb} {thing} .", f"{name} {other} {chose} .")
        for name in ("Ann", "Luc", "Paul", "{0}")
        for verb, other in (("sees", "voit"), ("has", "a"))
        for thing, chose in (("dogs", "chiens"), ("cats", "chats"))
    ]
    for stem in ("train", "valid"):
        for side, language in enumerate(("en", "fr")):
            text = "".join(f"{pair[side]}\n" for pair in pairs)
            (folder / f"{stem}.{language}").write_text(text, encoding="utf-8")
    (folder / "a.yaml").write_text(CONFIG, encoding="utf-8")
    train(config.load(folder / "a.yaml", [f"run={folder / 'run'}"]), ["nmt", "train"])
    return folder / "run"


def test_an_unknown_name_comes_out_as_it_is(run: Path) -> None:
    translator = nmt.load(run)
    known, unknown = translator.translate(["Paul sees cats .", "Żaneta sees cats ."])
    assert (known.text, known.unknown) == ("Paul voit chats .", 0)
    assert (unknown.text, unknown.unknown) == ("Żaneta voit chats .", 1)
    assert unknown.attention is not None
    assert unknown.attention.target[0] == "Żaneta"
    notes = {note: count for note, count in warnings_of([known, unknown]).items() if count}
    assert list(notes.values()) == [1]
    assert "decoding.replace_unknown" in next(iter(notes))


def test_candidates_and_samples_copy_too(run: Path) -> None:
    translator = nmt.load(run)
    [found] = translator.translate(["Żaneta sees cats ."], beam_size=4, n_best=4)
    [drawn] = translator.translate(["Żaneta sees cats ."], n_best=4, sampling=Sampling(seed=1))
    [likely] = translator.translate(["Żaneta sees cats ."], mbr=8, sampling=Sampling(seed=1))
    texts = [candidate.text for candidate in (*found.candidates, *drawn.candidates, *likely.candidates)]
    assert sum("Żaneta" in text for text in texts) > len(texts) / 2
    assert not any("<unk>" in text for text in texts)


def test_without_copying_only_known_words_come(run: Path) -> None:
    [found] = nmt.load(run).translate(["Żaneta sees cats ."], changes={"replace_unknown": False})
    assert found.unknown == 0
    assert "Żaneta" not in found.text
    assert "<unk>" not in found.text


def test_hidden_words_are_those_that_both_sides_share(tmp_path: Path) -> None:
    settings = SubwordSettings(model_type="word", vocab_size=50)
    model = train_subword(["Ann sees .", "Ann voit .", "Luc sees Ann"], settings)
    subwords = Subwords(Subword(model, "test", "source"), Subword(model, "test", "target"))
    pairs = [Pair(1, "Ann sees .", "Ann voit ."), Pair(2, "Luc sees Ann", "Ann voit")]
    write_dataset(tmp_path / "set", pairs, subwords, None, Counter())
    dataset = Dataset(tmp_path / "set")
    every = Hidden(dataset, subwords, 1.0, seed=1, epoch=0)
    assert subwords.source.decode(every.source(0).tolist()) == "<unk> sees ."
    assert subwords.target.decode(every.target(0).tolist()) == "<unk> voit ."
    assert subwords.source.decode(every.source(1).tolist()) == "Luc sees <unk>"
    draws = [(Hidden(dataset, subwords, 0.5, 1, epoch).target(0) == UNK_ID).any() for epoch in range(40)]
    assert 5 < sum(map(bool, draws)) < 35
    for epoch in range(5):
        one, other = (Hidden(dataset, subwords, 0.5, 1, epoch) for _ in range(2))
        assert one.source(0).tolist() == other.source(0).tolist()
        assert (one.source(0) == UNK_ID).any() == (one.target(0) == UNK_ID).any()
