"""Processes that torchrun starts together: they agree, or all end with one line; none waits for ever."""

import functools
from pathlib import Path

import pytest
from ranks import Together, together
from reliability.job import check_equal, make_workplace
from reliability.job import run as train_alone

from nmt.distributed import Ranks
from nmt.errors import ConfigError
from nmt.torchrun import place_of_environment

TINY = ["training.max_steps=6", "training.validate_every=2", "training.average=false"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("distributed"))


def check_all_end(ranks: Together, words: str, status: int = 2) -> None:
    """Every rank ends, with the same line and exit status. One that hangs fails the test."""
    statuses = ranks.ended()
    assert statuses == [status] * len(statuses), [ranks.lines(rank) for rank in ranks.outputs]
    for lines in ranks.errors():
        assert len(lines) == 1 and words in lines[0], lines
    assert not any("Traceback" in line for rank in ranks.outputs for line in ranks.lines(rank))


# Settings that work together ------------------------------------------------------------------------------------------

KINDS = {
    "bf16": ["training.precision=bf16", "model.cell=gru"],
    "accumulation, average of weights": ["training.accumulate=3", "training.ema=0.9"],
    "distillation": ["training.teachers=[PARENT]"],
    "fine-tuning": ["training.start_from=PARENT"],
    "scheduled sampling": ["training.teacher_forcing=0.5"],
    "guided attention": ["training.guided_attention=0.3"],
    "subword sampling": ["subword.model_type=bpe", "subword.vocab_size=300", "subword.sampling=0.4"],
}


@pytest.fixture(scope="module")
def parent(workplace: Path) -> Path:
    train_alone(workplace, workplace / "parent", *TINY)
    return workplace / "parent"


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_works_with_two_processes(workplace, parent, tmp_path, monkeypatch, kind) -> None:
    """Two processes train what one trains, and stopped and resumed they train it again to the last bit."""
    monkeypatch.chdir(workplace)
    words = [word.replace("PARENT", str(parent)) for word in KINDS[kind]]
    for name, steps in (("whole", 6), ("stopped", 4), ("stopped", 6)):
        command = ["train", "digits.yaml", f"run={tmp_path / name}", *words, *TINY, f"training.max_steps={steps}"]
        together(tmp_path, 2, *command, "training.schedule=constant")
    check_equal(tmp_path / "stopped", tmp_path / "whole")


def out_of_memory() -> None:
    """Let every whole micro-batch be too large for the memory."""
    from nmt.training.step import TrainStep

    real = TrainStep._gradients

    def scarce(self, batch, *rest):  # type: ignore[no-untyped-def]
        if batch.source.size(0) > 1:
            raise MemoryError
        return real(self, batch, *rest)

    TrainStep._gradients = scarce  # type: ignore[method-assign]


def test_a_rank_without_enough_memory_splits_its_micro_batches(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", *TINY, "model.dropout=0", "model.embedding_dropout=0"]
    ranks = together(tmp_path, 2, *words, f"run={tmp_path / 'split'}", only={1: out_of_memory})
    together(tmp_path, 2, *words, f"run={tmp_path / 'whole'}")
    assert any("out of memory; batch split" in line for line in ranks.lines(0))
    from reliability.test_world_sizes import losses

    assert losses(tmp_path / "split") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)


def not_finite() -> None:
    """Let this rank's gradient be infinite in the second step."""
    from nmt.training.step import TrainStep

    real = TrainStep._gradients

    def infinite(self, batch, tokens, step):  # type: ignore[no-untyped-def]
        loss, gradients = real(self, batch, tokens, step)
        return loss, [part if part is None or step != 1 else part * float("inf") for part in gradients]

    TrainStep._gradients = infinite  # type: ignore[method-assign]


def test_what_is_not_finite_on_one_rank_is_skipped_by_all(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    ranks = together(tmp_path, 2, "train", "digits.yaml", *TINY, f"run={tmp_path / 'run'}", only={1: not_finite})
    assert any("the gradient is not finite" in line and "update skipped" in line for line in ranks.lines(0))


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("training.learning_rate=0.5", "training.learning_rate: 0.5 for rank 1 on host"),
        ("run=elsewhere", "run: elsewhere for rank 1 on host"),
        ("training.nonsense=1", "training.nonsense"),
    ],
)
def test_different_configs_end_all_ranks(workplace, tmp_path, monkeypatch, word, message) -> None:
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", *TINY, f"run={tmp_path / 'run'}"]
    check_all_end(Together(tmp_path, 2, *words, own={1: (word,)}), message)
    assert not (tmp_path / "run").exists()


def other_version() -> None:
    from nmt.training import provenance

    real = provenance.version
    provenance.version = lambda name: "0.1" if name == "sacrebleu" else real(name)  # type: ignore[assignment]


def test_different_packages_end_all_ranks(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    ranks = Together(tmp_path, 2, "train", "digits.yaml", f"run={tmp_path / 'run'}", only={1: other_version})
    check_all_end(ranks, "sacrebleu: 0.1 for rank 1 on host")


def test_different_text_ends_all_ranks(workplace, tmp_path, monkeypatch) -> None:
    other = make_workplace(tmp_path / "other")
    with (other / "corpus" / "train.a").open("a") as file:
        file.write("1\n")
    with (other / "corpus" / "train.b").open("a") as file:
        file.write("1\n")
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}"]
    own = {1: (f"data.folder={other / 'corpus'}",)}
    check_all_end(Together(tmp_path, 2, *words, own=own), "train.a: ")
    assert not (tmp_path / "run").exists()


def test_a_missing_file_on_one_rank_ends_all(workplace, tmp_path, monkeypatch) -> None:
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}"]
    own = {1: (f"data.folder={tmp_path / 'corpus'}",)}
    check_all_end(Together(tmp_path, 2, *words, own=own), "no such text")


def test_unequal_numbers_of_ranks(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    ranks = Together(tmp_path, 2, "train", "digits.yaml", f"run={tmp_path / 'run'}", sizes={1: 3})
    assert ranks.ended() == [2, 2]
    assert all("start all with the same --nnodes and --nproc-per-node" in lines[0] for lines in ranks.errors())


def test_a_rank_that_does_not_come(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}"]
    ranks = Together(tmp_path, 3, *words, start=(0, 1), environment={"NMT_RANK_TIMEOUT": "2"})
    check_all_end(ranks, "rank 2 of 3 did not start within 2 s")


def test_too_few_micro_batches(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    ranks = Together(tmp_path, 2, "train", "digits.yaml", f"run={tmp_path / 'run'}", "training.parts=1")
    check_all_end(ranks, "set training.parts=2")


def test_a_cache_that_cannot_be_written(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    (tmp_path / "file").touch()
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}"]
    ranks = Together(tmp_path, 2, *words, environment={"NMT_CACHE": str(tmp_path / "file" / "cache")})
    check_all_end(ranks, "cannot write the cache")


def fails() -> None:
    from nmt.training.trainer import Trainer

    def failing(self: Trainer) -> None:
        raise ZeroDivisionError("a fault")

    Trainer._step = failing  # type: ignore[method-assign]


def test_a_fault_of_one_rank_ends_the_others_with_its_name(workplace, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    ranks = Together(tmp_path, 2, "train", "digits.yaml", f"run={tmp_path / 'run'}", only={1: fails})
    assert ranks.ended() == [1, 1]
    assert "rank 1 on host" in ranks.errors()[0][0] and "ZeroDivisionError: a fault" in ranks.errors()[0][0]
    assert any("Traceback" in line for line in ranks.lines(1))


def cannot_connect() -> None:
    import torch.distributed as dist

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("Gloo connectFullMesh failed with pair.cc: timed out connecting: Connection refused")

    dist.init_process_group = refused


def reacts_at_once() -> None:
    from nmt import rank_watch

    rank_watch.REACTION = 1.0


def test_ranks_that_cannot_connect_to_each_other(workplace, tmp_path, monkeypatch) -> None:
    """One is refused; the other waits for it, and ends with the same line well before its own time-out."""
    monkeypatch.chdir(workplace)
    words = ["train", "digits.yaml", f"run={tmp_path / 'run'}"]
    ranks = Together(
        tmp_path, 2, *words, only={0: reacts_at_once, 1: cannot_connect}, environment={"NMT_RANK_TIMEOUT": "600"}
    )
    check_all_end(ranks, "set GLOO_SOCKET_IFNAME to the network interface that all hosts share")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"RANK": "0"}, "WORLD_SIZE and MASTER_ADDR and MASTER_PORT not"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "does not exist among"),
        ({"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "RANK=x"),
    ],
)
def test_an_impossible_environment(monkeypatch, values, message) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        place_of_environment()


@pytest.mark.parametrize(("rank", "message"), [("1", "cannot be reached within 1 s"), ("0", "is in use on this host")])
def test_the_master(monkeypatch, rank, message) -> None:
    """Nobody listens there; or somebody does already."""
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if rank == "0":
            server.listen()
        values = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "NMT_RANK_TIMEOUT": "1"}
        for name, value in (values | {"MASTER_PORT": str(server.getsockname()[1])}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=message):
            Ranks(place_of_environment())


# Translation ----------------------------------------------------------------------------------------------------------


def stop_after(count: int) -> None:
    import os
    import signal

    from nmt.cli import in_parts

    real, left = in_parts.write_atomic, count

    def write(path: Path, content: bytes) -> None:
        nonlocal left
        real(path, content)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    in_parts.write_atomic = write  # type: ignore[assignment]


def test_translate_with_several_processes(parent, tmp_path) -> None:
    """The output is that of one process, also when a process is killed and another number of them resumes."""
    from reliability.job import call

    text = "".join(f"{number}\n" * (number % 3 != 0) or "\n" for number in range(50))
    (tmp_path / "text").write_text(text)
    words = ["translate", parent, "-i", tmp_path / "text", "decoding.window=4", "--line-numbers"]
    assert call(*words, "-o", tmp_path / "one").status == 0
    killed = Together(tmp_path, 2, *words, "-o", tmp_path / "two", only={1: functools.partial(stop_after, 3)})
    assert killed.ended()[1] < 0 and not (tmp_path / "two").exists()
    ranks = together(tmp_path, 3, *words, "-o", tmp_path / "two")
    assert any("resuming with " in line for line in ranks.lines(0))
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
    assert not (tmp_path / "two.parts").exists()


def test_several_processes_cannot_share_a_pipe(parent, tmp_path) -> None:
    check_all_end(Together(tmp_path, 2, "translate", parent), "several processes read one file")
