"""What messages propose works: the remedy is taken out of the message and executed, and the command goes on."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from reliability.job import call
from typer.main import get_command

from nmt import cli, config
from nmt.config.full_keys import keys
from nmt.config.rules import NOT_GUIDED
from nmt.errors import ConfigError

PACKAGE = Path(cli.__file__).parent.parent
SECTIONS = {key.partition(".")[0] for key in keys() if "." in key}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is no docstring, with its line; what is computed in it is `{}`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


# What is named exists ------------------------------------------------------------------------------------------------


def options() -> set[str]:
    commands = get_command(cli.app).commands.values()  # type: ignore[attr-defined]
    return {name for command in commands for parameter in command.params for name in parameter.opts} | {
        "--help",
        "--version",
    }


def test_messages_name_settings_that_exist() -> None:
    """Each `section.key` in a string of the program is a setting."""
    pattern = re.compile(rf"\b(?:{'|'.join(SECTIONS)})\.[a-z_]+\b(?!\.)(?![*(])")
    files = {"subword.model", "subword.source", "subword.target", "model.safetensors"}  # names of files
    named = {
        (f"{path.relative_to(PACKAGE)}:{line}", key)
        for path in PACKAGE.rglob("*.py")
        for line, text in texts(path)
        for key in pattern.findall(text)
        if " " in text or "=" in text
    }
    assert len(named) > 50
    assert {(place, key) for place, key in named if key not in {*keys(), *files}} == set()


OF_TORCHRUN = {"--nproc-per-node", "--nnodes", "--max-restarts"}


def test_messages_name_options_that_exist() -> None:
    known = options() | OF_TORCHRUN
    named = {
        (f"{path.relative_to(PACKAGE)}:{line}", option)
        for path in PACKAGE.rglob("*.py")
        for line, text in texts(path)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+(?!\w)", text)
    }
    assert len(named) > 30
    assert {(place, option) for place, option in named if option not in known} == set()


# Settings ------------------------------------------------------------------------------------------------------------

BROKEN = [
    ["data.target=en"],
    ["subword.model_type=char", "subword.sampling=0.1"],
    ["subword.joint=false"],
    ["model.hidden=15", "model.attention=additive"],
    ["model.attention_heads=3"],
    ["model.bridge=copy"],
    ["model.decoder_layers=1"],
    ["model.attention=none", "decoding.coverage_penalty=0.2"],
    ["model.attention=none", "training.coverage_loss=0.2"],
    *([f"model.attention={attention}", "training.guided_attention=0.2"] for attention in NOT_GUIDED),
    ["training.guided_attention=0.2", "subword.sampling=0.1"],
    ["model.architecture=transformer", "model.attention=additive"],
    ["training.min_learning_rate=0.1"],
    ["decoding.min_length=300", "decoding.max_length=200"],
    ["training.max_steps=0", "training.schedule=constant"],
    ["training.max_steps=0", "training.patience=3"],
    ["training.forcing_schedule=linear"],
    ["training.forcing_unit=sentence"],
    ["subword.model_type=word", "training.target_vectors=v.txt"],
    ["training.freeze_vectors=true"],
    ["training.teacher_share=0.5"],
    ["model.feed_forward=64"],
    ["training.betas=[0.8,0.9]", "training.optimizer=sgd"],
    ["model.hiden=64"],
    ["training.precision=fp23"],
    ["data.encoding=rot13"],
]


def remedies(message: str, words: list[str]) -> Iterator[list[str]]:
    """What the message proposes, each as the words of the command with it."""
    key = re.sub(r"^[^:]*:(\d+:)? ", "", message).partition(":")[0]
    others = [word for word in words if not word.startswith(f"{key}=")]
    for change in re.findall(r"(?:set|or) ([a-z_]+\.[a-z_]+=[^\s,;]+)", message):
        yield [*(word for word in words if not word.startswith(f"{change.partition('=')[0]}=")), change]
    for several in re.findall(r"set (training\.[a-z_., ]+(?:or [a-z_]+)?)$", message):
        yield from ([*words, f"training.{name.removeprefix('training.')}=3"] for name in re.split(r", | or ", several))
    if meant := re.search(r"did you mean (\S+)\?", message):
        value = next(word for word in words if word.startswith(f"{key}=")).partition("=")[2]
        is_key = "unknown key" in message
        yield [
            *others,
            f"{key.rpartition('.')[0]}.{meant[1].rpartition('.')[2]}={value}" if is_key else f"{key}={meant[1]}",
        ]
    if re.search(r"remove (it|this)|name the other language", message):
        yield others
    if "set it lower" in message:
        yield [*others, f"{key}=0"]
    if choices := re.search(r"must be one of ([\w, ]+)$", message):
        yield from ([*others, f"{key}={choice}"] for choice in choices[1].split(", "))
    if such := re.search(r"such as ([\w-]+)", message):
        yield [*others, f"{key}={such[1]}"]


@pytest.mark.parametrize("words", BROKEN, ids=map(" ".join, BROKEN))
def test_remedies_for_settings(tiny_config: Path, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tiny_config, words)
    assert caught.value.problems
    for message in caught.value.problems:
        found = list(remedies(message, words))
        assert found, message
        for changed in found:
            config.load(tiny_config, changed)


# Commands ------------------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A folder with a corpus, a config and a run of it."""

    folder: Path
    config: Path
    run: Path


@pytest.fixture
def place(
    tiny_corpus: Path, tiny_config: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    shutil.copytree(tiny_corpus, tmp_path / "data")
    shutil.copytree(tiny_run, tmp_path / "runs" / "tiny")
    text = tiny_config.read_text(encoding="utf-8").replace(str(tiny_corpus), "data")
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, tmp_path / "tiny.yaml", tmp_path / "runs" / "tiny")


def legacy(*names: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        for name in names:
            path = place.folder / name
            path.write_bytes(path.read_text(encoding="utf-8").encode("windows-1252", "replace"))

    return change


def changed_text(place: Place) -> None:
    with (place.folder / "data" / "train.en").open("a") as file:
        file.write("x\n")
    with (place.folder / "data" / "train.fr").open("a") as file:
        file.write("y\n")


def nothing(place: Place) -> None:
    pass


def without_model(place: Place) -> None:
    (place.run / "model.safetensors").unlink()


def damaged_scores(place: Place) -> None:
    (place.run / "scores.json").write_text("[")


def without_checkpoints(place: Place) -> None:
    shutil.rmtree(place.run / "checkpoints")


TRAIN = ["train", "tiny.yaml", "run=runs/tiny"]
EVAL = ["eval", "--hypothesis", "data/test.en", "--reference", "data/test.fr", "--metric", "bleu"]
TRANSLATE = ["translate", "runs/tiny", "-i", "data/test.en", "--beam-size", "1"]
INTO_ANOTHER = r"(run=runs/NAME)"
ENCODING = r"give (--encoding \S+) elsewhere"
# What is wrong, the command, what its message proposes, and how that is done with the part of it in brackets.
COMMANDS: list[tuple[Callable[[Place], None], list[str], str, str]] = [
    (
        legacy("data/train.fr", "data/valid.fr"),
        ["check", "tiny.yaml", "data.test=[]"],
        r"set (data\.encoding=\S+) in training",
        "add",
    ),
    (legacy("data/test.en", "data/test.fr"), EVAL, ENCODING, "add"),
    (legacy("data/test.fr"), ["translate", "runs/tiny", "-i", "data/test.fr"], ENCODING, "add"),
    (changed_text, TRAIN, INTO_ANOTHER, "add"),
    (changed_text, TRAIN, r"\(or resume with it: (--changed-data)\)", "add"),
    (nothing, [*TRAIN, "model.hidden=20"], INTO_ANOTHER, "add"),
    (nothing, [*TRAIN, "model.hidden=20"], r"resume with the old values", "drop"),
    (without_checkpoints, TRAIN, r"delete \S*(model\.safetensors)", "remove"),
    (without_model, TRANSLATE, r"resume it with: nmt (train) CONFIG", "train"),
    (damaged_scores, ["info", "runs/tiny"], r"(scores\.json): damaged: .* or remove the file", "remove"),
    (nothing, ["translate", "runs/tiny", "--jsonl", "-i", "data/test.en", "--scores"], r"remove it", "drop"),
    (nothing, [*TRANSLATE, "--mbr", "2"], r"--beam-size: has no effect .*; remove it", "beam"),
    (nothing, ["translate", "runs/tiny", "-i", "data/test.en", "--seed", "1"], r"--seed: needs (--sample)", "add"),
    (nothing, ["eval", "runs/tiny", *EVAL[1:]], r"--hypothesis: needs no model; leave out (runs/tiny)", "leave"),
    (nothing, [*EVAL, "--batch-size", "2"], r"--batch-size: has no effect with --hypothesis; remove it", "drop2"),
]


@pytest.mark.parametrize(
    ("change", "words", "proposed", "how"), COMMANDS, ids=[f"{' '.join(case[1])}: {case[2]}" for case in COMMANDS]
)
def test_remedies_for_commands(
    place: Place, change: Callable[[Place], None], words: list[str], proposed: str, how: str
) -> None:
    change(place)
    refused = call(*words)
    assert refused.status == 2, refused.output
    match = re.search(proposed, refused.errors)
    assert match, refused.errors
    if how == "train":
        assert call(*TRAIN, "training.max_steps=6").status == 0
    elif how == "remove":
        (place.run / match[1]).unlink()
    words = {
        "add": lambda: [*words, *match[1].split()],
        "drop": lambda: words[:-1],
        "drop2": lambda: words[:-2],
        "leave": lambda: [word for word in words if word != match[1]],
        "beam": lambda: [word for word in words if word not in {"--beam-size", "1"}],
    }.get(how, lambda: words)()
    done = call(*words)
    assert done.status == 0, done.errors
