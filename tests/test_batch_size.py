"""`training.batch_tokens: auto` finds the largest batch that fits, and a run keeps it."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from reliability.job import make_workplace, run

from nmt import config
from nmt.benchmark import reference
from nmt.data.prepare import prepare
from nmt.errors import ConfigError, OutOfMemory
from nmt.runs import store
from nmt.training import batch_size
from nmt.training import step as step_module
from nmt.training.batch_size import MULTIPLE, SPARE, largest_fitting, trial
from nmt.training.step import batch_loss

AUTO = ("training.batch_tokens=auto", "training.batch_sentences=0")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("batch size"))


@pytest.mark.parametrize("limit", [1, 63, 64, 500, 1024, 5_000, 70_000, 10**6])
def test_it_is_close_below_what_fits(limit: int) -> None:
    tried: list[int] = []
    found = largest_fitting(lambda size: tried.append(size) or size <= limit, 10**9)
    assert 1 <= found <= limit
    assert found == 1 or found >= 0.75 * SPARE * limit - MULTIPLE
    assert len(tried) < 30
    assert found < MULTIPLE or found % MULTIPLE == 0


@pytest.mark.parametrize("most", [64, 1000, 50_000])
def test_a_small_corpus_keeps_many_updates(most: int) -> None:
    tried: list[int] = []
    assert most - MULTIPLE < largest_fitting(lambda size: bool(tried.append(size)) or True, most) <= most
    assert max(tried) == most


def test_no_size_fits() -> None:
    with pytest.raises(OutOfMemory, match=r"single sentence; set model\.hidden lower"):
        largest_fitting(lambda size: False, 10_000)


def test_a_trial_is_a_step_on_the_longest_sentences(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.load(workplace / "digits.yaml", ["run=unused", *AUTO])
    data = prepare(settings)
    longest = np.maximum(data.train.source_lengths(), data.train.target_lengths()) + 1
    seen: list[tuple[int, int]] = []

    def loss(model, batch, **options):
        seen.append(tuple(batch.source.shape))
        if batch.source.size(0) * longest.max() > 200:
            raise torch.OutOfMemoryError
        return batch_loss(model, batch, **options)

    monkeypatch.setattr(step_module, "batch_loss", loss)
    vocab = [len(subword) for subword in data.subwords]
    fits = trial(settings, data.train, longest, vocab, torch.device("cpu"))
    assert fits(200) and not fits(400)
    rows, columns = seen[0]
    assert rows == 200 // longest.max()
    assert columns >= np.sort(data.train.source_lengths())[-1]


def test_a_run_keeps_what_was_chosen(workplace: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    folder = tmp_path / "run"
    run(workplace, folder, *AUTO, "training.max_steps=3")
    assert "training.batch_tokens=auto: 400 (the default for 120 pairs; only a CUDA device is filled by trying)" in (
        capsys.readouterr().out
    )
    assert yaml.safe_load((folder / store.CONFIG).read_text())["training"]["batch_tokens"] == 400
    monkeypatch.setattr(batch_size, "row_for", None)  # a machine that would choose another number
    run(workplace, folder, *AUTO, "training.max_steps=4")
    printed = capsys.readouterr().out
    assert "batch_tokens" not in printed and "max_steps" in printed
    with pytest.raises(ConfigError, match=r"training\.batch_tokens: 400 -> 300: cannot be changed"):
        run(workplace, folder, *AUTO, "training.batch_tokens=300", "training.max_steps=5")


def test_bench_needs_a_number() -> None:
    with pytest.raises(ConfigError, match="bench --reference needs a number"):
        reference([*AUTO])
