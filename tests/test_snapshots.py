"""Snapshots and trackers: when they are taken, which stay, and that neither costs a training."""

import json
import sys
import types
from pathlib import Path

import pytest

import nmt
from nmt import config
from nmt.api import load_translator
from nmt.errors import ConfigError, DataError
from nmt.runs import store
from nmt.training.snapshots import superfluous
from nmt.training.train import train


def test_those_stay_that_are_even_in_proportion() -> None:
    assert superfluous([16, 32, 64, 70]) == 64
    assert superfluous([16, 20, 64]) == 20
    assert superfluous([16, 32]) == 16


def test_taken_at_powers_of_two_and_at_the_end(tiny_config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [f"run={run}", "training.max_steps=40", "training.validate_every=40", "training.save_every=40",
             "training.average=false", "decoding.max_length=4"]  # fmt: skip
    train(config.load(tiny_config, [*words, "training.snapshots=2"]), ["nmt"])
    assert store.snapshot_steps(run) == [16, 40]
    early, late = (load_translator(run, threads=1, snapshot=step) for step in (16, 40))
    best = nmt.load(run, threads=1)
    assert early.translate(["the cat"])[0].log_prob != late.translate(["the cat"])[0].log_prob
    assert late.translate(["the cat"])[0].log_prob == pytest.approx(best.translate(["the cat"])[0].log_prob, abs=0.1)
    with pytest.raises(DataError, match="step-00000099"):
        load_translator(run, snapshot=99)


def test_a_tracker_gets_the_numbers_and_may_fail(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    sent: list[tuple[int, dict]] = []

    def log(values: dict, step: int) -> None:
        if step > 2:
            raise RuntimeError("no network")
        sent.append((step, values))

    client = types.ModuleType("trackio")
    client.init, client.log = lambda **_: None, log  # type: ignore[attr-defined]
    client.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "trackio", client)
    settings = config.load(tiny_config, [f"run={tmp_path / 'run'}", "training.track=trackio", "decoding.max_length=4"])
    assert train(settings, ["nmt"]).signal == 0
    assert {step for step, _ in sent} == {1, 2}
    assert any("train/loss" in values for _, values in sent) and any("validation/bleu" in values for _, values in sent)
    out = capsys.readouterr().out
    assert out.count("training.track: trackio failed (no network); training continues without it") == 1
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["kind"] == "end" and records[-1]["step"] == 4


def test_a_tracker_that_is_not_installed(tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = config.load(tiny_config, [f"run={tmp_path / 'run'}", "training.track=wandb"])
    with pytest.raises(ConfigError, match="wandb needs wandb, which is not installed: pip install wandb"):
        train(settings, ["nmt"])
