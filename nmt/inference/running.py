"""Translate lines that come and go: each joins the search that is running, and leaves it when it is done."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import torch

from nmt.data.batch import pad_sources
from nmt.inference.beam import BeamSearch
from nmt.inference.request import TranslateOptions
from nmt.inference.searchable import Hypothesis
from nmt.inference.translation import Translation, join_segments
from nmt.inference.translator import EncodedLine, Parts, Translator
from nmt.kernels.deferred_gradients import deferred_gradients

PATIENCE = 8  # steps that a finished line waits for others, since one pass of the model explains all of them

Key = TypeVar("Key", bound=Hashable)


@dataclass
class _Line(Generic[Key]):
    """Hold a line and the translations of its parts, as far as they are there."""

    key: Key
    text: str
    options: TranslateOptions
    encoded: EncodedLine
    found: dict[int, Translation] = field(default_factory=dict)


class RunningTranslation(Generic[Key]):
    """Translate lines of requests for one search, to which lines may be added at any time.

    Each line gets what `Translator.translate` gives. The memory needed depends on the model and the beam, not on the
    number of lines: more than `room` wait until others are done.
    """

    def __init__(self, translator: Translator, options: TranslateOptions) -> None:
        """Translate nothing yet. The options of each line may differ in what they explain."""
        self._settings = options.settings(translator.settings, attends=translator.attends)
        self._translator = translator.in_precision(self._settings)
        self._search = BeamSearch(self._translator.model, self._settings, options.n_best, self._translator.constraints)
        self.room = translator.lines_at_once(self._settings, options)
        self._waiting: deque[tuple[_Line[Key], deque[int]]] = deque()  # a line and the numbers of its parts
        self._searched: dict[int, tuple[_Line[Key], int]] = {}  # a line and a part, by its number in the search
        self._unexplained: list[tuple[_Line[Key], int, list[Hypothesis]]] = []
        self._steps = 0  # since the first of these
        self._ready: list[tuple[Key, Translation]] = []

    def __len__(self) -> int:
        """Return how many sentences are translated, those that wait included."""
        return sum(len(parts) for _, parts in self._waiting) + len(self._searched)

    def add(self, lines: Sequence[tuple[Key, str, TranslateOptions]]) -> None:
        """Add lines, each with a key of its own."""
        for key, text, options in lines:
            line = _Line(key, text, options, self._translator.encode_line(text))
            if parts := deque(part for part, ids in enumerate(line.encoded.ids) if ids):
                self._waiting.append((line, parts))
            for part, (own, ids) in enumerate(zip(line.encoded.parts.texts, line.encoded.ids, strict=True)):
                if not ids:  # an empty line stays empty, without the model
                    self._put(line, part, Translation(own, ""))

    def drop(self, wanted: Callable[[Key], bool]) -> None:
        """Stop translating the lines whose key is not wanted any more."""
        self._waiting = deque(each for each in self._waiting if wanted(each[0].key))
        gone = [number for number, (line, _) in self._searched.items() if not wanted(line.key)]
        if gone:
            for number in gone:
                del self._searched[number]
            with torch.inference_mode():
                self._search.drop(set(gone))
        self._unexplained = [each for each in self._unexplained if wanted(each[0].key)]
        self._ready = [each for each in self._ready if wanted(each[0])]

    @torch.inference_mode()
    def advance(self) -> list[tuple[Key, Translation]]:
        """Take a step of the search, and return the lines that are translated now."""
        with self._translator.computing(self._settings):
            with deferred_gradients():
                self._fill()
                ended = self._search.advance()
            self._steps += 1
            for number, hypotheses in ended.items():
                if not self._unexplained:
                    self._steps = 0
                self._unexplained.append((*self._searched.pop(number), hypotheses))
            self._explain()
        ready, self._ready = self._ready, []
        return ready

    def _fill(self) -> None:
        """Add a part of each line in turn, so that a short line does not wait for all of a long one."""
        some: list[tuple[_Line[Key], int]] = []
        while self._waiting and len(self._searched) + len(some) < self.room:
            line, parts = self._waiting.popleft()
            some.append((line, parts.popleft()))
            if parts:
                self._waiting.append((line, parts))
        if some:
            numbers = self._search.add(pad_sources([self._ids(line, part) for line, part in some]))
            self._searched.update(zip(numbers, some, strict=True))

    def _ids(self, line: _Line[Key], part: int) -> list[int]:
        return line.encoded.ids[part][: self._settings.max_source]

    def _explain(self) -> None:
        """Make translations of the hypotheses of ended searches. Where that needs the model, wait for a few steps, or
        until as many are there as are still searched."""
        few = len(self._unexplained) < len(self) and self._steps < PATIENCE
        now = [each for each in self._unexplained if not (few and each[0].options.reads_result)]
        if not now:
            return
        self._unexplained = [each for each in self._unexplained if few and each[0].options.reads_result]
        parts = Parts(
            [line.encoded.parts.texts[part] for line, part, _ in now],
            [self._ids(line, part) for line, part, _ in now],
            [(0, 0)] * len(now),
            [None] * len(now),
            [line.options for line, _, _ in now],
        )
        found = self._translator.explain(parts, [hypotheses for _, _, hypotheses in now], self._settings)
        for (line, part, _), translation in zip(now, found, strict=True):
            cut = len(line.encoded.ids[part]) > self._settings.max_source
            self._put(line, part, replace(translation, cut=cut))

    def _put(self, line: _Line[Key], part: int, translation: Translation) -> None:
        line.found[part] = translation
        if len(line.found) == len(line.encoded.ids):
            parts = [line.found[each] for each in range(len(line.found))]
            self._ready.append((line.key, join_segments(line.text, line.encoded.parts.spaces, parts, mean_score=False)))
