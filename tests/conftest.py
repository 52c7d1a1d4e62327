"""What all tests share: checked shapes, one thread, a cache of their own, a tiny corpus."""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

if os.environ.get("NMT_CHECK_SHAPES", "1") == "1":  # every annotated shape and type, which doubles the time
    install_import_hook("nmt", "beartype.beartype")

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the program sets it: threads that wait do not keep a core

import torch

torch.set_num_threads(1)  # several times faster than many threads at these sizes

PROJECT = Path(__file__).parent.parent

TINY_CONFIG = """\
data:
  folder: {folder}
  source: en
  target: fr
subword:
  vocab_size: 360
model:
  embedding: 16
  hidden: 16
training:
  max_steps: 4
  batch_tokens: 200
  validate_every: 2
  save_every: 2
  log_every: 1
  warmup: 2
decoding:
  max_length: 16
threads: 1
"""


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps the user's cache out of the tests, for processes that they start as well."""
    os.environ["NMT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["NMT_CALIBRATION"] = "off"  # the default thresholds, whatever the machine


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    """Ends the processes that a test has forked off and, as it failed, did not wait for."""
    job = sys.modules.get("reliability.job")
    with job.no_process_left() if job else nullcontext():
        yield


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 200 training, 20 validation and 20 test pairs out of the bundled corpus. Do not write into it."""
    folder = tmp_path_factory.mktemp("corpus")
    for stem, count in (("train", 200), ("valid", 20), ("test", 20)):
        for language in ("en", "fr"):
            lines = (PROJECT / "data" / "en-fr" / f"{stem}.{language}").read_text(encoding="utf-8").split("\n")
            (folder / f"{stem}.{language}").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config that trains on `tiny_corpus` in about a second; give `run=...` when you train."""
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY_CONFIG.format(folder=tiny_corpus), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run directory. Do not write into it: copy it first."""
    from nmt import config
    from nmt.training.train import train

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(config.load(tiny_config, [f"run={folder}"]), ["nmt", "train"])
    return folder
