"""Statistics of the training text: what they say, what a file of a stranger may hold, where they go."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt.data.statistics import TargetLengths, TrainingStatistics, from_json, target_lengths, to_json, together
from nmt.errors import DataError
from nmt.runs import store
from nmt.runs.export import export
from nmt.training.average import average_runs

FEW = TrainingStatistics(20, 12, 11, 1, TargetLengths((4, 12), (9, 30)), (0.5, 1.0, 2.0))


def test_limits_are_those_of_the_pairs_with_slack() -> None:
    found = FEW.target_lengths.limits(np.array([1, 4, 5, 12, 24]))
    # 1.25 times, and 5 more; a source twice as long as any in training may have twice as much
    assert found.tolist() == [17, 17, 43, 43, 80]


def test_limits_of_a_corpus_whose_targets_are_eight_times_as_long() -> None:
    """Numbers to words: no pair of the training text is cut."""
    random = np.random.default_rng(1)
    source = random.integers(1, 8, 3000)
    target = source * 8 + random.integers(-3, 4, 3000)
    lengths = target_lengths(source, target)
    assert (lengths.limits(source) > target).all()
    assert list(lengths.targets) == sorted(lengths.targets)
    assert lengths.limits(np.array([1]))[0] < lengths.limits(np.array([7]))[0]


def test_a_few_wrong_pairs_among_many_do_not_count() -> None:
    source = np.full(20_000, 5)
    target = np.where(np.arange(20_000) % 2_000 == 0, 90, 6)
    assert target_lengths(source, target).limits(np.array([5])).tolist() == [13]


def test_json_and_back() -> None:
    assert from_json(json.loads(to_json(FEW))) == FEW


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"pairs": -1},
        {"usual_sentences": 0},
        {"longest_source": "12"},
        {"usual_source": 10**30},
        {"target_lengths": None},
        {"target_lengths": {"sources": [4, 2], "targets": [1, 2]}},
        {"target_lengths": {"sources": [4], "targets": [1, 2]}},
        {"target_lengths": {"sources": [], "targets": []}},
        {"target_lengths": {"sources": list(range(1, 9999)), "targets": list(range(1, 9999))}},
        {"word_ratio": [2, 1, 3]},
        {"word_ratio": [1, float("nan"), 3]},
        {"word_ratio": [1, 2]},
    ],
)
def test_what_a_file_may_not_hold(tiny_run: Path, tmp_path: Path, change: dict) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    (run / "statistics.json").write_text(json.dumps(json.loads(to_json(FEW)) | change))
    with pytest.raises(DataError, match=r"statistics.json: damaged: .*; copy the run again, or remove the file"):
        nmt.load(run)


def test_a_run_has_them_and_so_have_those_made_of_it(tiny_run: Path, tmp_path: Path) -> None:
    found = store.load_statistics(tiny_run)
    assert found is not None
    assert (found.pairs, found.usual_sentences) == (179, 1)
    assert found.usual_source <= found.longest_source <= 100
    assert 0.5 < found.word_ratio[1] < 2
    average_runs([tiny_run, tiny_run], tmp_path / "mean", [])
    export(tiny_run, tmp_path / "small", eight_bits=True, shortlist=None, command=[], say=print)
    assert store.load_statistics(tmp_path / "mean") == store.load_statistics(tmp_path / "small") == found
    assert nmt.load(tiny_run).statistics == found


def test_an_older_run_has_none(tiny_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    (run / "statistics.json").unlink()
    translator = nmt.load(run)
    assert translator.statistics is None
    assert translator.translate(["We see the house. " * 14])[0].parts > 1  # more than data.max_length=100 pieces
    assert nmt.load([tiny_run, run]).statistics is None


def test_an_ensemble_takes_the_narrowest() -> None:
    other = TrainingStatistics(30, 40, 10, 3, FEW.target_lengths, FEW.word_ratio)
    both = together(FEW, [other])
    assert (both.longest_source, both.usual_source, both.usual_sentences) == (12, 10, 1)
