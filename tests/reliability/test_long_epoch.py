"""R10: at 90 % of an epoch of 10 million pairs training resumes within 5 seconds, and repeats no batch."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._dynamo  # the optimizer imports it: seconds that are no part of going on

from nmt import config
from nmt.data.batching import epoch_batches
from nmt.data.dataset import Dataset
from nmt.data.prepare import prepare
from nmt.model import make_model
from nmt.training import batches as training_batches
from nmt.training.batches import EpochBatches
from nmt.training.log import Log
from nmt.training.signals import Signals
from nmt.training.state import Progress
from nmt.training.trainer import Trainer
from nmt.training.validation import ValidationSet

SECONDS = 5.0


def write_pairs(folder: Path, count: int) -> Path:
    """So many pairs of 3 to 30 pieces, all of the same piece."""
    folder.mkdir()
    lengths = np.random.default_rng(0).integers(3, 31, count)
    for side, own in (("source", lengths), ("target", lengths[::-1])):
        np.concatenate([[0], np.cumsum(own)]).astype(np.int64).tofile(folder / f"{side}.offsets")
    total = int(lengths.sum())
    with (folder / "source.ids").open("wb") as file:
        for start in range(0, total, 10_000_000):
            np.full(min(10_000_000, total - start), 5, np.int32).tofile(file)
    (folder / "target.ids").symlink_to("source.ids")
    np.arange(1, count + 1, dtype=np.int64).tofile(folder / "lines")
    return folder


@pytest.mark.parametrize("count", [50_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_the_first_step(workplace, tmp_path, monkeypatch, count: int) -> None:
    words = [f"run={tmp_path / 'run'}", "training.batch_sentences=0", "training.batch_tokens=4000"]
    settings = config.load(workplace / "digits.yaml", words)
    data, pairs = prepare(settings), Dataset(write_pairs(tmp_path / "pairs", count))
    model = make_model(settings.model, len(data.subwords.source), len(data.subwords.target))
    validation = ValidationSet(data.valid, [], data.subwords)
    batches = epoch_batches(pairs.source_lengths(), pairs.target_lengths(), settings.training, 3)
    done = int(0.9 * len(batches))
    made: list[np.ndarray] = []
    real = training_batches.make_batch
    monkeypatch.setattr(
        training_batches, "make_batch", lambda pairs, indices: (made.append(indices), real(pairs, indices))[1]
    )
    log = Log()
    log.open(tmp_path / "run")
    started = time.process_time()
    text = EpochBatches(Dataset(*pairs.folders), settings, data.subwords, None)
    trainer = Trainer(settings, model, text, [validation], torch.device("cpu"), log, Signals())
    trainer.progress = Progress(step=9, epoch=3, batch=done, batches=len(batches))
    trainer._load_epoch()
    trainer._step()
    seconds = time.process_time() - started
    log.close()
    assert [indices.tolist() for indices in made] == [batches[done].tolist()]
    assert trainer.progress.batch == done + 1
    assert seconds < SECONDS  # of the processor, from the import
