"""`nmt bench`: that it measures what it says; the figures themselves belong to the machine."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt import benchmark
from nmt.benchmark import Synthetic, bench, lines, reference, reference_work
from nmt.cli import main
from nmt.config import DataSettings, DecodingSettings, ModelSettings, Settings, TrainingSettings
from nmt.data.batch import Batch
from nmt.errors import ConfigError
from nmt.model import make_model

SETTINGS = Settings(
    data=DataSettings(folder=".", source="a", target="b"), decoding=DecodingSettings(max_length=8), threads=1
)


def test_the_reference_model_has_the_size_that_toolkits_are_compared_at() -> None:
    settings = reference()
    vocab = settings.subword.vocab_size
    parameters = sum(p.numel() for p in make_model(settings.model, vocab, vocab).parameters())
    assert 21e6 < parameters < 23e6
    work = reference_work(settings, 4)
    assert [len(batch) for batch in work.batches] == [64] * 4


def test_the_reference_can_be_changed_as_any_config() -> None:
    settings = reference(["model.input_feeding=false", "training.precision=bf16", "training.batch_sentences=128"])
    assert (settings.model.input_feeding, settings.training.precision) == (False, "bf16")
    assert len(reference_work(settings, 4).batches[0]) == 128
    with pytest.raises(ConfigError, match=r"model\.hiden: unknown key; did you mean `?model\.hidden"):
        reference(["model.hiden=3"])


def test_products_are_counted_forwards_and_twice_backwards() -> None:
    """A model without a recurrence to speak of: what the generator takes can be told by hand."""
    torch.manual_seed(1)
    model = make_model(ModelSettings(embedding=4, hidden=4, attention="none", decoder_layers=1, decoder="luong",
                                     input_feeding=False, tying="none"), 5000, 5000)  # fmt: skip
    source = torch.full((2, 3), 7)
    found = benchmark.training_flops(model, Batch(source, source, source, 6))
    generator = 3 * 2 * 4 * 5000
    assert generator < found < 1.1 * generator


def test_synthetic_sentences_are_as_long_as_those_of_multi30k() -> None:
    sentences = Synthetic(5000, 100)
    assert 13 < np.mean([len(each) for each in sentences.sources]) < 15.5
    assert min(min(each) for each in sentences.sources) > 3


def test_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "MATRIX", 64)
    sentences = Synthetic(400, 50)
    order = [np.arange(start, start + 10) for start in range(0, 40, 10)]
    model = ModelSettings(embedding=8, hidden=8)
    work = benchmark.Work("tiny", model, TrainingSettings(), (50, 50), sentences, order)
    found = bench(work, SETTINGS, 2, lambda line: None)
    assert found["training"]["target_tokens_per_second"] > 0
    assert len(found["training"]["rounds"]) == 2
    assert set(found["decoding"]) == {"batch_32_beam_1", "batch_32_beam_5", "batch_1_beam_1", "batch_1_beam_5"}
    assert all(rates["sentences_per_second"] > 0 for rates in found["decoding"].values())
    assert found["start_up_seconds"]["help"] > 0
    json.dumps(found)
    text = "\n".join(lines(found))
    assert re.search(
        r"^training: [\d,]+ target tokens/s, \d+ % of what the products alone would allow", text, re.MULTILINE
    )


def test_the_products_are_measured_in_the_precision_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    types = []
    monkeypatch.setattr(benchmark, "MATRIX", 64)
    real = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *sizes, **how: types.append(how["dtype"]) or real(*sizes, **how))
    small = ["subword.vocab_size=50", "model.hidden=8", "model.embedding=8", "threads=1", "training.batch_sentences=8"]
    settings = reference([*small, "training.precision=bf16", "model.cell=gru"])
    found = bench(reference_work(settings, 4), settings, 1, lambda line: None)
    assert set(types) == {torch.bfloat16}
    assert next(lines(found)).startswith("large matrix products, bf16: ")


def test_memory_is_counted_as_the_system_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        ru_maxrss = 3 * 2**20

    monkeypatch.setattr(benchmark.resource, "getrusage", lambda who: Usage)
    for system, megabytes in (("linux", 3 * 2**10), ("darwin", 3)):
        monkeypatch.setattr(sys, "platform", system)
        assert benchmark._peak_memory() == megabytes


@pytest.mark.parametrize("words", [["bench"], ["bench", "threads=1"], ["bench", "some.yaml", "--reference"]])
def test_one_of_config_and_reference(words: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["nmt", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: bench: name a CONFIG, or give --reference, not both\n"


def test_of_a_config(tiny_config: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(benchmark, "MATRIX", 64)
    words = [str(tiny_config), f"run={tmp_path / 'run'}", "--rounds", "1", "--batches", "4", "--json"]
    monkeypatch.setattr(sys, "argv", ["nmt", "bench", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["training"]["target_tokens_per_second"] > 0
    assert not (tmp_path / "run").exists()


def test_of_the_reference(monkeypatch, capsys) -> None:
    monkeypatch.setattr(benchmark, "MATRIX", 64)
    small = ["subword.vocab_size=50", "model.hidden=8", "model.embedding=8", "threads=1", "training.batch_sentences=8"]
    monkeypatch.setattr(
        sys, "argv", ["nmt", "bench", *small, "--reference", "--rounds", "1", "--batches", "4", "--json"]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["work"] == "reference"
