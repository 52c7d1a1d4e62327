"""Training that starts before its text is encoded: what is known of the text then, and what is recorded at the end."""

import json
import time

from nmt.config import Settings
from nmt.data.background import BackgroundFailed
from nmt.data.early import LOOK, EarlyStart
from nmt.data.growing import GrowingDataset
from nmt.data.prepare import Prepared
from nmt.data.statistics import TrainingStatistics, from_json, to_json, training_statistics
from nmt.distributed import Ranks
from nmt.files import write_atomic
from nmt.runs import store
from nmt.training.batches import EpochBatches
from nmt.training.lock import RunFolder
from nmt.training.log import Log
from nmt.training.provenance import read_provenance
from nmt.training.signals import Interrupted, Signals
from nmt.training.state import Progress


def early_start(settings: Settings, ranks: Ranks) -> EarlyStart | None:
    """Return how training starts before the text is encoded, if it is to; the first rank of a machine encodes."""
    if not settings.data.start_early:
        return None
    return EarlyStart(settings.training.shuffle_window, ranks.local_rank == 0, len(set(ranks.hosts)))


def run_statistics(
    data: Prepared, known: TrainingStatistics | None, early: EarlyStart | None, ranks: Ranks
) -> tuple[TrainingStatistics, TrainingStatistics]:
    """Return the statistics of the training text for the run, and those that validation takes its limits from.

    `known` are those that the run has. With `early`, validation uses those of the pairs that training begins with, for
    the whole run; and the run records these until the rest is encoded.
    """
    if early is None:
        statistics = known or training_statistics(data.train, data.subwords)
        return statistics, statistics
    # The leader has these pairs; the other ranks may not see them yet.
    found = to_json(training_statistics(data.train.head(early.first), data.subwords)).decode() if ranks.leads else ""
    first = from_json(json.loads(ranks.share(found)))
    if not data.train.complete:
        return first, first
    same = known is not None and known.pairs == len(data.train)
    return (known if known and same else training_statistics(data.train, data.subwords)), first


class RestOfText:
    """Follow the encoding of the training text. When all of it is encoded, write its statistics into the run."""

    def __init__(self, early: EarlyStart, data: Prepared, run: RunFolder, log: Log) -> None:
        self._early, self._data, self._run, self._log = early, data, run, log
        self._recorded = False

    def check(self) -> bool:
        """Log what the child process reports, and return whether it has encoded the whole text.

        Raise BackgroundFailed if it failed.
        """
        if not self._recorded and self._early.encoding and self._early.encoding.check():
            self._record()
            self._recorded = True
        return self._recorded

    def wait(self, signals: Signals) -> bool:
        """Wait until the whole text is encoded, whose statistics the run records, and return whether any time passed.

        Raise Interrupted on a signal, BackgroundFailed if the text cannot be encoded.
        """
        if self.check():
            return False
        self._log.say("waiting until the rest of the text is encoded, for the statistics of the run (data.start_early)")
        while not self.check():
            signals.check()
            time.sleep(LOOK)
        return True

    def _record(self) -> None:
        train = self._data.train
        if isinstance(train, GrowingDataset) and not train.has_all():
            raise BackgroundFailed(2, f"{train.folders[0]}: was removed from the cache during training; start again")
        self._log.say(f"all {len(train):,} training pairs are encoded")
        self._run.check()
        try:
            store.save_statistics(self._run.path, training_statistics(train, self._data.subwords))
            before = read_provenance(self._run.path)
            before["pairs"]["train"] = len(train)
            before["left_out"][self._data.corpora.train[0].source.name] = self._early.left_out()
            write_atomic(self._run.path / store.PROVENANCE, json.dumps(before, indent=1).encode())
        except OSError as error:
            self._log.warn(
                f"{store.STATISTICS}: cannot write: {error.strerror}; the next start of this run tries again"
            )


def wait_for_window(
    batches: EpochBatches,
    progress: Progress,
    rest: RestOfText | None,
    ranks: Ranks,
    signals: Signals,
    log: Log,
) -> bool:
    """Wait until all ranks have the pairs of the window that training has reached, and return whether any time passed.

    `rest` is None on ranks that do not encode. Raise Interrupted on a signal of any rank, BackgroundFailed if the text
    cannot be encoded.
    """
    waited = False
    while True:
        known = ranks.gather([batches.encoded(progress.epoch, progress.window), signals.received])
        if number := next((number for _, number in known if number), 0):
            signals.received = number
            raise Interrupted
        if all(ready for ready, _ in known):
            return waited
        if not waited:
            log.say(f"step {progress.step:,}: waiting until the next pairs are encoded (data.start_early)")
            waited = True
        time.sleep(LOOK)
        if rest:
            rest.check()
