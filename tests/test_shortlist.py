"""Lexicon and shortlist: by hand, and that a search among all pieces is the search without a shortlist."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import nmt
from nmt.config import DecodingSettings, ModelSettings
from nmt.data.batch import pad_targets
from nmt.data.dataset import Dataset
from nmt.data.lexicon import Lexicon, learn_lexicon
from nmt.data.subword import EOS_ID
from nmt.errors import DataError
from nmt.inference.scoring import attention_to
from nmt.inference.search import search
from nmt.inference.shortlist import SPECIAL, Shortlist
from nmt.inference.trace import Trace
from nmt.model import Seq2Seq, make_model
from nmt.model.int8 import Int8Linear, quantize
from nmt.runs.store import SHORTLIST, WEIGHTS, load_run, save_shortlist

VOCAB = 40
SETTINGS = DecodingSettings(beam_size=3, max_length=8, allow_empty=True)
SOURCE = torch.tensor([[5, 6, 7, EOS_ID], [8, EOS_ID, 0, 0]])


class Pairs(Dataset):
    """A dataset in memory."""

    def __init__(self, pairs: list[tuple[list[int], list[int]]]) -> None:
        self.pairs = [tuple(np.array(side, np.int32) for side in pair) for pair in pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def source(self, index: int) -> np.ndarray:
        return self.pairs[index][0]

    def target(self, index: int) -> np.ndarray:
        return self.pairs[index][1]

    def source_lengths(self) -> np.ndarray:
        return np.array([len(source) for source, _ in self.pairs])

    def target_lengths(self) -> np.ndarray:
        return np.array([len(target) for _, target in self.pairs])


def test_words_find_their_translations() -> None:
    """the house / the book / a book (Knight 1999): what they share tells what means what."""
    the, house, book, a = 4, 5, 6, 7
    lexicon = learn_lexicon(Pairs([([the, house], [14, 15]), ([the, book], [14, 16]), ([a, book], [17, 16])]), 8, 20)
    assert lexicon.best(1, 8)[[the, house, book, a], 0].tolist() == [14, 15, 16, 17]
    found = {(s, t): p for s, t, p in zip(*lexicon[:3], strict=True)}
    assert found[book, 16] > 0.8
    assert found[book, 14] < 0.2
    for source in (the, house, book, a):
        assert sum(p for (s, _), p in found.items() if s == source) == pytest.approx(1.0)
    assert lexicon.frequency[[14, 15, 16, 17, 3]].tolist() == [2, 1, 2, 1, 0]


def test_one_round_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """From equal shares: 4 has half of one 10 and of one 11, 5 half of 10 and 11 and the whole of another 10."""
    monkeypatch.setattr("nmt.data.lexicon.ROUNDS", 1)
    lexicon = learn_lexicon(Pairs([([4, 5], [10, 11]), ([5], [10])]), 6, 12)
    found = {(s, t): p for s, t, p in zip(*lexicon[:3], strict=True)}
    assert found == pytest.approx({(4, 10): 0.5, (4, 11): 0.5, (5, 10): 0.75, (5, 11): 0.25})


def test_a_large_corpus_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.data.lexicon.LINKS", 5)
    lexicon = learn_lexicon(Pairs([([4 + n], [10 + n]) for n in range(10)]), 14, 20)
    assert lexicon.source.tolist() == [4, 6, 8, 10, 12]


def test_the_best_of_a_piece_come_first() -> None:
    lexicon = Lexicon(np.array([4, 4, 4, 6]), np.array([1, 2, 3, 9]), np.array([0.2, 0.5, 0.3, 1.0]), np.zeros(10))
    assert lexicon.best(2, 8).tolist()[4:] == [[2, 3], [-1, -1], [9, -1], [-1, -1]]


def all_pieces() -> Shortlist:
    return Shortlist(torch.full((VOCAB, 1), 4), torch.arange(VOCAB))


@pytest.fixture(params=["float", "8 bits"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    torch.manual_seed(3)
    built = make_model(ModelSettings(embedding=32, hidden=32, attention="dot"), VOCAB, VOCAB).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(3)
    if request.param == "8 bits":
        quantize(built)
    return built


def test_among_all_pieces_nothing_changes(model: Seq2Seq) -> None:
    for plain, found in zip(
        search(model, SOURCE, SETTINGS, 3), all_pieces().search(model, SOURCE, SETTINGS, 3), strict=True
    ):
        assert [each.tokens for each in found] == [each.tokens for each in plain]
        assert [each.log_prob for each in found] == pytest.approx([each.log_prob for each in plain], abs=1e-4)


def some_pieces() -> Shortlist:
    table = torch.full((VOCAB, 2), -1)
    table[5], table[6], table[7], table[8] = (torch.tensor(pair) for pair in ([20, 21], [22, -1], [23, 24], [25, 26]))
    return Shortlist(table, torch.tensor([30]))


def test_only_pieces_of_the_shortlist_come(model: Seq2Seq) -> None:
    shortlist = some_pieces()
    allowed = [*SPECIAL, 20, 21, 22, 23, 24, 25, 26, 30]
    assert shortlist.pieces(SOURCE).tolist() == sorted(allowed)
    tokens = [
        token for found in shortlist.search(model, SOURCE, SETTINGS, 3) for each in found for token in each.tokens
    ]
    assert tokens and set(tokens) <= set(allowed)


def test_a_trace_has_the_pieces_of_the_whole_vocabulary(model: Seq2Seq) -> None:
    trace = Trace()
    found = some_pieces().search(model, SOURCE, SETTINGS, 1, trace=trace)
    targets = [hypotheses[0].tokens for hypotheses in found]
    expected = attention_to([model], SOURCE, pad_targets(targets)[0])
    assert not trace.whole_vocabulary
    in_8_bits = any(isinstance(part, Int8Linear) for part in model.modules())
    close = 0.02 if in_8_bits else 1e-4  # the inputs of a product are rounded by the largest of all its rows
    for row, target in enumerate(targets):
        attention = torch.from_numpy(trace.path(row, target).attention)
        torch.testing.assert_close(attention, expected[row, : len(target) + 1], atol=close, rtol=0)


def test_a_piece_that_was_never_seen_lets_all_come(model: Seq2Seq) -> None:
    shortlist = Shortlist(torch.full((VOCAB, 2), -1), torch.tensor([30]))
    assert shortlist.pieces(SOURCE) is None
    assert shortlist.search(model, SOURCE, SETTINGS, 1) == search(model, SOURCE, SETTINGS, 1)


@pytest.mark.parametrize("damage", ["truncated", "another vocabulary", "beyond the vocabulary", "another file"])
def test_a_shortlist_that_does_not_belong_is_refused(tiny_run: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    loaded = load_run(tmp_path / "run", torch.device("cpu"))
    sizes = [len(each) for each in loaded.subwords]
    table, file = torch.full((sizes[0], 2), 5), tmp_path / "run" / SHORTLIST
    save_shortlist(tmp_path / "run", Shortlist(table, torch.arange(9)), loaded)
    assert nmt.load(tmp_path / "run", device="cpu").shortlist is not None
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-3])
    elif damage == "another vocabulary":
        save_shortlist(tmp_path / "run", Shortlist(table[:-1], torch.arange(9)), loaded)
    elif damage == "beyond the vocabulary":
        save_shortlist(tmp_path / "run", Shortlist(table, torch.tensor([sizes[1]])), loaded)
    else:
        shutil.copy(tmp_path / "run" / WEIGHTS, file)
    with pytest.raises(DataError, match=SHORTLIST):
        nmt.load(tmp_path / "run", device="cpu")
