"""The translator: a line out for each line in, in order, whatever the line, the batch or the company it is in."""

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import nmt
from nmt.config import ModelSettings
from nmt.data.corpus import is_blank
from nmt.data.subword import EOS_ID
from nmt.errors import ConfigError, DataError
from nmt.inference import service as service_module
from nmt.inference.align import align
from nmt.inference.details import next_words
from nmt.inference.free_cores import FreeCores
from nmt.inference.heads import attention_with_heads, head_attention
from nmt.inference.request import TranslateOptions, pairs_of, texts_of
from nmt.inference.sampling import Sampling
from nmt.inference.service import Busy, Late, TranslationService
from nmt.inference.shortlist import Shortlist
from nmt.inference.translation import Translation, warnings_of
from nmt.inference.translator import Translator
from nmt.model import make_model
from nmt.runs.store import load_subwords


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return nmt.load(tiny_run)


@pytest.fixture(scope="module")
def lines(tiny_corpus: Path) -> list[str]:
    """Long and short lines in turns, some of them blank or strange."""
    text = (tiny_corpus / "test.en").read_text(encoding="utf-8").split("\n")[:8]
    strange = ["", "a", " ", "<s> </s> <unk> ▁ |||", "나는 👍🏽", "\u3000", text[0], "a\rb\u2028c"]
    return [line for pair in zip(text, strange, strict=True) for line in pair]


def texts(translations: list[Translation]) -> list[tuple[str, str]]:
    return [(translation.source, translation.text) for translation in translations]


def test_a_line_out_for_each_line_in_and_in_order(translator: Translator, lines: list[str]) -> None:
    found = translator.translate(lines, changes={"max_length": 30})
    assert [translation.source for translation in found] == lines
    assert all("\n" not in translation.text for translation in found)
    first, again = lines.index(lines[0]), len(lines) - 1 - lines[::-1].index(lines[0])
    assert first != again
    assert found[first].text == found[again].text


def test_a_translator_that_has_translated_can_be_copied(tiny_run: Path, lines: list[str]) -> None:
    """Packed weights cannot be copied: copies pack their own."""
    translator = nmt.load(tiny_run, device="cpu")
    expected = texts(translator.translate(lines))
    assert len(translator._packed) > 0
    for copied in (copy.deepcopy(translator), pickle.loads(pickle.dumps(translator))):
        assert len(copied._packed) == 0
        assert texts(copied.translate(lines)) == expected


def test_nothing_in_nothing_out(translator: Translator) -> None:
    assert translator.translate([]) == []


def test_invisible_characters_change_nothing(translator: Translator) -> None:
    plain, soft = translator.translate(
        ["the cat reads", "\ufeffthe c\u00adat\u200b re\u200eads"], changes={"max_length": 20}
    )
    assert soft.text == plain.text
    assert soft.attention is not None and plain.attention is not None
    assert len(soft.attention.source) >= len(plain.attention.source)
    assert not any("\ufffd" in text for text in (plain.text, soft.text))


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0", "\u3000", "\u200b", "\u2028"], ids=ascii)
def test_a_blank_line_stays_an_empty_line(translator: Translator, blank: str) -> None:
    assert translator.translate([blank], n_best=2) == [Translation(blank, "")]


def test_any_iterable_of_lines_will_do(translator: Translator) -> None:
    assert texts(translator.translate(iter(["a", "b"]))) == texts(translator.translate(["a", "b"]))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_company_of_a_line_changes_nothing(translator: Translator, lines: list[str], beam_size: int) -> None:
    def translate(lines: list[str], batch_size: int = 64) -> list[Translation]:
        return translator.translate(lines, beam_size=beam_size, changes={"batch_size": batch_size, "max_length": 25})

    together = translate(lines)
    assert [translate([line])[0].text for line in lines] == [translation.text for translation in together]
    by_three = translate(lines, batch_size=3)
    assert texts(by_three) == texts(together)
    np.testing.assert_allclose([t.score for t in by_three], [t.score for t in together], rtol=1e-4)
    assert texts(translate(lines[::-1])) == texts(together)[::-1]


def test_n_best_are_sorted_and_differ(translator: Translator, lines: list[str]) -> None:
    for translation in translator.translate([lines[0], lines[2]], beam_size=4, n_best=4):
        scores = [candidate.score for candidate in translation.candidates]
        assert len(scores) == 4
        assert scores == sorted(scores, reverse=True)
        assert all(candidate.log_prob < 0 for candidate in translation.candidates)
        assert (translation.text, translation.score) == (translation.candidates[0].text, scores[0])
    assert len(translator.translate([lines[0]], beam_size=4)[0].candidates) == 1


def test_score_is_log_prob_over_the_length_penalty(translator: Translator, lines: list[str]) -> None:
    [plain] = translator.translate([lines[0]], length_penalty=0.0)
    assert plain.score == pytest.approx(plain.log_prob)
    [found] = translator.translate([lines[0]], length_penalty=1.0, beam_size=1)
    pieces = found.log_prob / found.score * 6 - 5  # ((5 + length) / 6) ** 1, the end counted
    assert pieces == pytest.approx(round(pieces), abs=1e-3)
    assert 1 <= pieces <= 201


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam_size": 0}, "beam_size: 0 must be 1 or more"),
        ({"beam_size": 2000}, "beam_size: 2000 must be 1000 or less"),
        ({"length_penalty": float("nan")}, "length_penalty: nan must be a finite number"),
        ({"changes": {"window": -1}}, "window: -1 must be 1 or more"),
        ({"changes": {"beamsize": 3}}, "beamsize: unknown key; did you mean decoding.beam_size?"),
    ],
)
def test_impossible_settings_are_refused(translator: Translator, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        translator.translate(["a"], **changes)
    assert str(caught.value) == message


def test_settings_of_a_call_do_not_stay(translator: Translator) -> None:
    before = translator.settings
    translator.translate(["a"], beam_size=2, changes={"max_length": 3})
    assert translator.settings == before


# Attention -----------------------------------------------------------------------------------------------------------


def test_attention_and_alignment(translator: Translator, lines: list[str]) -> None:
    for translation in translator.translate(lines, changes={"min_length": 3, "max_length": 40}):
        if translation.attention is None:
            assert translation.text == ""
            assert translation.alignment == []
            continue
        for matrix in (translation.attention, translation.piece_attention):
            assert matrix is not None
            assert matrix.weights.shape == (len(matrix.target), len(matrix.source))
            assert (matrix.weights >= 0).all()
            assert (matrix.weights.sum(axis=1) <= 1 + 1e-4).all()
        np.testing.assert_allclose(translation.piece_attention.weights.sum(axis=1), 1, rtol=1e-4)
        assert translation.piece_attention.source[-1] == translation.piece_attention.target[-1] == "</s>"
        assert "".join(translation.attention.target) == "".join(c for c in translation.text if not is_blank(c))
        sources = [source for source, _ in translation.alignment]
        targets = [target for _, target in translation.alignment]
        assert sources == sorted(sources)
        assert len(set(translation.alignment)) == len(translation.alignment)
        assert all(0 <= source < len(translation.attention.source) for source in sources)
        assert all(0 <= target < len(translation.attention.target) for target in targets)


def test_attention_that_is_too_much_for_a_trace_is_computed_afterwards(
    translator: Translator, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TranslateOptions(details=True, trace=True, changes={"max_length": 12})
    expected = translator.translate(lines, options=options)
    monkeypatch.setattr("nmt.inference.trace.MOST_ATTENTION", 100)
    for found, wanted in zip(translator.translate(lines, options=options), expected, strict=True):
        assert (found.text, found.details is None) == (wanted.text, wanted.details is None)
        assert (found.attention is None) == (wanted.attention is None)
        if found.attention is not None and wanted.attention is not None:
            np.testing.assert_allclose(found.attention.weights, wanted.attention.weights, atol=1e-4)
        if found.details is not None and wanted.details is not None:
            assert found.details.probability == pytest.approx(wanted.details.probability, rel=1e-3)
            assert found.details.trace == wanted.details.trace


def test_without_attention_the_text_is_the_same(translator: Translator, lines: list[str]) -> None:
    short = {"max_length": 20}
    without = translator.translate(lines, attention=False, changes=short)
    assert texts(without) == texts(translator.translate(lines, changes=short))
    assert all(translation.attention is None for translation in without)


# Long lines ----------------------------------------------------------------------------------------------------------


def test_a_long_line_is_cut_and_says_so(translator: Translator) -> None:
    short = "the cat and the dog"
    pieces = len(translator.subwords.source.encode(short))
    whole, cut = translator.translate([short, f"{short} and more of it"], changes={"max_source": pieces})
    assert not whole.cut
    assert cut.cut
    assert cut.text == whole.text
    assert cut.attention is not None
    assert cut.attention.source == short.split()  # what was not read has no column


@pytest.mark.parametrize(
    ("long", "cut"),
    [("a" * 1_000_000, True), ("word " * 3_000, False), ("é나👍 " * 500, False)],
    ids=["word", "words", "bytes"],
)
def test_a_line_without_a_sentence_end(translator: Translator, long: str, cut: bool) -> None:
    """It is split at spaces; where there are none, what is too long for the model is cut."""
    how = {"beam_size": 1, "changes": {"max_length": 5}}
    before, found, after = translator.translate(["a cat", long, "a dog"], **how)
    assert found.cut == cut
    assert (found.parts > 10) != cut
    assert found.source == long
    assert texts([before, after]) == texts(translator.translate(["a cat", "a dog"], **how))


# What constrains translations ----------------------------------------------------------------------------------------


def test_no_translation_is_empty_unless_that_is_allowed(translator: Translator, lines: list[str]) -> None:
    """An untrained model ends at once where it may."""
    with torch.no_grad():
        model = copy.deepcopy(translator.members[0])
        dict(model.named_parameters())["generator.output.bias"][EOS_ID] = 50.0
    hasty = Translator([model], translator.subwords, translator.settings, statistics=translator.statistics)
    for beam_size in (1, 3):
        found = hasty.translate(lines, beam_size=beam_size)
        assert [bool(each.text.strip()) for each in found] == [not is_blank(line) for line in lines]
        assert not any(each.is_empty for each in found)
        allowed = hasty.translate(lines, beam_size=beam_size, changes={"allow_empty": True})
        assert {each.text for each in allowed} == {""}
        assert [each.is_empty for each in allowed] == [not is_blank(line) for line in lines]
    for drawn in hasty.translate(lines, sampling=Sampling(seed=1), n_best=3):
        assert all(candidate.text.strip() for candidate in drawn.candidates)


def test_pieces_that_show_nothing_do_not_make_a_translation(translator: Translator) -> None:
    blank = translator.subwords.target.blank()
    assert not blank[: EOS_ID + 1].any()
    names = [translator.subwords.target.processor.id_to_piece(index) for index in np.flatnonzero(blank).tolist()]
    assert {"▁", "<0x20>", "<0x0A>"} <= set(names)
    assert "▁a" not in names and "<0xC3>" not in names


def test_the_limit_is_that_of_the_training_pairs_unless_it_is_set(translator: Translator) -> None:
    assert translator.statistics is not None
    with torch.no_grad():
        model = copy.deepcopy(translator.members[0])
        dict(model.named_parameters())["generator.output.bias"][EOS_ID] = -50.0
    settings = translator.settings.model_copy(update={"max_length": 0})
    endless = Translator([model], translator.subwords, settings, statistics=translator.statistics)
    line, plain = "We see the house.", {"beam_size": 1}
    pieces = len(translator.subwords.source.encode(line))
    [known] = translator.statistics.target_lengths.limits(np.array([pieces])).tolist()

    def length(**changes: float) -> int:
        [found] = endless.translate([line], **plain, changes=changes)
        assert found.limited
        assert found.piece_attention is not None
        return len(found.piece_attention.target) - 1  # without the end

    assert length() == known
    assert length(max_length=7) == 7
    assert length(max_length=known + 20) == known + 20
    assert length(max_ratio=1.0) == pieces + 10
    assert length(max_ratio=1.0, max_length=9) == 9
    [note] = [note for note, count in warnings_of(endless.translate([line, line], **plain)).items() if count]
    assert note.startswith("translations that reached the longest length allowed")


# n best --------------------------------------------------------------------------------------------------------------


def test_more_translations_than_the_beam_widen_it(translator: Translator) -> None:
    [found] = translator.translate(["a cat"], n_best=7)
    assert len(found.candidates) == 7
    [split] = translator.translate(["I love you. We see the house."], n_best=3)
    assert (split.parts, len(split.candidates)) == (2, 3)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"n_best": 0}, "n_best: 0 must be 1 or more"),
        ({"n_best": 4, "beam_size": 3}, "n_best: 4 needs a beam_size of 4 or more, and it is 3"),
        ({"mbr": 1}, "mbr: 1 must be 2 or more, or 0 for none"),
        ({"mbr": 4, "n_best": 5}, "n_best: 5 needs mbr of 5 or more, and it is 4"),
        ({"mbr": 4, "beam_size": 3}, "beam_size: has no effect on samples, which need no beam; remove it"),
        (
            {"sampling": Sampling(), "changes": {"coverage_penalty": 0.2}},
            "coverage_penalty: has no effect on samples, which need no beam; remove it",
        ),
        ({"changes": {"min_length": 9, "max_length": 8}}, "min_length: 9 is more than max_length=8"),
        ({"words": "space"}, "words: 'space' must be one of scripts, spaces"),
    ],
)
def test_what_could_have_no_effect_is_refused(translator: Translator, request_: dict, message: str) -> None:
    for lines in ([], ["a cat"]):
        with pytest.raises(ConfigError) as caught:
            translator.translate(lines, **request_)
        assert str(caught.value) == message


WRONG_TYPES = {
    "n_best": ["True", "'2'", "2.0", "[2]", "'many'", "float('nan')"],
    "mbr": ["'4'", "4.5", "(4,)", "'many'"],
}
ASKED = """\
import sys, nmt
translator = nmt.load(sys.argv[1], device="cpu", threads=1)
for name, value in {cases}:
    for lines in ([], ["a cat"]):
        try:
            translator.translate(lines, **{{name: eval(value)}})
        except nmt.errors.ConfigError as error:
            print(error)
"""


def test_a_count_of_a_wrong_type_is_refused(tiny_run: Path) -> None:
    """In a process of its own, in which no test checks the types of arguments."""
    cases = [(name, value) for name, values in WRONG_TYPES.items() for value in values]
    command = [sys.executable, "-c", ASKED.format(cases=cases), str(tiny_run)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    expected = [f"{name}: {eval(value)!r} must be a whole number" for name, value in cases for _ in range(2)]
    assert found.stdout.splitlines() == expected


def test_settings_that_have_no_effect_on_given_translations(translator: Translator) -> None:
    pairs = [("a cat", "un chat")]
    same = translator.score(pairs)[0].log_probs
    assert translator.score(pairs, changes={"batch_size": 1})[0].log_probs == pytest.approx(same)
    assert align(translator, pairs, changes={"max_source": 1})[0].cut
    for ask in (translator.score, partial(align, translator)):
        with pytest.raises(ConfigError, match=r"^beam_size: has no effect on given translations; remove it$"):
            ask(pairs, changes={"beam_size": 2})
        with pytest.raises(ConfigError, match=r"^batch_size: 0 must be 1 or more$"):
            ask(pairs, changes={"batch_size": 0})


# Loading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: texts_of("abc", "lines"), r"^lines: is a single text; give a list of texts, such as \[text\]$"),
        (lambda: texts_of(b"abc", "lines"), r"^lines: is a single text"),
        (lambda: texts_of(["a", None], "lines"), r"^lines: item 2 is not a text but NoneType; give texts only$"),
        (lambda: texts_of(["a", "\ud800"], "lines"), r"^lines: item 2 has half of a surrogate pair"),
        (lambda: pairs_of(["ab"]), r"^pairs: item 1 is not a pair of a source and a target; give \(source, target\)$"),
        (lambda: pairs_of([("a", "b"), ("a", "b", "c")]), r"^pairs: item 2 is not a pair"),
        (lambda: pairs_of([("a", None)]), r"^pairs: item 1: item 2 is not a text but NoneType"),
    ],
)
def test_what_is_no_text_is_refused(call: Callable, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_one_text_is_not_taken_for_many_lines(translator: Translator) -> None:
    with pytest.raises(ConfigError, match=r"^lines: is a single text"):
        translator.translate("abc")
    with pytest.raises(ConfigError, match=r"^prefixes: is a single text"):
        translator.translate(["a"], prefixes="a")


def test_a_device_that_is_none_is_refused(tiny_run: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        nmt.load(tiny_run, device="gpu")
    assert str(caught.value) == "device: 'gpu' must be one of auto, cpu, cuda, mps; did you mean cuda?"
    with pytest.raises(ConfigError) as caught:
        nmt.load(tiny_run, threads=-1)
    assert str(caught.value) == "threads: -1 must be 0 or more"


def test_a_run_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        nmt.load(tmp_path / "none")
    assert str(caught.value) == (
        f"{tmp_path / 'none'}: not a run directory: no such folder; a run is made by: nmt train CONFIG"
    )


# Details and prefixes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["Le ch", "Le ", "la porte rouge n'est", "Żaneta 일", "x" * 250, ""], ids=ascii)
@pytest.mark.parametrize("how", [{}, {"beam_size": 1}, {"sampling": Sampling(seed=1)}], ids=str)
def test_a_translation_begins_with_the_prefix(translator: Translator, prefix: str, how: dict) -> None:
    how = {"changes": {"max_length": 12}, **how}
    first, other = translator.translate(["a cat", "a dog"], prefixes=[prefix, ""], **how)
    assert first.text.startswith(prefix.rstrip())
    assert other.text == translator.translate(["a cat", "a dog"], **how)[1].text


def test_as_many_prefixes_as_lines(translator: Translator) -> None:
    with pytest.raises(ConfigError, match=r"^prefixes: 1 for 2 lines; give one for each, empty for none$"):
        translator.translate(["a", "b"], prefixes=["c"])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("红猫红", "红"),  # each Chinese character is a word
        ("고양이", "고양이"),  # Korean syllables are not
        ("éé", "éé"),
        ("é红", "é"),
        (b"\xe7\xe7", None),  # no characters
    ],
)
def test_alternatives_from_bytes_are_whole_words(tiny_run: Path, said: str | bytes, shown: str | None) -> None:
    """Characters without a piece of their own come as bytes. The model here says some bytes after each other."""
    target = load_subwords(tiny_run).target
    token_of = {int(value): token for token, value in enumerate(target.byte_values) if value >= 0}
    raw = said.encode() if isinstance(said, str) else said
    script = [*(token_of[each] for each in raw), EOS_ID, EOS_ID]

    class Scripted:
        def encode(self, source: torch.Tensor) -> tuple:
            return SimpleNamespace(mask=torch.ones(1, 1)), (torch.zeros(1, 1, 1),)

        def step(self, last: torch.Tensor, state: tuple, memory: object) -> tuple:
            place = int(state[0].max())
            log_probs = torch.full((len(last), len(target.byte_values)), -50.0)
            log_probs[:, script[min(place, len(script) - 1)]] = -0.1
            return log_probs, (state[0] + 1,), None

    [others] = next_words(Scripted(), torch.zeros(1, 1, dtype=torch.long), script, [0], 1, target)
    assert [each.text for each in others] == ([shown] if shown else [])


def test_details_of_words(translator: Translator) -> None:
    options = TranslateOptions(details=True, alternatives=3, trace=True, changes={"max_length": 12})
    for line in ("a 👍🏽 cat", "I love you. We see the house."):
        [found] = translator.translate([line], options=options)
        assert found.details is not None
        for text, words in ((line, found.details.source), (found.text, found.details.target)):
            units = text.encode("utf-16-le")
            for word in words:
                assert text[word.start : word.end] == word.text
                assert units[2 * word.start16 : 2 * word.end16].decode("utf-16-le") == word.text
        for word in found.details.target:
            assert word.probability is not None and 0 <= word.probability <= 1
            assert [each.probability for each in word.alternatives] == sorted(
                (each.probability for each in word.alternatives), reverse=True
            )
            assert all(each.prefix.endswith(each.text) for each in word.alternatives if each.text)
        assert bool(found.details.trace) == (found.parts == 1)


def test_details_are_refused_where_they_have_no_effect() -> None:
    for fields, message in (
        ({"alternatives": 3}, "alternatives: needs details=true"),
        ({"details": True, "alternatives": 51}, "alternatives: 51 must be 0 to 50"),
        (
            {"details": True, "trace": True, "mbr": 4},
            "trace: has no effect on samples, which need no search; remove it",
        ),
        ({"top_k": 3}, "top_k: needs sample or mbr"),
        ({"beam_size": 0}, "beam_size: 0 must be 1 or more"),
    ):
        with pytest.raises(ConfigError) as caught:
            TranslateOptions.of(**fields)
        assert str(caught.value) == message


@pytest.mark.parametrize("searched", ["beam", "greedy", "shortlist", "prefix"])
def test_a_search_that_runs_can_be_ended(translator: Translator, lines: list[str], searched: str) -> None:
    """`check` is called before each step, and what it raises ends the search there."""
    translator = copy.copy(translator)
    if searched == "shortlist":
        vocabulary = len(translator.subwords.target)
        best = torch.full((len(translator.subwords.source), 2), EOS_ID + 1)
        translator.shortlist = Shortlist(best, torch.arange(min(50, vocabulary)))
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise TimeoutError

    options = TranslateOptions(changes={"beam_size": 1 if searched == "greedy" else 2})
    prefixes = ["a", ""] if searched == "prefix" else None
    with pytest.raises(TimeoutError):
        translator.translate(lines[:2], options=options, prefixes=prefixes, check=check)
    assert calls == 4


class HeldUp:
    """A service whose thread is held up by a first request until `go`, so that later requests are taken together."""

    def __init__(self, translator: Translator, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service, self._go, encode = TranslationService(), threading.Event(), translator.model.encode
        begun = threading.Event()

        def waiting(*values):
            begun.set()
            self._go.wait(60)
            return encode(*values)

        monkeypatch.setattr(translator.model, "encode", waiting)
        self.first = self.service.submit(translator, [line], TranslateOptions(changes={"max_length": 1}))
        begun.wait(60)

    def go(self) -> None:
        self._go.set()
        self.first.result(60)


def test_a_request_is_ended_while_it_runs(translator: Translator, lines: list[str], monkeypatch) -> None:
    """Its time is over at the third step; the request beside it, which has more time, gets its translation."""
    now, steps = 0.0, 0
    step = translator.model.step
    options = TranslateOptions(changes={"max_length": 8})
    [expected] = translator.translate(lines[:1], options=options)
    monkeypatch.setattr(service_module, "time", SimpleNamespace(monotonic=lambda: now))
    busy = HeldUp(translator, lines[0], monkeypatch)

    def counted(*values):
        nonlocal now, steps
        if busy.first.done():
            steps += 1
            now = 5.0 if steps == 3 else now
        return step(*values)

    monkeypatch.setattr(translator.model, "step", counted)
    busy.service.seconds = 4.0
    late = busy.service.submit(translator, lines[:1], options)
    busy.service.seconds = 60.0
    other = busy.service.submit(translator, lines[:1], options)
    busy.go()
    with pytest.raises(Late, match="--max-seconds allows"):
        late.result(60)
    assert other.result(60)[0].text == expected.text
    busy.service.close()


def test_requests_that_ask_for_the_same_search_are_translated_together(
    translator: Translator, lines: list[str], monkeypatch
) -> None:
    """One wants the text alone, another its attention, a third the probabilities of words: one batch, and each gets
    what it gets alone. A request with another beam has a batch of its own."""
    shared = {"max_length": 8}
    asked = [
        TranslateOptions(attention=False, changes=shared),
        TranslateOptions(changes=shared),
        TranslateOptions(details=True, alternatives=2, words="spaces", changes=shared),
        TranslateOptions(attention=False, changes={**shared, "beam_size": 3}),
    ]
    expected = [translator.translate(lines[0:4:2], options=options) for options in asked]
    busy = HeldUp(translator, lines[0], monkeypatch)
    batches, translate = [], translator.translate
    futures = [busy.service.submit(translator, lines[0:4:2], options) for options in asked]

    def counted(lines, **given):
        batches.append(len(lines))
        return translate(lines, **given)

    monkeypatch.setattr(translator, "translate", counted)
    busy.go()
    for future, alone in zip(futures, expected, strict=True):
        for line, known in zip(future.result(60), alone, strict=True):
            assert line.text == known.text and line.score == pytest.approx(known.score, abs=1e-5)
            assert (line.attention is None) == (known.attention is None) and line.alignment == known.alignment
            assert (line.details is None) == (known.details is None)
            if line.details:
                assert [len(word.alternatives) for word in line.details.target] == [2] * len(line.details.target)
    assert sorted(batches) == [2, 6]
    busy.service.close()


def test_options_of_each_line_ask_for_one_search(translator: Translator, lines: list[str]) -> None:
    plain, shown = TranslateOptions(attention=False), TranslateOptions()
    first, second = translator.translate(lines[0:4:2], options=[plain, shown])
    assert first.attention is None and second.attention is not None
    assert translator.translate([], options=[]) == []
    for wrong in ([plain], [plain, TranslateOptions(changes={"beam_size": 2})]):
        with pytest.raises(ConfigError, match="options: give one for each line"):
            translator.translate(lines[:2], options=wrong)


def test_a_search_ends_when_nobody_waits_for_it(translator: Translator, lines: list[str], monkeypatch) -> None:
    steps, step = 0, translator.model.step
    submitted: list[Future] = []

    def cancelling(*values):
        nonlocal steps
        steps += 1
        if steps == 3:
            submitted[0].cancel()
        return step(*values)

    service = TranslationService()
    monkeypatch.setattr(translator.model, "step", cancelling)
    options = TranslateOptions(changes={"max_length": 8, "min_length": 6})
    submitted.append(service.submit(translator, lines[:1], options))
    service.close()
    assert submitted[0].cancelled() and steps == 3


def test_a_service_answers_everyone_with_their_own(translator: Translator, lines: list[str]) -> None:
    service = TranslationService()
    options = TranslateOptions(changes={"max_length": 8})
    expected = {line: translator.translate([line], options=options)[0].text for line in lines}
    futures = [service.submit(translator, [line, ""], options) for line in lines for _ in range(3)]
    for future, line in zip(futures, [line for line in lines for _ in range(3)], strict=True):
        first, blank = future.result(60)
        assert (first.source, first.text, blank.text) == (line, expected[line], "")
    service.close()
    with pytest.raises(Busy, match="shutting down"):
        service.submit(translator, ["a"], options)


def test_a_service_computes_with_the_threads_that_are_free(
    translator: Translator, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used, translate = [], translator.translate

    def noting(*values, threads: int, **named):
        used.append(threads)
        return translate(*values, threads=threads, **named)

    monkeypatch.setattr(translator, "translate", noting)
    monkeypatch.setattr(translator, "threads", 3)
    monkeypatch.setattr(FreeCores, "threads", lambda self, wanted: wanted - 1)
    service = TranslationService()
    [found] = service.submit(translator, lines[:1], TranslateOptions(changes={"max_length": 8})).result(60)
    service.close()
    assert used == [2]
    assert found.text == translate(lines[:1], options=TranslateOptions(changes={"max_length": 8}))[0].text


def test_an_error_of_progress_ends_its_request_alone(translator: Translator, lines: list[str]) -> None:
    def failing(_: list[Translation]) -> None:
        raise RuntimeError("as the test wants it")

    service, options = TranslationService(), TranslateOptions(changes={"max_length": 8})
    failed = service.submit(translator, lines[:1], options, progress=failing)
    with pytest.raises(RuntimeError, match="as the test wants it"):
        failed.result(60)
    assert len(service.submit(translator, lines[:1], options).result(60)) == 1
    service.close()


def test_cancelled_requests_leave_a_full_queue(translator: Translator, lines: list[str], monkeypatch) -> None:
    busy = HeldUp(translator, lines[0], monkeypatch)
    busy.service.queue = 1
    options = TranslateOptions(changes={"max_length": 8})
    waiting = busy.service.submit(translator, lines[:1], options)
    with pytest.raises(Busy):
        busy.service.submit(translator, lines[:1], options)
    waiting.cancel()
    following = busy.service.submit(translator, lines[:1], options)
    busy.go()
    assert len(following.result(60)) == 1
    busy.service.close()


def test_the_attention_of_heads_is_that_of_the_own_thread() -> None:
    """Another thread attends with the same model, to a source of another length, meanwhile."""
    torch.manual_seed(0)
    settings = ModelSettings(embedding=8, hidden=8, attention="multihead", attention_heads=2)
    model = make_model(settings, 20, 20).eval()
    source, target, other = torch.tensor([[5, 6, 3]]), torch.tensor([[2, 7, 8, 9]]), torch.tensor([[5, 6, 7, 8, 9, 3]])
    expected = head_attention(model, source, target)
    assert expected is not None and expected.shape == (1, 2, 4, 3)
    meanwhile = [threading.Thread(target=model, args=(other, target))]

    def attend_elsewhere(*_: object) -> None:
        if meanwhile:
            thread = meanwhile.pop()
            thread.start()
            thread.join()

    attention_with_heads(model).register_forward_pre_hook(attend_elsewhere)
    torch.testing.assert_close(head_attention(model, source, target), expected)
    assert not meanwhile


UNCLOSED = """\
import sys, time, nmt
from nmt.inference.request import TranslateOptions
from nmt.inference.service import TranslationService
translator, service = nmt.load(sys.argv[1], device="cpu", threads=1), TranslationService()
options = TranslateOptions(changes={"min_length": 5000, "max_length": 5000})
computed, waits = (service.submit(translator, ["a cat"], options) for _ in range(2))
while service.waiting == 2:
    time.sleep(0.01)
time.sleep(0.3)
assert not computed.done()
"""


def test_a_program_may_end_without_closing_its_service(tiny_run: Path) -> None:
    command = [sys.executable, "-c", UNCLOSED, str(tiny_run)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
