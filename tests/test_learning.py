"""Models must learn: to write short strings of digits backwards, strings that they have never seen included."""

import random
from pathlib import Path

import pytest
import torch

from nmt import config
from nmt.api import load_translator
from nmt.training.train import train

CONFIG = """\
data: {folder: ., source: forwards, target: backwards}
subword: {model_type: char, vocab_size: 30}
model:
  cell: gru
  embedding: 32
  hidden: 64
  attention: additive
  decoder_layers: 1
  decoder: luong
  dropout: 0
  embedding_dropout: 0
training:
  batch_sentences: 64
  learning_rate: 0.01
  warmup: 20
  label_smoothing: 0
  validate_every: 70
  metric: loss
  max_steps: 210
  samples: 0
  average: false
decoding: {max_length: 12, beam_size: 2}
device: cpu
threads: 1
"""

UNSEEN = 300


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strings of three to six digits; no string is in two of the files, and few of all there are in any."""
    folder, chance = tmp_path_factory.mktemp("learning"), random.Random(1)
    strings = {"".join(chance.choices("0123456789", k=chance.randint(3, 6))) for _ in range(6000)}
    mixed = chance.sample(sorted(strings), len(strings))
    for stem, lines in (
        ("test", mixed[:UNSEEN]),
        ("valid", mixed[UNSEEN : UNSEEN + 50]),
        ("train", mixed[UNSEEN + 50 :]),
    ):
        (folder / f"{stem}.forwards").write_text("".join(f"{line}\n" for line in lines))
        (folder / f"{stem}.backwards").write_text("".join(f"{line[::-1]}\n" for line in lines))
    (folder / "reverse.yaml").write_text(CONFIG)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["model.decoder=conditional", "model.decoder_layers=2", "model.cell=lstm", "model.attention=multihead"],
        ["model.decoder=luong", "model.input_feeding=true", "training.max_steps=240"],
        ["model.decoder=bahdanau"],
    ],
    ids=["conditional", "luong", "bahdanau"],
)
def test_reversal_is_learned(workplace: Path, tmp_path: Path, words: list[str]) -> None:
    train(config.load(workplace / "reverse.yaml", [f"run={tmp_path / 'run'}", *words]), ["nmt", "train"])
    assert torch.get_num_threads() == 1
    sources, references = ((workplace / f"test.{end}").read_text().splitlines() for end in ("forwards", "backwards"))
    found = load_translator(tmp_path / "run").translate(sources)
    right = sum(each.text == reference for each, reference in zip(found, references, strict=True))
    assert right >= 0.98 * UNSEEN, f"{right} of {UNSEEN}"
