"""Averaged weights: of checkpoints and of runs, as a run that translates."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

import nmt
from nmt import config
from nmt.errors import ConfigError, DataError, UserError
from nmt.files import read_json
from nmt.runs import store
from nmt.runs.weights import unpack_weights
from nmt.training.average import Averaged, average_checkpoints, average_runs, mean_weights
from nmt.training.checkpoint import best_names, list_checkpoints, load_checkpoint
from nmt.training.state import Progress, Validation
from nmt.training.train import train


@pytest.fixture(scope="module")
def run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, steps 2, 4 and 6; the best one by loss need not be the last."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    words = ["training.max_steps=6", "training.keep_last=9", "training.average=false", "training.metric=loss"]
    train(config.load(tiny_config, [*words, f"run={folder}"]), ["nmt", "train"])
    assert len(list_checkpoints(folder / "checkpoints")) == 3
    return folder


@pytest.fixture(scope="module")
def smooth_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a moving average of the weights."""
    folder = tmp_path_factory.mktemp("runs") / "smooth"
    words = ["training.ema=0.5", "training.keep_last=9", "training.average=false"]
    train(config.load(tiny_config, [*words, f"run={folder}"]), ["nmt", "train"])
    return folder


def weights_of(run: Path) -> dict[str, Tensor]:
    return unpack_weights((run / store.WEIGHTS).read_bytes(), run)[0]


def average(run: Path, out: Path, best: int | None = None, last: int | None = None) -> tuple[Averaged, list[str]]:
    lines: list[str] = []
    made = average_checkpoints(run, out, best=best, last=last, command=["nmt", "average"], warn=lines.append)
    return made, lines


def assert_mean(found: dict[str, Tensor], parts: list[dict[str, Tensor]]) -> None:
    assert found.keys() == parts[0].keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, sum(part[name] for part in parts) / len(parts))


def test_mean_by_hand() -> None:
    found = mean_weights([{"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([3.0, -2.0])}])
    assert found["a"].tolist() == [2.0, 0.0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_checkpoints(run: Path, tmp_path: Path, count: int) -> None:
    made, warnings = average(run, tmp_path / "out", last=count)
    paths = list_checkpoints(run / "checkpoints")[-count:]
    assert made == (tmp_path / "out", [path.name for path in paths])
    assert_mean(weights_of(tmp_path / "out"), [load_checkpoint(path).weights for path in paths])
    assert warnings == []


def test_the_best_checkpoints(run: Path, tmp_path: Path) -> None:
    states = [load_checkpoint(path) for path in list_checkpoints(run / "checkpoints")]
    losses = {validation.step: validation.loss for validation in states[-1].progress.validations}
    ranked = sorted(states, key=lambda state: losses[state.progress.step])
    for count in (1, 2):
        average(run, tmp_path / str(count), best=count)
        assert_mean(weights_of(tmp_path / str(count)), [state.weights for state in ranked[:count]])
    average(run, tmp_path / "all")
    assert_mean(weights_of(tmp_path / "all"), [state.weights for state in states])


def test_best_names() -> None:
    progress = Progress(
        validations=[
            Validation(2, 0.1, 9.0, {"bleu": 1.0}), Validation(4, 0.2, 8.0, {"bleu": 3.0}),
            Validation(6, 0.3, 7.0, {"bleu": 1.0}), Validation(6, 0.3, 1.0, {"bleu": 9.0}, averaged=True),
        ]
    )  # fmt: skip
    assert best_names(progress, "bleu", 2) == ["step-00000004-0002", "step-00000006-0003"]
    assert best_names(progress, "loss", 9) == ["step-00000006-0003", "step-00000004-0002", "step-00000002-0001"]


def test_checkpoints_at_the_same_step_count_once(tiny_run: Path, tmp_path: Path) -> None:
    names = [path.name for path in list_checkpoints(tiny_run / "checkpoints")]
    assert names[-2:] == ["step-00000004-0002", "step-00000004-0003"]  # after the validation of the average, again
    made, _ = average(tiny_run, tmp_path / "out", last=2)
    assert made.of == ["step-00000002-0001", "step-00000004-0003"]


def test_moving_averages_are_what_is_averaged(smooth_run: Path, tmp_path: Path) -> None:
    average(smooth_run, tmp_path / "out", last=2)
    states = [load_checkpoint(path) for path in list_checkpoints(smooth_run / "checkpoints")[-2:]]
    assert_mean(weights_of(tmp_path / "out"), [state.average for state in states])
    name = next(iter(states[0].weights))
    assert not torch.equal(states[0].average[name], states[0].weights[name])


def test_the_average_is_a_run(run: Path, tmp_path: Path) -> None:
    average(run, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert nmt.load(tmp_path / "moved").translate(["a cat", ""], changes={"max_length": 9})[1].text == ""
    assert store.load_settings(tmp_path / "moved").model == store.load_settings(run).model
    provenance = read_json(tmp_path / "moved" / store.PROVENANCE)
    assert len(provenance["average_of"]) == 3
    assert provenance["command"] == ["nmt", "average"]
    assert not list((tmp_path / "moved").glob("*.tmp*"))


def test_damaged_checkpoints_are_left_out_and_left_alone(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    first, second, third = list_checkpoints(copy / "checkpoints")
    (third / "model.safetensors").write_bytes(b"x")
    made, warnings = average(copy, tmp_path / "out", last=3)
    assert made.of == [first.name, second.name]
    assert warnings == [
        f"{third / 'model.safetensors'}: the checkpoint is damaged: the checksum does not match; left out of "
        f"the average"
    ]
    assert list_checkpoints(copy / "checkpoints") == [first, second, third]
    for path in (first, second):
        (path / "manifest.json").unlink()
    with pytest.raises(DataError) as caught:
        average(copy, tmp_path / "none", last=3)
    assert str(caught.value) == f"{copy / 'checkpoints'}: no checkpoint is intact"
    assert not (tmp_path / "none").exists()


def test_several_runs(run: Path, tiny_run: Path, smooth_run: Path, tmp_path: Path) -> None:
    average_runs([run, smooth_run], tmp_path / "out", ["nmt"])
    assert_mean(weights_of(tmp_path / "out"), [weights_of(run), weights_of(smooth_run)])
    settings, subwords = store.load_settings(tiny_run), store.load_subwords(tiny_run)
    dropped = settings.model_copy(update={"model": settings.model.model_copy(update={"dropout": 0.5})})
    store.save_run(tmp_path / "dropped", dropped, subwords, weights_of(tiny_run))
    average_runs([run, tmp_path / "dropped"], tmp_path / "mean", ["nmt"])
    assert_mean(weights_of(tmp_path / "mean"), [weights_of(run), weights_of(tiny_run)])
    other = settings.model_copy(update={"model": settings.model.model_copy(update={"attention_heads": 1})})
    store.save_run(tmp_path / "other", other, subwords, weights_of(tiny_run))
    with pytest.raises(DataError) as caught:
        average_runs([run, tmp_path / "other"], tmp_path / "new", ["nmt"])
    problem = f"its model settings differ from those of {run}: model.attention_heads"
    assert str(caught.value) == f"{tmp_path / 'other'}: {problem}"


@pytest.mark.parametrize(
    ("best", "last", "message"),
    [
        (None, 4, "{}/checkpoints: has 3 of the 4 checkpoints asked for; training.keep_last sets how many are kept"),
        (5, None, "{}/checkpoints: has 3 of the 5 checkpoints asked for; training.keep_best sets how many are kept"),
    ],
)
def test_more_than_there_are(run: Path, tmp_path: Path, best: int | None, last: int | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        average(run, tmp_path / "out", best, last)
    assert str(caught.value) == message.format(run)


def test_nothing_is_overwritten(run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for taken in (tmp_path / "full", tmp_path / "full" / "file"):
        with pytest.raises(ConfigError) as caught:
            average(run, taken)
        assert str(caught.value) == f"{taken}: already exists; name a new directory"
        with pytest.raises(ConfigError):
            average_runs([run, run], taken, ["nmt"])
    (tmp_path / "empty").mkdir()
    average(run, tmp_path / "empty")
    with pytest.raises(UserError):
        average(tmp_path / "nothing", tmp_path / "out")
