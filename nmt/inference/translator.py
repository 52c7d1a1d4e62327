"""Translate lines: raw text -> subwords -> search -> raw text, as many lines as came, in the same order."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from nmt.config import DecodingSettings
from nmt.data.batch import pad_sources, pad_targets
from nmt.data.batching import longest_first
from nmt.data.corpus import is_blank
from nmt.data.sentences import count_sentences
from nmt.data.statistics import TrainingStatistics
from nmt.data.subword import LONGEST_LINE, Subwords
from nmt.errors import ConfigError
from nmt.inference.alignment import END
from nmt.inference.constraints import Constraints, longest_allowed
from nmt.inference.ensemble import Ensemble
from nmt.inference.explain import Confidence, Explainer
from nmt.inference.interruptible import Check, Interruptible
from nmt.inference.parallel import computing_with, even_size, parallel_map
from nmt.inference.prefix import Prefix, Prefixed, Prefixes, Spelling, prefix_of
from nmt.inference.request import GIVEN, Sampling, TranslateOptions, pairs_of, texts_of, with_changes
from nmt.inference.sampling import Place
from nmt.inference.scoring import Scored, token_log_probs
from nmt.inference.search import Hypothesis, Searchable
from nmt.inference.searches import SEARCHES, Wanted, name_of
from nmt.inference.segmentation import Capacity, Segments, capacity, split_line
from nmt.inference.shortlist import Shortlist
from nmt.inference.trace import Trace
from nmt.inference.translation import Translation, join_segments
from nmt.kernels import Thresholds, using
from nmt.kernels.packed import PackedWeights, cached_packing
from nmt.model import Seq2Seq
from nmt.model.int8 import Int8Linear, quantize
from nmt.precision import Choice, computing_in, precision_of_decoding

MOST_VALUES = 2**26  # log-probabilities of a step, over all hypotheses of a batch; wide beams get smaller batches
MOST_TARGET = 20_000  # pieces of a given translation that are scored


class _Encoded(NamedTuple):
    """Hold a line, whole or in segments, and the token ids of each segment."""

    parts: Segments
    ids: list[list[int]]
    prefix: Prefix | None = None  # that the translation begins with, if it is one part


class _Batch(NamedTuple):
    """Hold lines, or parts of lines, that are translated together."""

    lines: list[str]
    ids: list[list[int]]
    places: list[Place]
    prefixes: list[Prefix | None]
    options: list[TranslateOptions]  # which differ in what is explained alone

    def at(self, indices: Sequence[int]) -> "_Batch":
        lines, ids, places, prefixes, options = ([part[index] for index in indices] for part in self)
        return _Batch(lines, ids, places, prefixes, options)  # type: ignore[arg-type]


class Translator:
    """Translate with a model, or with several as an ensemble, given their subwords and decoding settings."""

    def __init__(
        self,
        members: Sequence[Seq2Seq],
        subwords: Subwords,
        settings: DecodingSettings,
        device: torch.device | None = None,
        longest: int = 0,
        shortlist: Shortlist | None = None,
        statistics: TrainingStatistics | None = None,
        threads: int = 0,
        confidence: Confidence | None = None,
        speed: Mapping[int, Thresholds] | None = None,
    ) -> None:
        """Take `statistics` of the training text, which decide when a line is split and how long a translation may
        become. Without them, lines with more subwords than `longest` are split at sentence ends; 0: never. A shortlist
        needs a single model.

        `threads` of the CPU compute; 0: as many as torch has where a translation is asked for. Several threads of a
        program may use one translator at once. `speed` are the thresholds of this machine's fast paths, by number of
        threads; None: those of the thread that asks for a translation.
        """
        self.members = [member.eval() for member in members]
        self.model: Searchable = self.members[0] if len(members) == 1 else Ensemble(self.members)
        self.subwords = subwords
        self.settings = settings
        self.statistics = statistics
        self.capacity = capacity(statistics) if statistics else Capacity(0, longest, 0) if longest else None
        self.constraints = Constraints.of(subwords.target, statistics.target_lengths if statistics else None)
        self.device = device or torch.device("cpu")
        self.shortlist = shortlist
        self.threads = threads
        self.speed = speed
        self.confidence = confidence  # (of words, of sentences): from probability to confidence
        self.constraints = self.constraints.to(self.device)
        self._packed = PackedWeights()
        self._has_8_bits = any(isinstance(part, Int8Linear) for member in self.members for part in member.modules())
        self._in_8_bits: Translator | None = None  # made when it is asked for

    @property
    def attends(self) -> bool:
        """Return whether there is an attention to show."""
        return any(member.settings.attention != "none" for member in self.members)

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam_size: int | None = None,
        length_penalty: int | float | None = None,
        n_best: int = 1,
        attention: bool = True,
        sampling: Sampling | None = None,
        mbr: int = 0,
        first_line: int = 1,
        words: str = "scripts",
        changes: Mapping[str, Any] | None = None,
        prefixes: Sequence[str] | None = None,
        options: TranslateOptions | Sequence[TranslateOptions] | None = None,
        check: Check | None = None,
        threads: int = 0,
    ) -> list[Translation]:
        """Translate lines; returns as many translations, in the same order; `changes` are any other decoding settings.

        Raises ConfigError if a setting is impossible or could have no effect. More translations than the beam of the
        run is wide widen it. `words` says what a word is in attention and alignment, out of WORDS.

        `attention` comes with an alignment, and costs a few per cent of the time.
        With `sampling`, `n_best` translations are drawn. `mbr` is the number of samples to draw (without `sampling`,
        from the model's own distribution); those with the highest mean chrF to the others are returned.
        The samples of a line depend on the seed and its number, counted from `first_line`; each part of a split line
        has samples of its own.

        `prefixes` has a text for each line, with which its translation begins; "" for none. A line with a prefix is
        translated as a whole, however long it is. `options` describe the whole request in place of the others: once,
        or for each line, if the lines differ in their explanation alone (`TranslateOptions.same_search`).
        `check` is called before each step of a search, and may raise to end it. `threads` compute; 0: those that the
        translator was made for.
        """
        if options is None:
            named = {"beam_size": beam_size, "length_penalty": length_penalty}
            changes = {**(changes or {}), **{name: value for name, value in named.items() if value is not None}}
            options = TranslateOptions(n_best, sampling, mbr, attention, words, changes=changes)
        lines = texts_of(lines, "lines")
        if isinstance(options, TranslateOptions):
            settings = options.settings(self.settings, attends=self.attends)
            wanted = [options] * len(lines)
        else:
            wanted = list(options)
            if len(wanted) != len(lines) or not all(each.same_search(wanted[0]) for each in wanted):
                raise ConfigError("options: give one for each line, and the same search for all")
            settings = wanted[0].settings(self.settings, attends=self.attends) if wanted else self.settings
        # The parts of all lines are translated together, and joined line by line at the end.
        begun = texts_of(prefixes, "prefixes") if prefixes is not None else [""] * len(lines)
        if len(begun) != len(lines):
            raise ConfigError(f"prefixes: {len(begun):,} for {len(lines):,} lines; give one for each, empty for none")
        if not lines:
            return []
        encoded = [self._encode_parts(line, prefix) for line, prefix in zip(lines, begun, strict=True)]
        batch = _Batch(
            [text for each in encoded for text in each.parts.texts],
            [part for each in encoded for part in each.ids],
            [(first_line + index, part) for index, each in enumerate(encoded) for part in range(len(each.ids))],
            [each.prefix for each in encoded for _ in each.ids],
            [asked for asked, each in zip(wanted, encoded, strict=True) for _ in each.ids],
        )
        precision = self.precision(settings.precision).precision  # as for all threads, however many are free
        with computing_with(threads or self.threads), using(self.speed):
            found = iter(self._in(precision)._translate(batch, settings, precision, check))
        mean_score = bool(wanted[0].mbr)
        return [
            join_segments(line, each.parts.spaces, [next(found) for _ in each.ids], mean_score=mean_score)
            for line, each in zip(lines, encoded, strict=True)
        ]

    def _encode(self, line: str) -> list[int]:
        return [] if is_blank(line) else self.subwords.source.encode(line)

    def _encode_parts(self, line: str, begun: str = "") -> _Encoded:
        """Encode the line whole, or in segments if it holds more than the training lines did; of a huge line only
        the beginning."""
        line = line[:LONGEST_LINE]
        if prefix := prefix_of(begun[:LONGEST_LINE], self.subwords.target):
            return _Encoded(Segments([line], [""]), [self._encode(line)], prefix)
        most = self.capacity
        sentences = count_sentences(line) if most else 1  # first, since it is cheaper than encoding a long line
        if not most or most.holds_sentences(sentences):
            ids = self._encode(line)
            if not most or most.holds(sentences, len(ids)):
                return _Encoded(Segments([line], [""]), [ids])
        verbatim = self.subwords.target.normalizer.name == "identity"
        parts = split_line(line, lambda text: len(self._encode(text)), most, verbatim)
        return _Encoded(parts, [self._encode(text) for text in parts.texts])

    def precision(self, wanted: str) -> Choice:
        """Return the precision that `decoding.precision=wanted` means here, and why, if it was chosen.

        Raise ConfigError if the device cannot compute in it.
        """
        with computing_with(self.threads), using(self.speed):
            choice = precision_of_decoding(wanted, self.device, self.members[0].settings)
        return Choice("int8", "its weights have 8 bits") if self._has_8_bits else choice

    def _in(self, precision: str) -> "Translator":
        """Return a translator that computes in this precision: this one, or one with 8-bit weights."""
        if precision != "int8" or self._has_8_bits:
            return self
        if self._in_8_bits is None:
            other = copy(self)  # the original stays as it is: another thread may be translating with it
            other.members = [deepcopy(member) for member in self.members]
            for member in other.members:
                quantize(member)
            other.model = other.members[0] if len(other.members) == 1 else Ensemble(other.members)
            other._packed, other._has_8_bits = PackedWeights(), True
            self._in_8_bits = other
        return self._in_8_bits

    def _translate(
        self, whole: _Batch, settings: DecodingSettings, precision: str, check: Check | None
    ) -> list[Translation]:
        options = whole.options[0]  # those of the search are the same for all lines
        found: list[Translation] = [Translation(line, "") for line in whole.lines]
        ids = whole.ids
        real = [index for index in range(len(ids)) if ids[index]]  # an empty line stays empty, without the model

        def of_batch(indices: list[int]) -> list[Translation]:
            batch = whole.at(indices)
            batch = batch._replace(ids=[each[: settings.max_source] for each in batch.ids])
            with cached_packing(self._packed), computing_in(precision, self.device):
                traced = any(each.attention or each.details for each in batch.options)
                trace = Trace(candidates=options.trace, copies=options.copies) if traced else None
                hypotheses = self._search(batch, settings, options, trace, check)
                limits = longest_allowed(pad_sources(batch.ids), settings, self.constraints).tolist()
                explained: dict[int, Translation] = {}
                for explanation in dict.fromkeys(each.explanation for each in batch.options):
                    rows = [row for row, each in enumerate(batch.options) if each.explanation == explanation]
                    part = batch.at(rows)
                    results = self._explainer(settings).translations(
                        part.lines,
                        part.ids,
                        [hypotheses[row] for row in rows],
                        [limits[row] for row in rows],
                        part.options[0],
                        trace,
                        rows,
                    )
                    explained.update(zip(rows, results, strict=True))
                return [explained[row] for row in range(len(batch.ids))]

        # A wide beam or many samples make a batch of many rows: then fewer lines go together.
        rows = options.copies * (1 if options.drawn or options.mbr else settings.beam_size)
        at_once = max(1, MOST_VALUES // (rows * len(self.subwords.target)))
        size = min(max(1, settings.batch_size // options.copies), at_once)
        size = even_size(len(real), size, self.device)
        batches = list(longest_first(real, [len(each) for each in ids], size))
        for indices, results in zip(batches, parallel_map(of_batch, batches, self.device), strict=True):
            for index, translation in zip(indices, results, strict=True):
                found[index] = replace(translation, cut=len(ids[index]) > settings.max_source)
        return found

    def _search(
        self,
        batch: _Batch,
        settings: DecodingSettings,
        options: TranslateOptions,
        trace: Trace | None,
        check: Check | None,
    ) -> list[list[Hypothesis]]:
        source = pad_sources(batch.ids)
        model, constraints = self.model, self.constraints
        if any(batch.prefixes):
            prefixes = Prefixes.of(batch.prefixes, Spelling.of(self.subwords.target)).to(self.device)
            model, constraints = Prefixed(model, prefixes), replace(constraints, least=prefixes.least)
        kind = name_of(options)
        if kind == "beam" and self.shortlist and model is self.model:  # a prefix may have words that no shortlist has
            return self.shortlist.search(self.members[0], source, settings, options.n_best, constraints, trace, check)
        decode = self.subwords.target.decode
        model = Interruptible(model, check) if check else model
        return SEARCHES[kind](model, Wanted(source, settings, options, batch.places, constraints, decode, trace))

    def attention(self, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """Return the attention of given translations, per sentence (target pieces + end, source pieces + end)."""
        return self._explainer(self.settings).attention(sources, targets)

    def _explainer(self, settings: DecodingSettings) -> Explainer:
        size, share = self.settings.batch_size, settings.link_share
        return Explainer(self.members, self.model, self.subwords, self.device, size, self.confidence, share)

    def score(self, pairs: Iterable[tuple[str, str]], *, changes: Mapping[str, Any] | None = None) -> list[Scored]:
        """Score the given translation of each line token by token; (source, target) pairs, in the same order.

        Raises ConfigError if one of the `changes` is impossible or has no effect on given translations.
        """
        settings = with_changes(self.settings, changes or {}, GIVEN)
        with computing_with(self.threads):
            return self._score(pairs_of(pairs), settings)

    def _score(self, pairs: list[tuple[str, str]], settings: DecodingSettings) -> list[Scored]:
        limit = settings.max_source
        # One token more than is read tells that a line was cut.
        sources = [self.subwords.source.beginning(source, limit + 1) for source, _ in pairs]
        known_targets = [self.subwords.target.beginning(target, MOST_TARGET + 1) for _, target in pairs]
        targets = [target[:MOST_TARGET] for target in known_targets]
        found: dict[int, Scored] = {}  # by the place of the pair, since batches go by length
        for batch in longest_first(range(len(pairs)), [len(target) for target in targets], settings.batch_size):
            source = pad_sources([sources[index][:limit] for index in batch])
            known = (part.to(self.device) for part in pad_targets([targets[index] for index in batch]))
            for index, row in zip(batch, token_log_probs(self.members, source, *known).tolist(), strict=True):
                pieces = [piece.text for piece in self.subwords.target.decoded_pieces(targets[index])]
                cut = len(sources[index]) > limit or len(known_targets[index]) > MOST_TARGET
                cut = cut or max(map(len, pairs[index])) > LONGEST_LINE
                found[index] = Scored(*pairs[index], [*pieces, END], row[: len(pieces) + 1], cut)
        return [found[index] for index in range(len(pairs))]
