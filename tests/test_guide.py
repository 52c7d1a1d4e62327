"""Guided attention: from links between words to the loss, and what it teaches."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt import config
from nmt.config.rules import NOT_GUIDED
from nmt.data.batch import Batch, make_batch
from nmt.data.guide import GivenLinks, guide, token_weights
from nmt.data.prepare import prepare
from nmt.data.subword import EOS_ID, Piece
from nmt.data.words import split_words
from nmt.errors import ConfigError, DataError
from nmt.model import Seq2Seq, make_model
from nmt.model.attention import ATTENTIONS
from nmt.training.batches import EpochBatches
from nmt.training.loss import batch_loss, disagreement
from nmt.training.step import TrainStep
from nmt.training.train import train


def test_token_weights_by_hand() -> None:
    """`unhappy` is two tokens and linked to both words of `pas content`; `so` has no link."""
    source, target = "pas content", "so unhappy"
    source_pieces = [Piece("▁pas", 0, 3), Piece("▁con", 3, 7), Piece("tent", 7, 11)]
    target_pieces = [Piece("▁so", 0, 2), Piece("▁un", 2, 5), Piece("happy", 5, 10)]
    found = token_weights([(0, 1), (1, 1)], (split_words(source), source_pieces), (split_words(target), target_pieces))
    assert found.tolist() == [[0, 0, 0, 0], [0.5, 0.25, 0.25, 0], [0.5, 0.25, 0.25, 0], [0, 0, 0, 1]]


def test_a_token_over_several_words_shares_its_weight() -> None:
    """In Chinese each character is a word: the one token of the target looks at what its characters are linked to."""
    source = [Piece("▁a", 0, 1), Piece("▁b", 1, 3), Piece("▁c", 3, 5)]
    found = token_weights(
        [(0, 0), (2, 1)], (split_words("a b c"), source), (split_words("你好"), [Piece("你好", 0, 2)])
    )
    assert found.tolist() == [[0.5, 0, 0.5, 0], [0, 0, 0, 1]]


def test_disagreement_by_hand() -> None:
    attention = torch.tensor([[[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]])
    alignment = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]])  # the last has no link
    expected = -np.log(0.5) - 0.5 * np.log(0.25) - 0.5 * np.log(0.75)
    assert disagreement(attention, alignment).item() == pytest.approx(expected)


# The corpus: words that change places ---------------------------------------------------------------------------------

NOUNS = ["tan", "mer", "pol", "sil"]
ADJECTIVES = ["oka", "eru", "iba", "una"]
MULTIHEAD = "model.attention=multihead"
CONFIG = """\
data: {folder: FOLDER, source: x, target: y}
subword: {vocab_size: 60, model_type: word}
model: {embedding: 24, hidden: 24, attention: general, dropout: 0.0, embedding_dropout: 0.0}
training: {max_steps: 10, batch_tokens: 300}
"""


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config whose sources are noun adjective noun ..., and whose targets have each adjective before its noun."""
    folder = tmp_path_factory.mktemp("swapped")
    chance = random.Random(0)
    for stem, count in (("train", 300), ("valid", 10)):
        lines = [
            [word for _ in range(chance.randint(1, 3)) for word in (chance.choice(NOUNS), chance.choice(ADJECTIVES))]
            for _ in range(count)
        ]
        targets = [[line[place ^ 1].upper() for place in range(len(line))] for line in lines]
        (folder / f"{stem}.x").write_text("".join(" ".join(line) + "\n" for line in lines))
        (folder / f"{stem}.y").write_text("".join(" ".join(line) + "\n" for line in targets))
    (folder / "config.yaml").write_text(CONFIG.replace("FOLDER", str(folder)))
    return folder / "config.yaml"


def guided_batches(swapped: Path, *words: str) -> list[Batch]:
    """Return the batches of the first two epochs, with their alignments."""
    settings = config.load(swapped, list(words))
    prepared = prepare(settings)
    links = guide(prepared.train, prepared.subwords, lambda _: None)
    batches = EpochBatches(prepared.train, settings, prepared.subwords, None, guide=links)
    made = []
    for epoch in (0, 1):
        batches.begin(epoch)
        made += [batches.make(indices) for indices in batches.chosen(0, len(batches))]
    return made


def swaps(swapped: Path) -> list[str]:
    """The links of each training line: every word pair changes places."""
    lines = (swapped.parent / "train.x").read_text().splitlines()
    return [" ".join(f"{place ^ 1}-{place}" for place in range(len(line.split()))) for line in lines]


@pytest.mark.parametrize("words", ["scripts", "spaces"])
def test_given_links_take_the_place_of_learnt_ones(swapped: Path, tmp_path: Path, words: str) -> None:
    """Every target word looks at the word that it translates alone, and the end at the end."""
    (tmp_path / "links").write_text("".join(f"{line}\n" for line in swaps(swapped)))
    prepared = prepare(config.load(swapped))
    given = GivenLinks(tmp_path / "links", words, prepared.training.sources[0])
    links = guide(prepared.train, prepared.subwords, lambda _: None, given)
    made = make_batch(prepared.train, [0, 5, 7])
    alignment = links.add_to(made, [0, 5, 7]).alignment
    assert alignment is not None
    for row, index in enumerate([0, 5, 7]):
        size = len(prepared.train.source(index))
        best = alignment[row].argmax(dim=-1)[: size + 1].tolist()
        assert best == [*(place ^ 1 for place in range(size)), size]
        assert alignment[row][: size + 1].max(dim=-1).values.tolist() == [1.0] * (size + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "links: has 299 lines, but the training text has 300; training.alignments"),
        (
            lambda lines: [*lines, ""],
            "links: has more than 300 lines, but the training text has 300; training.alignments",
        ),
        (lambda lines: ["" for _ in lines], "links: has no link; write 0-0 for words that belong together"),
        (lambda lines: ["0:0", *lines[1:]], "links:1: '0:0' is not a link; write 0-0 (0p0 if it is only possible)"),
        (lambda lines: [lines[0], "0-9", *lines[2:]], "links:2: 0-9 is outside the "),
    ],
)
def test_given_links_that_do_not_fit(swapped: Path, tmp_path: Path, monkeypatch, change, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("links").write_text("".join(f"{line}\n" for line in change(swaps(swapped))))
    prepared = prepare(config.load(swapped))
    with pytest.raises(DataError) as caught:
        given = GivenLinks(Path("links"), "scripts", prepared.training.sources[0])
        guide(prepared.train, prepared.subwords, lambda _: None, given)
    assert str(caught.value).startswith(message)


def test_a_run_notices_that_its_links_have_changed(swapped: Path, tmp_path: Path) -> None:
    (tmp_path / "links").write_text("".join(f"{line}\n" for line in swaps(swapped)))
    words = [f"run={tmp_path / 'run'}", f"training.alignments={tmp_path / 'links'}", "training.guided_attention=0.5"]
    train(config.load(swapped, [*words, "training.max_steps=2"]), ["nmt", "train"])
    (tmp_path / "links").write_text("0-0\n" * 300)
    with pytest.raises(DataError, match=r"^training\.alignments: has changed since this run began"):
        train(config.load(swapped, [*words, "training.max_steps=4"]), ["nmt", "train"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.guided_attention=1", "training.alignment_words=spaces"], "has no effect"),
        (
            ["training.guided_attention=1", "training.alignments=links", "data.train=[train, more]"],
            "belongs to one training text, and data.train has several",
        ),
    ],
)
def test_given_links_that_would_have_no_effect(swapped: Path, words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(swapped, words)


@pytest.fixture(scope="module")
def batches(swapped: Path) -> list[Batch]:
    return guided_batches(swapped)


def right_links(model: Seq2Seq, batches: list[Batch]) -> float:
    """Return the share of the target words that look most at the source word which they translate."""
    right = total = 0
    for batch in batches:
        real = batch.target_output > EOS_ID
        translated = torch.arange(real.size(1)).expand_as(real) ^ 1
        looked = model(batch.source, batch.target_input).attention.argmax(dim=2)
        right, total = right + int((looked == translated)[real].sum()), total + int(real.sum())
    return right / total


def test_guided_attention_follows_the_links_before_unguided_does(swapped: Path, batches: list[Batch]) -> None:
    shares = {}
    for weight in (0, 1):
        training = config.load(swapped, [f"training.guided_attention={weight}"]).training
        torch.manual_seed(2)
        model = make_model(config.load(swapped, []).model, 100, 100)
        train_step = TrainStep(model, training, torch.device("cpu"))
        for step in range(10):
            train_step([batches[step % len(batches)]], step, 1e-2)
        shares[weight] = right_links(model.eval(), batches[:4])
    assert shares[0] < 0.4
    assert shares[1] > 0.65


@pytest.mark.parametrize(
    "words",
    [[f"model.attention={name}"] for name in sorted(set(ATTENTIONS) - set(NOT_GUIDED))]
    + [["model.decoder=luong"], ["model.decoder=bahdanau"], ["model.architecture=transformer", MULTIHEAD]],
    ids=" ".join,
)
def test_every_model_that_is_not_refused_can_be_guided(swapped: Path, batches: list[Batch], words: list[str]) -> None:
    settings = config.load(swapped, [*words, "training.guided_attention=2"])
    batch = batches[2]
    torch.manual_seed(1)
    model = make_model(settings.model, 100, 100)
    train_step = TrainStep(model, settings.training, torch.device("cpu"))

    def distance() -> float:
        assert batch.alignment is not None
        with torch.no_grad():
            return disagreement(model.eval()(batch.source, batch.target_input).attention, batch.alignment).item()

    before = distance()
    for step in range(4):
        train_step([batch], step, 1e-2)
    assert distance() < 0.95 * before


def test_what_is_refused_exists() -> None:
    assert set(NOT_GUIDED) < set(ATTENTIONS)


def test_batches_have_the_links_of_their_pairs(batches: list[Batch]) -> None:
    batch = batches[0]
    assert batch.alignment is not None
    assert batch.alignment.shape == (*batch.target_output.shape, batch.source.size(1))
    sums = batch.alignment.sum(dim=2)
    assert ((sums - 1).abs() < 1e-5).logical_or(sums == 0).all()
    assert (batch.alignment[(batch.source == 0).unsqueeze(1).expand_as(batch.alignment)] == 0).all()
    ends = (batch.target_output == 3).unsqueeze(2) & (batch.source == 3).unsqueeze(1)
    assert (batch.alignment[ends] == 1).all()


@torch.inference_mode()
def test_halves_of_a_batch_lose_what_the_whole_loses(swapped: Path, batches: list[Batch]) -> None:
    batch, settings = batches[0], config.load(swapped, [])
    torch.manual_seed(1)
    model = make_model(settings.model, 100, 100).eval()
    losses = [
        sum(batch_loss(model, part, guided_attention=weight).item() for part in parts)
        for weight in (0.0, 0.7)
        for parts in ([batch], [batch.rows(0, 3), batch.rows(3, batch.source.size(0))])
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[2] == pytest.approx(losses[3], rel=1e-5)
    assert losses[2] > losses[0] + 1


def test_a_cache_that_is_gone_gives_the_same_links(
    swapped: Path, batches: list[Batch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = batches[0].alignment
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "other"))
    again = guided_batches(swapped)[0].alignment
    assert first is not None and again is not None
    assert torch.equal(first, again)
