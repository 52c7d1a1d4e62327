"""The service: who asks at the same time gets what they would get alone, and none waits for another's text."""

import threading
import time
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import nmt
from nmt.config import ModelSettings
from nmt.errors import ConfigError
from nmt.inference import service as service_module
from nmt.inference.beam import BeamSearch
from nmt.inference.heads import attention_with_heads, head_attention
from nmt.inference.parallel import own_threads
from nmt.inference.request import Sampling, TranslateOptions
from nmt.inference.running import RunningTranslation
from nmt.inference.service import ROOM, Busy, Late, TranslationService
from nmt.inference.translation import Translation
from nmt.inference.translator import Translator
from nmt.model import make_model

SHORT = {"max_length": 8}


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return nmt.load(tiny_run)


@pytest.fixture(scope="module")
def lines(tiny_corpus: Path) -> list[str]:
    """Long and short lines in turns, some of them blank or strange."""
    text = (tiny_corpus / "test.en").read_text(encoding="utf-8").split("\n")[:6]
    strange = ["", "a", "나는 👍🏽", "\u3000", " ".join(text), "a\rb\u2028c"]
    return [line for pair in zip(text, strange, strict=True) for line in pair]


def check_same(found: Translation, expected: Translation) -> None:
    assert (found.source, found.text, found.cut, found.parts) == (
        expected.source,
        expected.text,
        expected.cut,
        expected.parts,
    )
    assert found.score == pytest.approx(expected.score, abs=1e-4)
    assert found.alignment == expected.alignment
    assert (found.details is None) == (expected.details is None)


# Lines that come and go -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 3, 64])
def test_lines_that_join_get_what_they_get_alone(translator: Translator, lines: list[str], room: int) -> None:
    """Lines of several parts, blank lines and lines that are cut among them, each with an explanation of its own."""
    asked = [TranslateOptions(attention=False, changes={**SHORT, "max_source": 6})]
    asked += [TranslateOptions(changes=asked[0].changes), TranslateOptions(details=True, changes=asked[0].changes)]
    wanted = {number: (line, asked[number % 3]) for number, line in enumerate(lines)}
    expected = {number: translator.translate([line], options=own)[0] for number, (line, own) in wanted.items()}
    assert any(each.parts > 1 for each in expected.values()) and any(each.cut for each in expected.values())
    running: RunningTranslation[int] = RunningTranslation(translator, asked[0])
    running.room = room
    waiting, found = list(wanted.items()), {}
    while len(found) < len(lines):
        running.add([(number, *own) for number, own in waiting[:2]])
        del waiting[:2]
        found.update(running.advance())
    assert len(running) == 0 and running.advance() == []
    for number in wanted:
        check_same(found[number], expected[number])


def test_lines_that_nobody_wants_any_more_are_dropped(translator: Translator, lines: list[str]) -> None:
    options = TranslateOptions(changes={**SHORT, "min_length": 6})
    running: RunningTranslation[int] = RunningTranslation(translator, options)
    running.room = 3
    running.add([(number, lines[0], options) for number in range(6)])
    running.advance()
    running.drop(lambda number: number in (1, 5))
    assert len(running) == 2
    found: dict[int, Translation] = {}
    while len(running):
        found.update(running.advance())
    found.update(running.advance())
    assert sorted(found) == [1, 5]


def test_a_short_line_does_not_wait_for_all_parts_of_a_long_one(translator: Translator, lines: list[str]) -> None:
    options = TranslateOptions(attention=False, changes=SHORT)
    running: RunningTranslation[str] = RunningTranslation(translator, options)
    running.room = 2
    running.add([("long", " ".join(lines[::2] * 4), options), ("short", lines[0], options)])
    order: list[str] = []
    while len(order) < 2:
        order += [key for key, _ in running.advance()]
    assert order == ["short", "long"]


# Requests -------------------------------------------------------------------------------------------------------------


class HeldUp:
    """A service whose only worker is held up by a first request until `go`, so that later requests are taken
    together."""

    def __init__(self, translator: Translator, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service, self._go, encode = TranslationService(threads=1), threading.Event(), translator.model.encode
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
    """One wants the text alone, another its attention, a third the probabilities of words: they join one search,
    and each gets what it gets alone. A request with another beam has a search of its own."""
    shared = {"max_length": 8}
    asked = [
        TranslateOptions(attention=False, changes=shared),
        TranslateOptions(changes=shared),
        TranslateOptions(details=True, alternatives=2, words="spaces", changes=shared),
        TranslateOptions(attention=False, changes={**shared, "beam_size": 3}),
    ]
    expected = [translator.translate(lines[0:4:2], options=options) for options in asked]
    busy = HeldUp(translator, lines[0], monkeypatch)
    joined, add = [], BeamSearch.add
    futures = [busy.service.submit(translator, lines[0:4:2], options) for options in asked]

    def counted(running, source):
        joined.append(len(source))
        return add(running, source)

    monkeypatch.setattr(BeamSearch, "add", counted)
    busy.go()
    for future, alone in zip(futures, expected, strict=True):
        for line, known in zip(future.result(60), alone, strict=True):
            assert line.text == known.text and line.score == pytest.approx(known.score, abs=1e-5)
            assert (line.attention is None) == (known.attention is None) and line.alignment == known.alignment
            assert (line.details is None) == (known.details is None)
            if line.details:
                assert [len(word.alternatives) for word in line.details.target] == [2] * len(line.details.target)
    assert sorted(joined) == [2, 6]
    busy.service.close()


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


def test_a_short_request_does_not_wait_for_a_long_one(translator: Translator, lines: list[str], monkeypatch) -> None:
    options, ended = TranslateOptions(attention=False, changes={**SHORT, "min_length": 6}), []
    busy = HeldUp(translator, lines[0], monkeypatch)
    long = busy.service.submit(translator, [lines[0]] * 3 * ROOM, options)
    short = busy.service.submit(translator, [lines[0]], options)
    for name, future in {"long": long, "short": short}.items():
        future.add_done_callback(lambda _, name=name: ended.append(name))
    busy.go()
    assert len(long.result(60)) == 3 * ROOM and len(short.result(60)) == 1
    assert ended == ["short", "long"]
    busy.service.close()


def test_progress_is_told_in_the_order_of_the_lines(translator: Translator, lines: list[str]) -> None:
    service, told = TranslationService(threads=2), []
    options = TranslateOptions(attention=False, changes=SHORT)
    future = service.submit(translator, lines * 4, options, progress=told.extend)
    assert told == future.result(60) and [each.source for each in told] == lines * 4
    service.close()


def test_an_error_ends_the_request_that_it_belongs_to(translator: Translator, lines: list[str], monkeypatch) -> None:
    encode_line = translator.encode_line

    def failing(line: str, begun: str = ""):
        if line == "fails":
            raise RuntimeError("as the test wants it")
        return encode_line(line, begun)

    options = TranslateOptions(changes=SHORT)
    [expected] = translator.translate(lines[:1], options=options)
    monkeypatch.setattr(translator, "encode_line", failing)
    busy = HeldUp(translator, lines[0], monkeypatch)
    futures = [busy.service.submit(translator, [line], options) for line in (lines[0], "fails", lines[0])]
    busy.go()
    with pytest.raises(RuntimeError, match="as the test wants it"):
        futures[1].result(60)
    for future in (futures[0], futures[2]):
        check_same(future.result(60)[0], expected)
    again = busy.service.submit(translator, lines[:1], options)  # the worker goes on
    check_same(again.result(60)[0], expected)
    busy.service.close()


def test_what_cannot_join_a_search_is_a_batch_of_its_own(translator: Translator, lines: list[str]) -> None:
    """Samples depend on the number of the line, in the second batch of a request too."""
    sampled = TranslateOptions(sampling=Sampling(seed=3), changes=SHORT)
    many = [lines[0]] * 40
    service = TranslationService(threads=1)
    drawn = service.submit(translator, many, sampled)
    begun = service.submit(translator, lines[:2], TranslateOptions(changes=SHORT), prefixes=["a", ""])
    assert [each.text for each in drawn.result(60)] == [
        each.text for each in translator.translate(many, options=sampled)
    ]
    assert begun.result(60)[0].text.startswith("a")
    service.close()


def test_a_worker_has_all_threads_while_the_others_are_idle(
    translator: Translator, lines: list[str], monkeypatch
) -> None:
    seen, encode = [], translator.model.encode
    first, second = threading.Event(), threading.Event()

    def noting(*values):
        seen.append(own_threads())
        (second if first.is_set() else first).set()
        second.wait(60)  # the first worker is busy until the second has begun
        return encode(*values)

    monkeypatch.setattr(translator.model, "encode", noting)
    options = TranslateOptions(attention=False, changes=SHORT)
    service = TranslationService(threads=2)
    futures = [service.submit(translator, lines[:1], options)]
    first.wait(60)
    futures.append(service.submit(translator, lines[:1], options))
    for future in futures:
        future.result(60)
    while any(worker.busy for worker in service._workers):
        time.sleep(0.01)
    service.submit(translator, lines[:1], options).result(60)
    assert seen == [2, 1, 2]
    service.close()


def test_a_request_without_lines_is_answered_at_once(translator: Translator) -> None:
    service = TranslationService(threads=1)
    assert service.submit(translator, [], TranslateOptions()).result(60) == []
    service.close()


def test_what_is_no_text_is_refused_at_once(translator: Translator) -> None:
    service, options = TranslationService(threads=1), TranslateOptions(changes=SHORT)
    with pytest.raises(ConfigError, match="half of a surrogate pair"):
        service.submit(translator, ["\ud800"], options)
    with pytest.raises(ConfigError, match="prefixes: 1 for 2 lines"):
        service.submit(translator, ["a", "b"], options, prefixes=["a"])
    service.close()


def test_an_error_of_progress_ends_its_request_alone(translator: Translator) -> None:
    def failing(_: list[Translation]) -> None:
        raise ValueError("as the test wants it")

    service, options = TranslationService(threads=1), TranslateOptions(changes=SHORT)
    with pytest.raises(ValueError, match="as the test wants it"):
        service.submit(translator, ["a", "b"], options, progress=failing).result(60)
    assert len(service.submit(translator, ["a"], options).result(60)) == 1  # the worker goes on
    service.close()


def test_two_workers_may_fail_one_request_at_once(translator: Translator, monkeypatch) -> None:
    both, begin = threading.Barrier(2), Future.set_running_or_notify_cancel

    def failing(line: str, begun: str = ""):
        both.wait(60)
        raise RuntimeError("as the test wants it")

    def slow(future: Future) -> bool:
        time.sleep(0.1)  # the other worker ends the request here, if it may
        return begin(future)

    service = TranslationService(threads=2)
    with monkeypatch.context() as patched:
        patched.setattr(translator, "encode_line", failing)
        patched.setattr(Future, "set_running_or_notify_cancel", slow)
        with pytest.raises(RuntimeError, match="as the test wants it"):
            service.submit(translator, ["fails"] * 16, TranslateOptions(changes=SHORT)).result(60)
        time.sleep(0.3)
    assert all(thread.is_alive() for thread in service._threads)
    service.close()


def test_a_search_does_not_wait_for_all_batches(translator: Translator, lines: list[str], monkeypatch) -> None:
    sampled = TranslateOptions(n_best=20, sampling=Sampling(seed=3), changes={**SHORT, "min_length": 6})
    busy, ended = HeldUp(translator, lines[0], monkeypatch), []
    futures = [busy.service.submit(translator, lines[:6], sampled) for _ in range(4)]
    futures.append(busy.service.submit(translator, lines[:1], TranslateOptions(changes={"max_length": 1})))
    for number, future in enumerate(futures):
        future.add_done_callback(lambda _, number=number: ended.append(number))
    busy.go()
    for future in futures:
        future.result(60)
    assert ended.index(4) < 3
    busy.service.close()


def test_cancelled_requests_leave_the_queue_when_it_is_full(translator: Translator, lines, monkeypatch) -> None:
    busy = HeldUp(translator, lines[0], monkeypatch)
    busy.service.queue = 1
    options = TranslateOptions(changes=SHORT)
    cancelled = busy.service.submit(translator, lines[:1], options)
    with pytest.raises(Busy):
        busy.service.submit(translator, lines[:1], options)
    cancelled.cancel()
    other = busy.service.submit(translator, lines[:1], options)
    busy.go()
    assert len(other.result(60)) == 1
    busy.service.close()


def test_the_attention_of_heads_is_that_of_the_own_request() -> None:
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
