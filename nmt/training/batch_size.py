"""`training.batch_tokens: auto`: the batch size that fills the memory of a CUDA device, found before training."""

from collections.abc import Callable

import numpy as np
import torch

from nmt.config import Settings
from nmt.config.defaults_for import row_for
from nmt.data.batch import make_batch
from nmt.data.batching import Lengths
from nmt.data.dataset import Dataset
from nmt.data.prepare import Prepared
from nmt.distributed import ALONE, Ranks
from nmt.errors import OutOfMemory
from nmt.shown import amount
from nmt.training.footprint import new_model
from nmt.training.step import TrainStep

FIRST = 1024  # tokens: the first size tried
MULTIPLE = 64  # what is chosen is a multiple of this
UPDATES = 100  # an epoch keeps this many batches: on a small corpus, few updates cost more than large batches gain
SPARE = 0.9  # of the largest size that fits: memory fragments, and sampled subwords make sentences longer


def with_batch_tokens(
    settings: Settings, data: Prepared, device: torch.device, say: Callable[[str], None], ranks: Ranks = ALONE
) -> Settings:
    """Return settings in which `training.batch_tokens` is a number, and log the number that `auto` chose.

    Only a CUDA device is tried: a process that asks for too much main memory is killed. Other devices get the number
    that `nmt.config.defaults_for` has for a corpus of this size. Of several `ranks`, the leader tries. Raise
    OutOfMemory if not even one sentence fits.
    """
    training = settings.training
    if training.batch_tokens or training.batch_sentences:
        return settings
    if device.type == "cuda":
        longest = np.maximum(data.train.source_lengths(), data.train.target_lengths()) + 1  # with begin or end
        most = max(MULTIPLE, int(longest.sum()) // UPDATES)
        chosen = 0
        if ranks.leads:
            fits = trial(settings, data.train, longest, [len(each) for each in data.subwords], device)
            chosen = largest_fitting(fits, most)
            del fits
            torch.cuda.empty_cache()
        chosen = ranks.share(chosen)
        reason = f"an epoch keeps {UPDATES} updates" if chosen >= most - MULTIPLE else "what fits on this device"
    else:
        chosen = row_for(len(data.train)).batch_tokens
        reason = f"the default for {amount(len(data.train), 'pair')}; only a CUDA device is filled by trying"
    say(f"training.batch_tokens=auto: {chosen:,} ({reason})")
    return settings.model_copy(update={"training": training.model_copy(update={"batch_tokens": chosen})})


def largest_fitting(fits: Callable[[int], bool], most: int) -> int:
    """Return a batch size below the largest that `fits`, and at most `most`.

    Doubles the size until it no longer fits, then bisects three times. Raise OutOfMemory if no size fits.
    """
    good, bad, size = 0, 0, min(FIRST, most)
    while not bad and good < most:
        good, bad = (size, 0) if fits(size) else (good, size)
        size = min(2 * size, most)
    while not good and bad > 1:  # the first size was too large
        good, bad = (bad // 2, bad) if fits(bad // 2) else (0, bad // 2)
    if not good:
        raise OutOfMemory("training.batch_tokens=auto: out of memory with a single sentence; set model.hidden lower")
    for _ in range(3 if bad else 0):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    found = int(SPARE * good) if bad else good
    return max(1, found // MULTIPLE * MULTIPLE or found)


def trial(
    settings: Settings, dataset: Dataset, longest: Lengths, vocab: list[int], device: torch.device
) -> Callable[[int], bool]:
    """Return a function that tells whether a batch of a given number of padded tokens fits into memory.

    The function runs a training step of a separate model on the longest sentences.
    """
    step = TrainStep(new_model(settings, vocab, device), settings.training, device)
    order = np.argsort(longest, kind="stable")

    def fits(tokens: int) -> bool:
        rows = max(1, tokens // int(longest[order[-1]]))
        batch = make_batch(dataset, order[-rows:])
        try:
            result = step([batch], 0, 0.0)
        except OutOfMemory:
            return False
        return result.splits == 0

    return fits
