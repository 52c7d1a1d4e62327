"""A run that starts from another: its weights and subwords at the first step, and none of it asked for again."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from nmt import config
from nmt.check import check_config
from nmt.errors import ConfigError, DataError
from nmt.info import describe_run
from nmt.runs import store
from nmt.runs.store import CHECKPOINTS, CONFIG, LOG, PROVENANCE, WEIGHTS
from nmt.runs.weights import named_weights, tensors_hash
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.state import TrainState
from nmt.training.train import train

CONSTANT = "training.schedule=constant"  # of any other, the limit of steps changes the course
STILL = ["training.learning_rate=1e-9", "training.ema=0.5"]


@pytest.fixture
def place(tmp_path: Path, tiny_run: Path, tiny_config: Path) -> Path:
    """A folder with a parent, other text than it has learnt from (half of it), and a config of that text."""
    shutil.copytree(tiny_run, tmp_path / "parent")
    settings = config.load(tiny_config)
    (tmp_path / "text").mkdir()
    for file in Path(settings.data.folder).glob("*.*"):
        lines = file.read_text(encoding="utf-8").split("\n")
        (tmp_path / "text" / file.name).write_text("\n".join(lines[: len(lines) // 2]) + "\n", encoding="utf-8")
    (tmp_path / "child.yaml").write_text(tiny_config.read_text().replace(settings.data.folder, "text"))
    return tmp_path


def words(place: Path, *more: str, name: str = "child") -> list[str]:
    return [f"run={place / name}", f"training.start_from={place / 'parent'}", *more]


def run(place: Path, *more: str, name: str = "child") -> None:
    train(config.load(place / "child.yaml", words(place, *more, name=name)), ["nmt", "train"])


def last(folder: Path) -> TrainState:
    return load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1])


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return named_weights(store.load_run(folder, torch.device("cpu")).model)


def test_weights_and_subwords_are_the_parents(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, *STILL, "training.max_steps=1")
    before, state = weights_of(place / "parent"), last(place / "child")
    for after in (state.weights, state.average, weights_of(place / "child")):
        assert after.keys() == before.keys()
        for name, tensor in before.items():
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)
    pieces = [(place / name / "subword.model").read_bytes() for name in ("parent", "child")]
    assert pieces[0] == pieces[1]
    line = f"fine-tuning: initialized with the weights and subwords of {place / 'parent'}\n"
    assert line in capsys.readouterr().out and line in (place / "child" / LOG).read_text()


def test_without_a_parent_the_same_command_differs(place: Path) -> None:
    """So that the test above cannot pass by chance."""
    train(config.load(place / "child.yaml", [f"run={place / 'alone'}", "training.max_steps=1"]), ["nmt"])
    assert (place / "alone" / "subword.model").read_bytes() != (place / "parent" / "subword.model").read_bytes()
    before, after = weights_of(place / "parent"), last(place / "alone").weights
    name = "decoder.readout.linear.weight"
    assert not torch.allclose(after[name], before[name], atol=1e-3)


def test_it_is_known_where_a_run_comes_from(place: Path) -> None:
    run(place, "training.max_steps=1")
    digest = tensors_hash(weights_of(place / "parent"))
    parent = {"run": str(place / "parent"), "sha256": digest}
    assert json.loads((place / "child" / PROVENANCE).read_text())["parent"] == parent
    assert f"  parent    {place / 'parent'}  sha256 {digest[:16]}" in list(describe_run(place / "child"))
    saved = (place / "child" / CONFIG).read_text()
    assert "vocab_size" not in saved, "settings of subwords that were not made with them"
    settings = config.load(place / "child" / CONFIG)
    assert settings.training.start_from == str(place / "parent")


def test_a_run_that_has_begun_goes_on_without_its_parent(place: Path) -> None:
    run(place, CONSTANT, name="whole")
    run(place, CONSTANT, "training.max_steps=2")
    shutil.rmtree(place / "parent")
    run(place, CONSTANT)
    assert tensors_hash(last(place / "child").weights) == tensors_hash(last(place / "whole").weights)


def test_where_it_comes_from_is_kept_when_the_text_changes(place: Path) -> None:
    run(place, "training.max_steps=2")
    for language in ("en", "fr"):
        file = place / "text" / f"train.{language}"
        file.write_text(file.read_text().partition("\n")[2])
    settings = config.load(place / "child.yaml", words(place))
    train(settings, ["nmt", "train"], changed_data=True)
    assert json.loads((place / "child" / PROVENANCE).read_text())["parent"]["run"] == str(place / "parent")


def test_a_run_without_checkpoints_starts_from_its_parent_again(place: Path) -> None:
    run(place, CONSTANT, name="whole")
    run(place, CONSTANT, "training.max_steps=2")
    shutil.rmtree(place / "child" / CHECKPOINTS)
    (place / "child" / WEIGHTS).unlink()
    run(place, CONSTANT)
    assert tensors_hash(last(place / "child").weights) == tensors_hash(last(place / "whole").weights)


def test_dropout_may_be_another(place: Path) -> None:
    run(place, "model.dropout=0.3", "model.word_dropout=0.1", "training.max_steps=1")
    assert store.load_settings(place / "child").model.dropout == 0.3


def test_check_shows_the_parents_pieces(place: Path) -> None:
    lines: list[str] = []
    check_config(config.load(place / "child.yaml", words(place)), lines.append)
    size = len(store.load_subwords(place / "parent").source)
    assert any(line.startswith(f"  en: {size:,} pieces") for line in lines)


@pytest.mark.parametrize("action", ["train", "check"])
def test_another_kind_of_model(place: Path, action: str) -> None:
    settings = config.load(place / "child.yaml", words(place, "model.hidden=32", "model.attention=dot"))
    with pytest.raises(ConfigError) as caught:
        train(settings, ["nmt"]) if action == "train" else check_config(settings, lambda _: None)
    assert caught.value.problems == tuple(
        f"training.start_from: {place / 'parent'} has {key}={old}, but this config has {new}; set {key}={old}"
        for key, old, new in (("model.hidden", 16, 32), ("model.attention", "multihead", "dot"))
    )
    assert not (place / "child").exists()


def test_a_parent_that_is_none(place: Path) -> None:
    shutil.rmtree(place / "parent")
    with pytest.raises(DataError) as caught:
        run(place)
    assert str(caught.value) == (
        f"training.start_from: {place / 'parent'}: not a run directory: no such folder; a run is made by: "
        "nmt train CONFIG"
    )
    assert not (place / "child").exists()


def test_a_damaged_parent(place: Path) -> None:
    file = place / "parent" / store.WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"model\.safetensors: damaged"):
        run(place)
    assert not (place / "child").exists()


@pytest.mark.parametrize("key", ["subword.vocab_size=100", "subword.model=x.model", "training.source_vectors=x"])
def test_what_has_no_effect_beside_a_parent_is_refused(place: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(place / "child.yaml", words(place, key))
    name = key.partition("=")[0]
    assert caught.value.problems == (
        f"command line: {name}: has no effect unless training.start_from is left out; remove it",
    )


def test_a_run_cannot_get_a_parent_later(place: Path) -> None:
    train(config.load(place / "child.yaml", [f"run={place / 'child'}", "training.max_steps=1"]), ["nmt"])
    with pytest.raises(ConfigError, match=r"training\.start_from: .* cannot be changed once a run has checkpoints"):
        run(place)


def test_the_path_is_relative_to_the_config(place: Path) -> None:
    text = (place / "child.yaml").read_text().replace("subword:\n  vocab_size: 360\n", "")
    (place / "child.yaml").write_text(text.replace("training:\n", "training:\n  start_from: parent\n"))
    assert config.load(place / "child.yaml").training.start_from == str(place / "parent")
