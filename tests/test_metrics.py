"""Metrics: numbers that a pencil gives, and the signatures that make them comparable."""

import math
import subprocess
import sys

import pytest
import sacrebleu

from nmt.metrics import METRICS, VALIDATION_METRICS, Score, score, signature

VERSION = sacrebleu.__version__

GOLDEN = [
    # 1- to 4-grams in common: 5 of 6, 3 of 5, 2 of 4, 1 of 3; equally long
    ("bleu", ["the cat sat on the mat"], ["the cat sat on a mat"], 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25),
    # all in common, but 4 words instead of 6
    ("bleu", ["the cat sat on"], ["the cat sat on the mat"], 100 * math.exp(1 - 6 / 4)),
    # counts are summed over the corpus: 9 of 10, 6 of 8, 4 of 6, 2 of 4
    (
        "bleu",
        ["the cat sat on the mat", "a b c d"],
        ["the cat sat on a mat", "a b c d"],
        100 * (9 / 10 * 6 / 8 * 4 / 6 * 2 / 4) ** 0.25,
    ),
    # punctuation is a token of its own and case counts: all but "The" of 5 tokens, then 3/4, 2/3, 1/2
    ("bleu", ["The cat sat."], ["the cat sat."], 100 * (3 / 4 * 2 / 3 * 1 / 2 * (1 / 2) / 1) ** 0.25),
    ("bleu", ["same here , really"], ["same here , really"], 100.0),
    ("bleu", [""], ["a b c d"], 0.0),
    # 1-grams of characters: 1 of 2; 2-grams: 0 of 1; words: 0 of 1; longer ones do not exist
    ("chrf", ["ab"], ["ac"], 100 * (1 / 2 + 0 + 0) / 3),
    ("chrf", ["ab cd"], ["ab cd"], 100.0),
    # one substitution in four words; one word too many over four words
    ("ter", ["a b c d"], ["a b x d"], 25.0),
    ("ter", ["a b c d e"], ["a b c d"], 25.0),
    ("ter", ["b c d a"], ["a b c d"], 25.0),  # one shift
    ("ter", ["a b"], ["a b"], 0.0),
]


@pytest.mark.parametrize(("metric", "hypotheses", "references", "value"), GOLDEN)
def test_golden_numbers(metric: str, hypotheses: list[str], references: list[str], value: float) -> None:
    assert score(metric, hypotheses, references).value == pytest.approx(value, abs=1e-6)


NAMES = {"bleu": "BLEU", "chrf": "chrF2++", "ter": "TER"}
SIGNATURES = {
    "bleu": f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{VERSION}",
    "chrf": f"nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:{VERSION}",
    "ter": f"nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:{VERSION}",
}


@pytest.mark.parametrize("metric", METRICS)
def test_names_and_signatures(metric: str) -> None:
    found = score(metric, ["a b"], ["a c"])
    assert (found.name, found.signature) == (NAMES[metric], SIGNATURES[metric])
    assert found.interval == 0
    assert signature(metric) == SIGNATURES[metric]


@pytest.mark.parametrize("metric", METRICS)
def test_confidence_intervals_come_with_how_they_were_made(metric: str) -> None:
    hypotheses = [f"the cat sat on mat {number}" for number in range(12)]
    references = [f"the cat sat on mat {number if number % 3 else 'x'}" for number in range(12)]
    found = score(metric, hypotheses, references, confidence=True)
    assert found.interval > 0
    assert found.signature == SIGNATURES[metric].replace("nrefs:1|", "nrefs:1|bs:1000|seed:12345|")
    assert found.value == score(metric, hypotheses, references).value
    assert score(metric, hypotheses, references, confidence=True) == found


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_is_that_of_sacrebleu(metric: str) -> None:
    hypotheses = [f"a b c d e {number}" for number in range(9)]
    references = [f"a b x d e {number % 4}" for number in range(9)]
    scorer = METRICS[metric]()
    theirs = scorer.corpus_score(hypotheses, [references], n_bootstrap=1000)
    ours = score(metric, hypotheses, references, confidence=True)
    assert (ours.value, ours.signature) == (theirs.score, str(scorer.get_signature()))
    assert ours.interval == pytest.approx(float(theirs._ci), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_without_any_match_is_a_number_too(metric: str) -> None:
    found = score(metric, ["the cat sat on the mat", ""], ["the cat sat on the mat", "a dog"], confidence=True)
    assert found.interval == pytest.approx(50.0)  # half of the resamples' range, from 0 to 100


def test_one_sentence_has_no_interval() -> None:
    found = score("bleu", ["a b c d"], ["a b c d"], confidence=True)
    assert (found.interval, found.signature) == (0.0, SIGNATURES["bleu"])


def test_a_score_shows_what_makes_it_comparable() -> None:
    assert str(Score("BLEU", 37.25, 1.04, "sig")) == "BLEU 37.2 ± 1.0  [sig]"
    assert str(Score("BLEU", 37.25, 0.0, "sig")) == "BLEU 37.2  [sig]"


def test_validation_metrics_are_metrics_or_the_loss() -> None:
    assert VALIDATION_METRICS == {"bleu": True, "chrf": True, "loss": False}


def test_importing_metrics_imports_neither_torch_nor_sacrebleu() -> None:
    code = "import sys, nmt.metrics; print('torch' in sys.modules, 'sacrebleu' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False False\n"
