"""Settings: every message word for word, the values as people write them, and the way back to a file."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from nmt import config
from nmt.config import Registered, Settings
from nmt.errors import ConfigError

KEYS = config.keys()
BASE = """\
data:
  folder: corpus
  source: en
  target: fr
training:
  max_steps: 9
"""  # six lines, so that what a test adds starts in line 7


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config in the current folder, so that messages name it `a.yaml`."""
    monkeypatch.chdir(tmp_path)
    return Path("a.yaml")


def load(file: Path, text: str | bytes = BASE, *words: str) -> Settings:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(file, list(words))


def problems(file: Path, text: str | bytes, *words: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, text, *words)
    return str(caught.value).split("\n")


# Messages ------------------------------------------------------------------------------------------------------------

IN_FILE = [  # lines 7 and on of the file, and the whole message
    # unknown keys
    ("model:\n  hiden: 4", ["a.yaml:8: model.hiden: unknown key; did you mean model.hidden?"]),
    ("modle:\n  hidden: 4", ["a.yaml:8: modle.hidden: unknown key; did you mean model.hidden?"]),
    ("hidden: 4", ["a.yaml:7: hidden: unknown key; did you mean model.hidden?"]),
    ("3: 4", ["a.yaml:7: 3: unknown key"]),
    ("model:\n  hidden:\n    a: 4", ["a.yaml:9: model.hidden.a: unknown key; did you mean model.hidden?"]),
    ("model:\n  <<: {hidden: 4}", ["a.yaml:8: model.<<.hidden: unknown key; did you mean model.hidden?"]),
    # wrong types
    ("model:\n  hidden: big", ["a.yaml:8: model.hidden: 'big' must be a whole number"]),
    ("model:\n  hidden: 4.5", ["a.yaml:8: model.hidden: 4.5 must be a whole number"]),
    ("model:\n  hidden: true", ["a.yaml:8: model.hidden: true must be a whole number"]),
    ("model:\n  hidden: [4]", ["a.yaml:8: model.hidden: [4] must be a whole number"]),
    ("model:\n  hidden:", ["a.yaml:8: model.hidden: has no value; give one, or remove the key"]),
    ("model:\n  hidden: 0x10", ["a.yaml:8: model.hidden: '0x10' must be a whole number"]),
    ("model:\n  dropout: '0.1'", ["a.yaml:8: model.dropout: '0.1' must be a number"]),
    ("model:\n  bidirectional: yes", ["a.yaml:8: model.bidirectional: 'yes' must be true or false"]),
    ("model:\n  bidirectional: 1", ["a.yaml:8: model.bidirectional: 1 must be true or false"]),
    ("  warmup: 30 epochs", ["a.yaml:7: training.warmup: '30 epochs' must be in steps, not in epochs"]),
    ("  warmup: 30e", ["a.yaml:7: training.warmup: '30e' must be in steps, not in epochs"]),
    ("  max_epochs: 50k steps", ["a.yaml:7: training.max_epochs: '50k steps' must be in epochs, not in steps"]),
    ("model:\n  hidden: 64 epochs", ["a.yaml:8: model.hidden: '64 epochs' must be in units, not in epochs"]),
    ("  log_every: 90s", ["a.yaml:7: training.log_every: '90s' must be a whole number"]),
    (
        "  patience: 3 epochs",
        ["a.yaml:7: training.patience: '3 epochs' must be a number without a unit, not in epochs"],
    ),
    ("  seed: 20240101120000", ["a.yaml:7: training.seed: 20240101120000 must be 18000000000000 or less"]),
    ("run: 3", ["a.yaml:7: run: 3 must be text"]),
    ("  betas: 0.9", ["a.yaml:7: training.betas: 0.9 must be a list"]),
    ("model: 3", ["a.yaml:7: model: needs settings below it, such as `  architecture: recurrent`"]),
    ("model: [hidden]", ["a.yaml:7: model: needs settings below it, such as `  architecture: recurrent`"]),
    # impossible values
    ("model:\n  hidden: 0", ["a.yaml:8: model.hidden: 0 must be 1 or more"]),
    ("model:\n  hidden: -4", ["a.yaml:8: model.hidden: -4 must be 1 or more"]),
    ("model:\n  dropout: 1.0", ["a.yaml:8: model.dropout: 1.0 must be less than 1"]),
    ("model:\n  dropout: -0.1", ["a.yaml:8: model.dropout: -0.1 must be 0 or more"]),
    ("model:\n  dropout: .nan", ["a.yaml:8: model.dropout: nan must be a finite number"]),
    ("model:\n  dropout: .inf", ["a.yaml:8: model.dropout: inf must be a finite number"]),
    ("model:\n  dropout: nan", ["a.yaml:8: model.dropout: 'nan' must be a number"]),
    ("  learning_rate: 0", ["a.yaml:7: training.learning_rate: 0 must be more than 0"]),
    ("  learning_rate: 1000", ["a.yaml:7: training.learning_rate: 1000 must be 100 or less"]),
    ("  betas: [0.9]", ["a.yaml:7: training.betas: [0.9] must have 2 items"]),
    ("  betas: [0.9, 5]", ["a.yaml:7: training.betas: 5 must be less than 1"]),
    ("  max_time: 20x", ["a.yaml:7: training.max_time: '20x' must be a duration such as 90s, 20m or 1h30m"]),
    ("  max_time: 1:30", ["a.yaml:7: training.max_time: '1:30' must be a duration such as 90s, 20m or 1h30m"]),
    ("  max_time: 1.2.3m", ["a.yaml:7: training.max_time: '1.2.3m' must be a duration such as 90s, 20m or 1h30m"]),
    ("  max_time: -5", ["a.yaml:7: training.max_time: -5 must be 0 or more"]),
    (
        "  save_every: often",
        [
            "a.yaml:7: training.save_every: 'often' must be a number of steps such as 500 or 2k, "
            "or of epochs such as 1e or 0.5e"
        ],
    ),
    ("  save_every: 0", ["a.yaml:7: training.save_every: 0 must be more than 0, and whole if it counts steps"]),
    # names out of a table or a list
    (
        "model:\n  attention: aditive",
        [
            "a.yaml:8: model.attention: 'aditive' must be one of none, dot, scaled_dot, cosine, general, additive, "
            "qkv, multihead, hard, location, local, coverage; did you mean additive?"
        ],
    ),
    ("model:\n  cell: gur", ["a.yaml:8: model.cell: 'gur' must be one of rnn, gru, lstm, ln_lstm; did you mean gru?"]),
    ("model:\n  cell: transformer", ["a.yaml:8: model.cell: 'transformer' must be one of rnn, gru, lstm, ln_lstm"]),
    (
        "  metric: blue",
        [
            "a.yaml:7: training.metric: 'blue' must be one of bleu, bleu-lc, tok-lc, chrf, chrf2, ter, exact, cer, "
            "wer, loss; did you mean bleu?"
        ],
    ),
    ("model:\n  tying: al", ["a.yaml:8: model.tying: 'al' must be one of none, target, all; did you mean all?"]),
    ("device: gpu", ["a.yaml:7: device: 'gpu' must be one of auto, cpu, cuda, mps; did you mean cuda?"]),
    # YAML that is not taken
    ("model:\n  hidden: 4\n  hidden: 6", ["a.yaml:9: model.hidden: set twice, first at a.yaml:8; keep one"]),
    ("model:\n  hidden: 4\nmodel:\n  cell: gru", ["a.yaml:9: model: set twice, first at a.yaml:7; keep one"]),
    (
        "model.hidden: 4\nmodel:\n  hidden: 6",
        ["a.yaml:8: model.hidden: set twice, first at a.yaml:7; keep one"],
    ),
    (
        "model:\n\thidden: 4",
        ["a.yaml:8: not valid YAML: found character '\\t' that cannot start any token; indent with spaces, not tabs"],
    ),
    (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]",
        ["a.yaml:8: aliases (*name) are not used here; write the value out"],
    ),
    ("a: " + "[" * 9999 + "]" * 9999, ["a.yaml:7: nested more than 20 deep; settings need 3"]),
    ("? [a, b]\n: 3", ["a.yaml:7: a key must be a word, not a list or a mapping"]),
    (
        "---\nb: 3",
        ["a.yaml:7: not valid YAML: expected a single document in the stream, but found another document"],
    ),
    (
        "run: !!python/object/apply:os.getcwd []",
        [
            "a.yaml:7: not a value: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.getcwd'"
        ],
    ),
    # keys without effect
    (
        "model:\n  attention: dot\n  attention_heads: 2",
        ["a.yaml:9: model.attention_heads: has no effect unless model.attention=multihead; remove it"],
    ),
    (
        "model:\n  cell: lstm\n  encoder_transitions: 2",
        ["a.yaml:9: model.encoder_transitions: has no effect unless model.cell=gru; remove it"],
    ),
    (
        "  schedule: cosine\n  decay: 0.7",
        [
            "a.yaml:8: training.decay: has no effect unless training.schedule=step or training.schedule=plateau; "
            "remove it"
        ],
    ),
    (
        "subword:\n  model: my.model\n  byte_fallback: false\n  sample: 1000",
        [
            "a.yaml:9: subword.byte_fallback: has no effect unless subword.model is left out; remove it",
            "a.yaml:10: subword.sample: has no effect unless subword.model is left out; remove it",
        ],
    ),
    # rules across keys
    (
        "model:\n  hidden: 63\n  attention: dot",
        ["a.yaml:8: model.hidden: must be even for a bidirectional encoder; set model.hidden=64"],
    ),
    (
        "model:\n  attention_heads: 3",
        ["a.yaml:8: model.attention_heads: 3 heads cannot share model.hidden=320; set model.attention_heads=2"],
    ),
    (
        "model:\n  hidden: 66",
        ["a.yaml: model.attention_heads: 4 heads cannot share model.hidden=66; set model.attention_heads=3"],
    ),
    (
        "model:\n  bridge: copy",
        [
            "a.yaml:8: model.bridge: copy needs as many encoder layers as decoder layers (1 and 2); "
            "set model.bridge=linear or model.bridge=mean"
        ],
    ),
    (
        "model:\n  decoder_layers: 1",
        [
            "a.yaml:8: model.decoder_layers: a conditional decoder attends between its first layer and the others; "
            "set model.decoder_layers=2"
        ],
    ),
    (
        "model:\n  tying: all\nsubword:\n  joint: false",
        ["a.yaml:8: model.tying: all needs a joint vocabulary; set model.tying=target or model.tying=none"],
    ),
    (
        "model:\n  tying: none\nsubword:\n  model: [a, b, c]",
        ["a.yaml:10: subword.model: takes one file, or two (source, target)"],
    ),
    (
        "model:\n  attention: none\ndecoding:\n  coverage_penalty: 0.2",
        ["a.yaml:10: decoding.coverage_penalty: needs a model with attention; remove it"],
    ),
    (
        "  min_learning_rate: 0.1",
        ["a.yaml:7: training.min_learning_rate: 0.1 is more than training.learning_rate=0.002; set it lower"],
    ),
    (
        "decoding:\n  min_length: 201\n  max_length: 200",
        ["a.yaml:8: decoding.min_length: 201 is more than decoding.max_length=200; set it lower"],
    ),
]


@pytest.mark.parametrize(("lines", "messages"), IN_FILE, ids=[repr(lines)[1:40] for lines, _ in IN_FILE])
def test_messages_for_a_file(file: Path, lines: str, messages: list[str]) -> None:
    assert problems(file, BASE + lines + "\n") == messages


ON_COMMAND_LINE = [
    (["model.hidden"], ["command line: 'model.hidden' is not a setting; give key.sub=value, as in model.hidden=256"]),
    (["=3"], ["command line: '=3' is not a setting; give key.sub=value, as in model.hidden=256"]),
    (["model.hidden="], ["command line: model.hidden: has no value; give one, or remove the key"]),
    (["model.hiden=64"], ["command line: model.hiden: unknown key; did you mean model.hidden?"]),
    (
        ["data.folder=["],
        ["command line: data.folder=[: not valid YAML: expected the node content, but found '<stream end>'"],
    ),
    (['data.folder="a\\0b"'], ["command line: data.folder: 'a\\x00b' is not a path: it holds a NUL character"]),
    (
        ["data.folder=~no-such-user/x"],
        ["command line: data.folder: '~no-such-user/x' is not a path: a user or a link in it leads nowhere"],
    ),
    (
        [f"run=a/{'é' * 128}"],
        [f"command line: run: 'a/{'é' * 128}' is not a path: a name in it has more than 255 bytes"],
    ),
    (["data.target=en"], ["command line: data.target: is the same as data.source; name the other language"]),
    (
        ["model.attention=dot", "model.attention_heads=2"],
        ["command line: model.attention_heads: has no effect unless model.attention=multihead; remove it"],
    ),
    (
        ["training.max_steps=0", "training.patience=3"],
        ["a.yaml: training.schedule: cosine needs a training limit; set training.max_time, max_steps or max_epochs"],
    ),
    (
        ["training.max_steps=0", "training.schedule=constant"],
        ["a.yaml: training: has no limit; set training.max_time=20m, or max_steps, max_epochs or patience"],
    ),
]


@pytest.mark.parametrize(("words", "messages"), ON_COMMAND_LINE, ids=[words[0] for words, _ in ON_COMMAND_LINE])
def test_messages_for_the_command_line(file: Path, words: list[str], messages: list[str]) -> None:
    assert problems(file, BASE, *words) == messages


NO_SETTINGS = "a.yaml: has no settings; the first lines should read like `data:` and `  folder: my-corpus`"
WHOLE_FILES: list[tuple[str | bytes, list[str]]] = [
    ("", [NO_SETTINGS]),
    ("# nothing but a comment\n", [NO_SETTINGS]),
    ("- a\n- b\n", [NO_SETTINGS]),
    (
        "data:\n  source: en\n",
        [
            "a.yaml: data.target: missing; set it in the config, such as `target: fr`",
        ],
    ),
    ("data: en-fr\n", ["a.yaml:1: data: needs settings below it, such as `  folder: my-corpus`"]),
    (BASE.encode() + b"run: \xff\n", ["a.yaml:7: not UTF-8; save the file as UTF-8"]),
]


@pytest.mark.parametrize(("text", "messages"), WHOLE_FILES, ids=range(len(WHOLE_FILES)))
def test_messages_for_a_whole_file(file: Path, text: str | bytes, messages: list[str]) -> None:
    assert problems(file, text) == messages


def test_a_config_that_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"^a\.yaml: cannot read the config: No such file or directory$"):
        config.load(file)
    with pytest.raises(ConfigError, match=r"^\.: cannot read the config: Is a directory$"):
        config.load(".")


def test_all_errors_are_shown_at_once(file: Path) -> None:
    text = BASE.replace("  folder: corpus\n", "") + "  warmup: often\nmodel:\n  cel: gru\n  dropout: 2\nzip: 9\n"
    assert sorted(problems(file, text, "threads=-1", "oops", "model.tying=everything")) == [
        "a.yaml:10: zip: unknown key",
        "a.yaml:6: training.warmup: 'often' must be a whole number",
        "a.yaml:8: model.cel: unknown key; did you mean model.cell?",
        "a.yaml:9: model.dropout: 2 must be less than 1",
        "command line: 'oops' is not a setting; give key.sub=value, as in model.hidden=256",
        "command line: model.tying: 'everything' must be one of none, target, all",
        "command line: threads: -1 must be 0 or more",
    ]


# Values --------------------------------------------------------------------------------------------------------------

VALUES: list[tuple[str, str, Any]] = [
    ("data.target", "no", "no"),  # Norwegian, not false
    ("data.target", "on", "on"),
    ("training.learning_rate", "1e-3", 0.001),  # PyYAML alone reads text
    ("training.learning_rate", "3", 3.0),
    ("training.learning_rate", "+.5E-1", 0.05),
    ("training.warmup", "010", 10),  # YAML 1.1 reads 8
    ("training.warmup", "1_000", 1000),
    ("training.warmup", "1e2", 100),
    ("training.max_steps", "50k", 50_000),
    ("training.max_steps", "50k steps", 50_000),
    ("training.max_steps", "1.5M", 1_500_000),
    ("training.max_steps", "1 step", 1),
    ("training.accumulate", "2 batches", 2),
    ("model.encoder_layers", "3 Layers", 3),
    ("training.max_epochs", "30 epochs", 30),
    ("training.max_epochs", "30e", 30),
    ("training.max_time", "20m", 1200.0),
    ("training.max_time", "1h30m", 5400.0),
    ("training.max_time", "90s", 90.0),
    ("training.max_time", "90", 90.0),
    ("training.max_time", "1.5 h", 5400.0),
    ("training.max_time", "2d", 172_800.0),
    ("training.validate_every", "0.5e", "0.5e"),
    ("training.validate_every", "0.5 epochs", "0.5e"),
    ("training.validate_every", "2k steps", "2000"),
    ("training.validate_every", "500", "500"),
    ("training.validate_every", "1e3", "1000"),
    ("training.seed", "18_000_000_000_000", 18_000_000_000_000),
    ("data.parts", "one", ["one"]),
    ("data.parts", "[one, two]", ["one", "two"]),
    ("model.bidirectional", "false", False),
    ("run", "''", "DEFAULT"),
]


@pytest.mark.parametrize(("key", "text", "value"), VALUES, ids=[f"{key}={text}" for key, text, _ in VALUES])
def test_values_as_people_write_them(file: Path, key: str, text: str, value: object) -> None:
    expected = str(Path.cwd() / "runs" / "a") if value == "DEFAULT" else value
    found = config.get(load(file, BASE, f"{key}={text}"), key)
    assert (found, type(found)) == (expected, type(expected))


def test_bom_and_crlf_change_nothing(file: Path) -> None:
    assert load(file, b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode()) == load(file)


def test_precedence_is_defaults_then_file_then_command_line(file: Path) -> None:
    text = BASE + "  warmup: 40\n  clip_norm: 2\n"
    settings = load(file, text, "training.clip_norm=3", "training.clip_norm=4").training
    assert (settings.patience, settings.warmup, settings.clip_norm) == (0, 40, 4.0)


def test_paths_are_relative_to_the_file_or_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = tmp_path / "configs" / "a.yaml"
    text = BASE.replace("corpus", "../corpus") + "subword:\n  model: bpe.model\nrun: ../my-run\n"
    settings = load(file, text)
    assert settings.data.folder == str(tmp_path / "corpus")
    assert settings.subword.model == [str(tmp_path / "configs" / "bpe.model")]
    assert settings.run == str(tmp_path / "my-run")
    settings = load(file, text, "data.folder=corpus", "subword.model=bpe.model", "run=my-run")
    assert settings.data.folder == str(tmp_path / "here" / "corpus")
    assert settings.subword.model == [str(tmp_path / "here" / "bpe.model")]
    assert settings.run == str(tmp_path / "here" / "my-run")
    assert load(file, BASE).run == str(tmp_path / "here" / "runs" / "a")  # after the file, in the current folder


@pytest.mark.parametrize(
    ("lines", "word", "lost"),
    [
        ("model:\n  attention_heads: 8", "model.attention=dot", "model.attention_heads"),
        ("  betas: [0.8, 0.9]", "training.optimizer=sgd", "training.betas"),
        ("  batch_tokens: 7", "training.batch_sentences=3", "training.batch_tokens"),
        ("subword:\n  vocab_size: 99", "subword.model=x", "subword.vocab_size"),
        ("subword:\n  byte_fallback: false", "subword.model=x", "subword.byte_fallback"),
    ],
)
def test_a_key_of_the_command_line_drops_what_depends_on_it_in_the_file(
    file: Path, lines: str, word: str, lost: str
) -> None:
    settings = load(file, BASE + lines + "\n", word)
    assert config.get(settings, lost) == config.field(lost).default
    assert lost not in config.flat(settings)


# The way back --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["model.attention=dot", "model.decoder=luong", "model.input_feeding=false", "model.hidden=8"],
        ["model.bidirectional=false", "model.hidden=7", "model.attention_heads=7"],
        ["subword.model=[a, b]", "model.tying=target"],
        ["subword.model_type=char", "data.target=no", "data.test=[a, b]", "training.max_time=1h30m"],
        ["training.schedule=step", "training.decay_every=2k", "training.learning_rate=1e-5", "run='my run: #1'"],
        ["training.optimizer=sgd", "training.momentum=0.5", "training.batch_sentences=8", "data.source=한국어"],
    ],
    ids=range(7),
)
def test_dump_and_load_give_the_same_settings(file: Path, words: list[str]) -> None:
    settings = load(file, BASE, *words)
    assert load(file, config.dump(settings)) == settings


def test_differences_name_what_changed(file: Path) -> None:
    old, new = load(file), load(file, BASE, "model.attention=dot", "training.max_steps=10")
    assert config.differences(old, new) == {
        "model.attention": ("multihead", "dot"),
        "model.attention_heads": (4, None),
        "training.max_steps": (9, 10),
    }
    assert config.differences(old, old) == {}
    assert config.may_change("training.max_steps")
    assert not config.may_change("model.attention")


def test_changed_checks_the_new_values(file: Path) -> None:
    decoding = load(file).decoding
    assert config.changed(decoding, beam_size=3).beam_size == 3
    with pytest.raises(ConfigError) as caught:
        config.changed(decoding, beam_size=0, length_penalty=float("nan"))
    assert caught.value.problems == ("beam_size: 0 must be 1 or more", "length_penalty: nan must be a finite number")


# The keys ------------------------------------------------------------------------------------------------------------

NO_UNIT = {  # numbers that count or scale something which their description names
    "training.seed", "training.learning_rate", "training.decay", "training.plateau_patience", "training.patience",
    "training.min_learning_rate", "training.clip_norm", "training.weight_decay", "training.keep_best",
    "training.keep_last", "training.samples", "decoding.beam_size", "decoding.length_penalty",
    "decoding.coverage_penalty", "decoding.no_repeat_ngram", "training.betas", "training.coverage_loss",
    "training.guided_attention", "subword.sampling", "data.temperature",
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_every_key_says_what_it_means_and_in_which_unit(key: str) -> None:
    field = config.field(key)
    assert field.description and field.description[-1] != "."
    quantity = isinstance(field.default, int | float) and not isinstance(field.default, bool)
    assert bool(field.json_schema_extra["unit"]) == (key not in NO_UNIT) or not quantity
    assert quantity or key not in NO_UNIT or isinstance(field.default, list)


def test_keys_without_effect_name_real_keys_and_real_values() -> None:
    for key, rulers in config.needs().items():
        assert {key, *rulers} <= set(KEYS)
        for ruler, values in rulers.items():
            names = _names(ruler)
            assert not names or set(values) < set(names), key
    for key, others in config.needs_set().items():
        assert {key, *others} <= set(KEYS)


def test_names_are_those_of_the_code() -> None:
    from nmt.metrics import METRICS
    from nmt.model.architecture import ARCHITECTURES
    from nmt.model.attention import ATTENTIONS
    from nmt.model.bridge import BRIDGES
    from nmt.model.decoder import DECODERS
    from nmt.model.recurrent import CELLS
    from nmt.training.forcing import FORCINGS
    from nmt.training.optimizer import OPTIMIZERS
    from nmt.training.schedule import SCHEDULES

    tables = {
        "model.architecture": ARCHITECTURES,
        "model.attention": ATTENTIONS,
        "model.bridge": BRIDGES,
        "model.cell": CELLS,
        "model.decoder": DECODERS,
        "training.forcing_schedule": FORCINGS,
        "training.metric": [*METRICS, "loss"],
        "training.optimizer": OPTIMIZERS,
        "training.schedule": SCHEDULES,
    }
    assert {key for key in KEYS if _registered(key)} == set(tables)
    for key, table in tables.items():
        assert _names(key) == tuple(table), key
        assert config.field(key).default in table


def _registered(key: str) -> list[Registered]:
    return [extra for extra in config.field(key).metadata if isinstance(extra, Registered)]


def _names(key: str) -> tuple[str, ...]:
    """The names that a key takes, if it takes names."""
    if found := _registered(key):
        return found[0].names()
    annotation = config.field(key).annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


# Speed ---------------------------------------------------------------------------------------------------------------


def test_loading_imports_no_torch_and_is_fast(file: Path) -> None:
    file.write_text(BASE, encoding="utf-8")
    code = (
        "import sys, time; started = time.process_time()\n"
        "from nmt import config; settings = config.load('a.yaml', ['model.cell=gru'])\n"
        "print(time.process_time() - started, 'torch' in sys.modules, 'numpy' in sys.modules, settings.model.cell)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert float(out[0]) < 0.5
    assert out[1:] == ["False", "False", "gru"]
