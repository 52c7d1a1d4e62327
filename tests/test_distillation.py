"""Learning from other runs: what they say is theirs, is asked for once, and is what the model learns."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt import config
from nmt.check import check_config
from nmt.data.batch import make_batch
from nmt.data.cache import cache_folder
from nmt.data.dataset import Dataset
from nmt.data.prepare import prepare
from nmt.data.subword import PAD_ID
from nmt.errors import ConfigError, DataError
from nmt.info import describe_run
from nmt.runs import store
from nmt.runs.store import CHECKPOINTS, CONFIG, PROVENANCE, WEIGHTS, LoadedRun
from nmt.runs.weights import named_weights, pack_weights, tensors_hash
from nmt.training import distillation as module
from nmt.training.checkpoint import list_checkpoints, load_checkpoint
from nmt.training.distillation import teacher_cache
from nmt.training.initialization import load_origins
from nmt.training.loss import batch_loss
from nmt.training.train import train

CPU = torch.device("cpu")
CONSTANT = "training.schedule=constant"  # of any other, the limit of steps changes the course


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_config: Path) -> list[str]:
    """Two runs of different kinds with the same subwords. Do not write into them."""
    place = tmp_path_factory.mktemp("teachers")
    pieces = f"subword.model={tiny_run / 'subword.model'}"
    words = [f"run={place / 'transformer'}", pieces, "model.architecture=transformer", "training.seed=2"]
    train(config.load(tiny_config, words), ["nmt", "train"])
    return [str(tiny_run), str(place / "transformer")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))


def settings_of(tiny_config: Path, folder: Path, teachers: Sequence[str], *more: str) -> config.Settings:
    return config.load(tiny_config, [f"run={folder}", f"training.teachers=[{', '.join(teachers)}]", *more])


def learn(tiny_config: Path, folder: Path, teachers: Sequence[str], *more: str) -> dict[str, torch.Tensor]:
    """The weights after the last step."""
    train(settings_of(tiny_config, folder, teachers, *more), ["nmt", "train"])
    return load_checkpoint(list_checkpoints(folder / CHECKPOINTS)[-1]).weights


def text_of(tiny_config: Path, teachers: Sequence[str]) -> tuple[list[LoadedRun], Dataset]:
    settings = settings_of(tiny_config, Path("unused"), teachers)
    origins = load_origins(settings, CPU)
    return origins.teachers, prepare(origins.with_subwords(settings)).train


@pytest.mark.parametrize(("part", "best"), [(20_000, 16), (70, 5), (1, 1)])
def test_it_is_the_mean_of_their_probabilities(tiny_config, two, monkeypatch, part: int, best: int) -> None:
    """Of each sentence by itself, all pieces sorted."""
    monkeypatch.setattr(module, "PART", part)
    monkeypatch.setattr(module, "BEST", best)
    loaded, text = text_of(tiny_config, two)
    if part == 1:
        monkeypatch.setattr(Dataset, "__len__", lambda _: 9)
    known = teacher_cache(loaded, text, CPU, lambda _: None)
    indices = [8, 0, 3] if part == 1 else [150, 3, 69, 70, 71, 178]
    soft_targets = known.add_to(make_batch(text, indices), indices).soft_targets
    assert soft_targets is not None
    for row, index in enumerate(indices):
        alone = make_batch(text, [index])
        with torch.inference_mode():
            both = [run.model.generator(run.model(alone.source, alone.target_input).features[0]) for run in loaded]
        probs = torch.stack([logits.softmax(dim=1) for logits in both]).mean(dim=0)
        length = len(probs)
        torch.testing.assert_close(
            soft_targets.probs[row, :length].sort(descending=True).values, probs.topk(best).values, rtol=2e-3, atol=1e-6
        )
        own = probs.gather(1, soft_targets.pieces[row, :length])
        torch.testing.assert_close(soft_targets.probs[row, :length], own, rtol=2e-3, atol=1e-6)
        assert (soft_targets.probs[row, length:] == 0).all() and (soft_targets.pieces[row, length:] == PAD_ID).all()


def test_a_model_has_nothing_to_learn_from_itself(tiny_config, tiny_run, monkeypatch) -> None:
    """With all pieces of the teacher's distribution and nothing else, the gradient of the loss is zero."""
    loaded, text = text_of(tiny_config, [str(tiny_run)])
    monkeypatch.setattr(module, "BEST", len(loaded[0].subwords.target))
    known, indices = teacher_cache(loaded, text, CPU, lambda _: None), [5, 9, 120]
    model, plain = loaded[0].model, make_batch(text, indices)
    batch = known.add_to(plain, indices)
    largest = {}
    for name, share, some in (("its own", 1.0, batch), ("half", 0.5, batch), ("the text's", 0.0, plain)):
        gradients = torch.autograd.grad(batch_loss(model, some, teacher_share=share), list(model.parameters()))
        largest[name] = max(float(gradient.abs().max()) for gradient in gradients)
    assert largest["its own"] < 0.01 * largest["the text's"]
    assert largest["half"] == pytest.approx(0.5 * largest["the text's"], rel=0.02)


def test_parts_of_a_batch_are_taught_the_same(tiny_config, tiny_run) -> None:
    loaded, text = text_of(tiny_config, [str(tiny_run)])
    indices = np.array([5, 9, 120, 3])
    batch = teacher_cache(loaded, text, CPU, lambda _: None).add_to(make_batch(text, indices), indices)
    model = loaded[0].model
    whole, *parts = (
        batch_loss(model, batch.rows(*ends), teacher_share=0.7).item() for ends in ((0, 4), (0, 1), (1, 4))
    )
    assert whole == pytest.approx(sum(parts), rel=1e-5)


def test_a_share_changes_what_is_learnt(tiny_config, two, tmp_path) -> None:
    found = {
        share: learn(tiny_config, tmp_path / share, two, f"training.teacher_share={share}") for share in ("0", "1")
    }
    alone = tmp_path / "alone"
    train(config.load(tiny_config, [f"run={alone}", f"subword.model={two[0]}/subword.model"]), ["nmt"])
    plain = load_checkpoint(list_checkpoints(alone / CHECKPOINTS)[-1]).weights
    for name, tensor in plain.items():
        torch.testing.assert_close(found["0"][name], tensor, rtol=0, atol=1e-5)
    name = "decoder.readout.linear.weight"
    assert not torch.allclose(found["1"][name], plain[name], atol=1e-4)


def test_they_read_the_text_once(tiny_config, two, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(module, "PART", 150)
    learn(tiny_config, tmp_path / "one", two)
    said = [line for line in capsys.readouterr().out.split("\n") if line.startswith("teachers process")]
    assert said == ["teachers process pairs 1 to 150 of 179", "teachers process pairs 151 to 179 of 179"]
    learn(tiny_config, tmp_path / "other", two, "training.seed=5", "training.teacher_share=0.2")
    assert "teachers process" not in capsys.readouterr().out
    learn(tiny_config, tmp_path / "third", two[1:])  # other teachers
    assert "teachers process pairs 1 to 150 of 179" in capsys.readouterr().out


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "cache lost"])
def test_a_run_that_goes_on_equals_one_that_was_not_stopped(tiny_config, two, tmp_path, lost: bool) -> None:
    whole = learn(tiny_config, tmp_path / "whole", two, CONSTANT)
    learn(tiny_config, tmp_path / "run", two, CONSTANT, "training.max_steps=2")
    if lost:
        shutil.rmtree(cache_folder())
    assert tensors_hash(learn(tiny_config, tmp_path / "run", two, CONSTANT)) == tensors_hash(whole)


def test_what_was_read_before_a_stop_is_kept(tiny_config, two, monkeypatch) -> None:
    monkeypatch.setattr(module, "PART", 50)
    loaded, text = text_of(tiny_config, two)

    def stop(line: str) -> None:
        if "101" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher_cache(loaded, text, CPU, stop)
    said: list[str] = []
    teacher_cache(loaded, text, CPU, said.append)
    assert said == ["teachers process pairs 101 to 150 of 179", "teachers process pairs 151 to 179 of 179"]


def test_a_damaged_reading_is_made_again(tiny_config, two) -> None:
    loaded, text = text_of(tiny_config, two)
    teacher_cache(loaded, text, CPU, lambda _: None)
    [file] = cache_folder().glob("*/probs")
    before, said = file.read_bytes(), []
    file.write_bytes(before[:-4])
    teacher_cache(loaded, text, CPU, said.append)
    assert file.read_bytes() == before
    assert "this cache entry is damaged (probs has not its" in said[0] and len(said) == 2


def test_it_is_known_who_taught(tiny_config, two, tmp_path) -> None:
    learn(tiny_config, tmp_path / "run", two, "training.max_steps=1")
    for folder in two:
        digest = tensors_hash(named_weights(store.load_run(Path(folder), CPU).model))
        name = f"training.teachers: {folder}"
        assert json.loads((tmp_path / "run" / PROVENANCE).read_text())["data"][name] == digest
        assert f"  data      {name}  sha256 {digest[:16]}" in list(describe_run(tmp_path / "run"))
    saved = tmp_path / "run" / CONFIG
    assert "vocab_size" not in saved.read_text(), "settings of subwords that were not made with them"
    assert config.load(saved).training.teachers == two


def test_check_shows_the_teachers_pieces(tiny_config, two, tmp_path) -> None:
    lines: list[str] = []
    check_config(settings_of(tiny_config, tmp_path / "run", two), lines.append)
    size = len(store.load_subwords(Path(two[0])).source)
    assert any(line.startswith(f"  en: {size:,} pieces") for line in lines)


def test_paths_in_a_file_are_relative_to_it(tiny_config, tmp_path) -> None:
    text = tiny_config.read_text().replace("training:\n", "training:\n  teachers: [a, b]\n")
    (tmp_path / "own.yaml").write_text(text.replace("subword:\n  vocab_size: 360\n", ""))
    assert config.load(tmp_path / "own.yaml").training.teachers == [str(tmp_path / "a"), str(tmp_path / "b")]


# What can go wrong ---------------------------------------------------------------------------------------------------


def test_a_teacher_that_is_none(tiny_config, tiny_run, tmp_path) -> None:
    with pytest.raises(DataError, match=rf"training\.teachers: {tmp_path / 'none'}: not a run directory: no such"):
        learn(tiny_config, tmp_path / "run", [str(tiny_run), str(tmp_path / "none")])
    assert not (tmp_path / "run").exists()


def test_a_teacher_with_other_subwords(tiny_config, tiny_run, tmp_path) -> None:
    train(config.load(tiny_config, [f"run={tmp_path / 'other'}", "subword.vocab_size=340"]), ["nmt"])
    with pytest.raises(DataError) as caught:
        learn(tiny_config, tmp_path / "run", [str(tiny_run), str(tmp_path / "other")])
    assert str(caught.value) == (
        f"training.teachers: {tmp_path / 'other'}: its subwords differ from this run's; a teacher must have the "
        f"same subwords"
    )


def test_a_teacher_that_has_learnt_more(tiny_config, tiny_run, tmp_path) -> None:
    shutil.copytree(tiny_run, tmp_path / "teacher")
    words = (tiny_config, tmp_path / "run", [str(tmp_path / "teacher")], CONSTANT)
    learn(*words, "training.max_steps=1")
    loaded = store.load_run(tmp_path / "teacher", CPU)
    weights = {name: tensor + 0.01 for name, tensor in named_weights(loaded.model).items()}
    (tmp_path / "teacher" / WEIGHTS).write_bytes(pack_weights(weights, loaded.settings, loaded.subwords))
    with pytest.raises(DataError, match=rf"training\.teachers: {tmp_path / 'teacher'}: has changed since this run"):
        learn(*words, "training.max_steps=2")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["training.teacher_share=0.5"], "training.teacher_share: has no effect without training.teachers; remove it"),
        (
            ["training.teachers=a", "subword.sampling=0.1"],
            "subword.sampling: has no effect unless training.teachers is left out; remove it",
        ),
        (
            ["training.teachers=a", "subword.vocab_size=500"],
            "subword.vocab_size: has no effect unless training.teachers is left out; remove it",
        ),
    ],
)
def test_settings_without_effect(tiny_config, words: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tiny_config, ["run=r", *words])
    assert caught.value.problems == (f"command line: {problem}",)
