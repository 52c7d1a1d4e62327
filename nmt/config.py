"""Every setting: its name, type, default, unit and meaning. Imports no torch, so errors answer at once.

`load` reads a YAML file and `key.sub=value` words from the command line. The order of precedence is
defaults < file < command line. All problems are reported together, each with file, line, key and remedy.
"""

import ast
import difflib
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, core_schema

from nmt.config_text import Given, read_file, read_word
from nmt.errors import ConfigError

PACKAGE = Path(__file__).parent


# Value types ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registered:
    """A name out of a table such as ATTENTIONS, read from the table's source so that torch is not imported.

    The table must be a plain dict at the top level of the module, its keys written out as strings.
    """

    module: str
    table: str

    def names(self) -> tuple[str, ...]:
        return _table_names(self.module, self.table)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.names())}

    def _check(self, name: str) -> str:
        if name not in self.names():
            raise ValueError(f"must be one of {', '.join(self.names())}{_closest(name, self.names())}")
        return name


@functools.cache
def _table_names(module: str, table: str) -> tuple[str, ...]:
    for node in ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == table for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)
            return tuple(key.value for key in node.value.keys if isinstance(key, ast.Constant))  # type: ignore[misc]
    raise LookupError(f"{module} has no table {table}")


_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


_NUMBER = r"(\d[\d_]*\.?\d*)"


def _count(value: Any) -> Any:
    """`50k`, `50k steps`, `30 epochs`, `1e5` -> a whole number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    match = isinstance(value, str) and re.fullmatch(
        rf"{_NUMBER}\s*([km]?)(\s*(steps?|e|epochs?))?", value.strip(), re.I
    )
    if not match:
        return value
    number = float(match[1]) * _UNITS[match[2].lower()]
    return int(number) if number.is_integer() else value


def _duration(value: Any) -> Any:
    """`90s`, `20m`, `1h30m`, or a number of seconds -> seconds."""
    if not isinstance(value, str):
        return value
    parts = re.findall(rf"{_NUMBER}\s*([smhd])", value.lower())
    if not parts or re.sub(rf"{_NUMBER}\s*[smhd]\s*", "", value.lower().strip()):
        raise ValueError("must be a duration such as 90s, 20m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _interval(value: Any) -> Any:
    """`500`, `2k steps`, `1e`, `0.5 epochs` -> the canonical text `500` or `0.5e`."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    match = isinstance(value, str) and re.fullmatch(
        rf"{_NUMBER}\s*(?:([km]?)(?:\s*steps?)?|(e|epochs?))", value.strip(), re.I
    )
    if not match:
        raise ValueError("must be a number of steps such as 500 or 2k, or of epochs such as 1e or 0.5e")
    number = float(match[1]) * _UNITS[(match[2] or "").lower()]
    if number <= 0 or (not match[3] and not number.is_integer()):
        raise ValueError("must be more than 0, and whole if it counts steps")
    return f"{number:g}e" if match[3] else str(int(number))


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _written_as(json_type: list[str], name: str) -> WithJsonSchema:
    """What people may write in the file is wider than what it becomes; `name` is for the reference page."""
    return WithJsonSchema({"type": json_type, "items": {"type": "string"}, "written": name})


Count = Annotated[int, BeforeValidator(_count), _written_as(["integer", "string"], "count")]
Duration = Annotated[float, BeforeValidator(_duration), _written_as(["number", "string"], "duration")]
Interval = Annotated[str, BeforeValidator(_interval), _written_as(["integer", "string"], "interval")]
Names = Annotated[list[str], BeforeValidator(_one_or_many), _written_as(["array", "string"], "one or more")]
Share = Annotated[float, Field(ge=0, lt=1)]


def setting(default: Any, meaning: str, unit: str = "", resume: bool = False, **limits: Any) -> Any:
    """One setting. `resume` marks those that may change when a run continues; `...` as default means required."""
    extra: dict[str, Any] = {"unit": unit, "resume": resume}
    if default is not ...:
        limits["default"] = default
    return Field(description=meaning, json_schema_extra=extra, **limits)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# The settings --------------------------------------------------------------------------------------------------------


SectionType = TypeVar("SectionType", bound=Section)


class DataSettings(Section):
    folder: str = setting(..., "folder of the text files, each named STEM.LANGUAGE or STEM.LANGUAGE.gz", resume=True)
    source: str = setting(..., "source language: the ending of its files", min_length=1)
    target: str = setting(..., "target language: the ending of its files", min_length=1)
    train: str = setting("train", "stem of the training files")
    valid: str = setting("valid", "stem of the validation files")
    test: Names = setting(["test"], "stems of the test files, scored by `nmt eval`", resume=True)
    parts: Names = setting([], "parts of a test set to score apart: STEM.PART lists 1-based line numbers", resume=True)
    max_length: Count = setting(100, "training pairs with more on either side are dropped, and counted", "pieces", ge=1)


class SubwordSettings(Section):
    vocab_size: Count = setting(8000, "size of the vocabulary (of each of the two, if not joint)", "pieces", ge=8)
    model_type: Literal["unigram", "bpe", "char", "word"] = setting("unigram", "kind of SentencePiece model")
    joint: bool = setting(True, "one vocabulary for both languages")
    byte_fallback: bool = setting(True, "spell unknown characters in bytes, so that nothing is unknown")
    character_coverage: float = setting(0.9995, "share of the characters that get a piece", "share", gt=0, le=1)
    normalization: Literal["nmt_nfkc", "nfkc", "identity"] = setting("nmt_nfkc", "Unicode normalisation of the text")
    sample: Count = setting(2_000_000, "sentences that the subword model is trained on, at most", "sentences", ge=100)
    model: Names = setting([], "take these SentencePiece files (one joint, or source and target) instead of training")


class ModelSettings(Section):
    cell: Annotated[str, Registered("model/recurrent.py", "CELLS")] = setting("lstm", "recurrent cell")
    embedding: Count = setting(256, "size of the word embeddings", "units", ge=1)
    hidden: Count = setting(
        320, "size of the decoder's state and of an encoded token (both directions together)", "units", ge=1
    )
    encoder_layers: Count = setting(1, "recurrent layers of the encoder", "layers", ge=1)
    decoder_layers: Count = setting(2, "recurrent layers of the decoder", "layers", ge=1)
    bidirectional: bool = setting(True, "the encoder also reads from right to left")
    bridge: Annotated[str, Registered("model/bridge.py", "BRIDGES")] = setting(
        "linear", "how the decoder's first state is made from the encoder"
    )
    attention: Annotated[str, Registered("model/attention.py", "ATTENTIONS")] = setting(
        "multihead", "score function of the attention"
    )
    attention_heads: Count = setting(4, "heads of multihead attention", "heads", ge=1)
    decoder: Annotated[str, Registered("model/decoder.py", "DECODERS")] = setting("conditional", "kind of decoder")
    input_feeding: bool = setting(True, "a luong decoder gets its last attentional state as input")
    tying: Literal["none", "target", "all"] = setting(
        "all", "share the generator's matrix with the target embedding, or with both embeddings (joint vocabulary)"
    )
    dropout: Share = setting(0.2, "dropout between layers and before the generator", "probability")
    variational: bool = setting(True, "the same dropout mask at every position of a sentence")
    embedding_dropout: Share = setting(0.2, "dropout on the embeddings", "probability")
    word_dropout: Share = setting(0.0, "whole words whose embedding becomes zero", "probability")
    residual: bool = setting(False, "add a layer's input to its output, from the second layer on")
    layer_norm: bool = setting(True, "normalise the output of each recurrent layer and of the readout")


class TrainingSettings(Section):
    seed: Count = setting(1, "all randomness comes from it", ge=0)
    batch_tokens: Count = setting(
        1000, "size of a batch: sentences x the longest sentence on either side", "pieces", ge=1
    )
    batch_sentences: Count = setting(0, "size of a batch in sentences instead, if not 0", "sentences", ge=0)
    accumulate: Count = setting(1, "batches for one step", "batches", ge=1)
    optimizer: Annotated[str, Registered("training/optimizer.py", "OPTIMIZERS")] = setting("adam", "optimizer")
    learning_rate: float = setting(2e-3, "highest learning rate", gt=0, le=100)
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)] = setting([0.9, 0.98], "Adam's decay rates")
    momentum: Share = setting(0.0, "momentum of SGD", "share")
    weight_decay: float = setting(0.0, "pull of the weights towards zero", ge=0)
    schedule: Annotated[str, Registered("training/schedule.py", "SCHEDULES")] = setting(
        "cosine", "course of the learning rate after the warm-up"
    )
    warmup: Count = setting(300, "steps until the learning rate is at its highest", "steps", ge=0)
    decay_every: Interval = setting("1e", "how often the step schedule multiplies by `decay`", "steps or epochs")
    decay: float = setting(0.5, "factor of the step and plateau schedules", gt=0, lt=1)
    plateau_patience: Count = setting(2, "validations without a better score before plateau multiplies", ge=1)
    min_learning_rate: float = setting(0.0, "the schedule never goes below it", ge=0)
    clip_norm: float = setting(1.0, "gradients of a larger norm are scaled down to it; 0 switches it off", ge=0)
    label_smoothing: Share = setting(0.1, "share of the target distribution that is spread over all pieces", "share")
    ema: Share = setting(0.0, "decay per step of the moving average of the weights that is validated; 0: none", "share")
    precision: Literal["float32", "bf16", "fp16"] = setting("float32", "precision of the products (autocast)")
    teacher_forcing: float = setting(
        1.0,
        "probability that the next input is the reference's word and not the model's own",
        "probability",
        ge=0,
        le=1,
    )
    max_time: Duration = setting(
        0.0, "train at most so long; 0: no limit", "seconds, or 90s, 20m, 2h", resume=True, ge=0
    )
    max_steps: Count = setting(0, "train at most so many steps; 0: no limit", "steps", resume=True, ge=0)
    max_epochs: Count = setting(0, "train at most so many epochs; 0: no limit", "epochs", resume=True, ge=0)
    validate_every: Interval = setting("1e", "how often to validate", "steps or epochs", resume=True)
    save_every: Interval = setting("1e", "how often to save", "steps or epochs", resume=True)
    log_every: Count = setting(100, "how often to log", "steps", resume=True, ge=1)
    metric: Annotated[str, Registered("metrics.py", "VALIDATION_METRICS")] = setting(
        "bleu", "validation score that decides which checkpoint is best"
    )
    patience: Count = setting(0, "stop after so many validations without a better score; 0: never", resume=True, ge=0)
    keep_best: Count = setting(3, "checkpoints to keep by validation score", resume=True, ge=1)
    keep_last: Count = setting(1, "newest checkpoints to keep", resume=True, ge=1)
    average: bool = setting(
        True, "at the end, average the best checkpoints if that is better on validation", resume=True
    )
    samples: Count = setting(3, "validation sentences to show with their translation", resume=True, ge=0)


class DecodingSettings(Section):
    beam_size: Count = setting(5, "hypotheses kept at each position; 1 is greedy search", resume=True, ge=1, le=1000)
    length_penalty: float = setting(
        1.0, "alpha in ((5 + length) / 6) ** alpha, by which log-probabilities are divided", resume=True, ge=0, le=10
    )
    coverage_penalty: float = setting(0.0, "weight of the penalty for source words not attended to", resume=True, ge=0)
    min_length: Count = setting(0, "shortest translation", "pieces", resume=True, ge=0)
    max_length: Count = setting(200, "longest translation", "pieces", resume=True, ge=1)
    max_ratio: float = setting(2.0, "longest translation, per source piece (plus 10)", "pieces", resume=True, gt=0)
    no_repeat_ngram: Count = setting(0, "no n-gram of this many pieces may come twice; 0: any may", resume=True, ge=0)
    batch_size: Count = setting(64, "sentences translated together", "sentences", resume=True, ge=1)
    window: Count = setting(2000, "lines read ahead and sorted by length", "lines", resume=True, ge=1)
    max_source: Count = setting(1000, "longer input is cut, with a warning", "pieces", resume=True, ge=1)


class Settings(Section):
    data: DataSettings
    subword: SubwordSettings = SubwordSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    decoding: DecodingSettings = DecodingSettings()
    run: str = setting("", "the run directory; by default runs/NAME, after the config file's name", resume=True)
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to compute", resume=True)
    threads: Count = setting(0, "CPU threads; 0: one per core", "threads", resume=True, ge=0)


# Which key has an effect only under which value of another key. (That one may itself need a value of a third.)
EFFECTIVE_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "model.attention_heads": ("model.attention", ("multihead",)),
    "model.input_feeding": ("model.decoder", ("luong",)),
    "subword.byte_fallback": ("subword.model_type", ("unigram", "bpe")),
    "subword.vocab_size": ("subword.model", ([],)),
    "subword.model_type": ("subword.model", ([],)),
    "subword.joint": ("subword.model", ([],)),
    "subword.character_coverage": ("subword.model", ([],)),
    "subword.normalization": ("subword.model", ([],)),
    "subword.sample": ("subword.model", ([],)),
    "training.betas": ("training.optimizer", ("adam", "adamw")),
    "training.momentum": ("training.optimizer", ("sgd",)),
    "training.decay_every": ("training.schedule", ("step",)),
    "training.decay": ("training.schedule", ("step", "plateau")),
    "training.plateau_patience": ("training.schedule", ("plateau",)),
    "training.batch_tokens": ("training.batch_sentences", (0,)),
}


# Reading -------------------------------------------------------------------------------------------------------------


def load(path: Path | str, overrides: list[str] | None = None) -> Settings:
    """Settings from a YAML file and `key.sub=value` words. Raises ConfigError with every problem found.

    Paths in the file are relative to the file, paths in `overrides` to the current folder.
    """
    path = Path(path)
    given = read_file(path)
    problems: list[str] = []
    for word in overrides or []:
        try:
            given.update(read_word(word))
        except ConfigError as error:
            problems.extend(error.problems)
    given = _drop_overruled(given)
    settings, invalid = _validate(given, path)
    problems += invalid
    if settings is not None:
        problems += _cross_check(settings, given, path)
    if problems or settings is None:
        raise ConfigError(*problems)
    return _with_absolute_paths(settings, given, path)


def _drop_overruled(given: dict[str, Given]) -> dict[str, Given]:
    """Leaves out keys of the file that lost their effect through a key of the command line."""

    def overruled(key: str) -> bool:
        if key not in EFFECTIVE_WITH:
            return False
        ruler, values = EFFECTIVE_WITH[key]
        off = ruler in given and given[ruler].on_command_line and given[ruler].value not in values
        return off or overruled(ruler)

    return {key: value for key, value in given.items() if value.on_command_line or not overruled(key)}


def _validate(given: dict[str, Given], path: Path) -> tuple[Settings | None, list[str]]:
    sections = {name for name, field in Settings.model_fields.items() if _is_section(field.annotation)}
    tree: dict[str, Any] = {"data": {}}
    problems = []
    for key, value in given.items():
        first, _, rest = key.partition(".")
        if key in sections:
            if value.value is not None:
                problems.append(f"{value.where}: {key}: needs settings below it, such as `  {_example(key)}`")
        elif first in sections:
            tree.setdefault(first, {})[rest] = value.value
        else:
            tree[key] = value.value
    try:
        return Settings.model_validate(tree), problems
    except ValidationError as error:
        # A section that was given as something else lacks all its keys: one problem, not many.
        instead = {key for key in sections & given.keys() if given[key].value is not None}
        details = [
            detail for detail in error.errors() if detail["type"] != "missing" or detail["loc"][0] not in instead
        ]
        return None, problems + [_problem(detail, given, str(path)) for detail in details]


def _problem(error: ErrorDetails, given: Mapping[str, Given], path: str) -> str:
    place = [part for part in error["loc"] if isinstance(part, str)]
    key = ".".join(place)
    where = given[key].where if key in given else path
    if error["type"] == "extra_forbidden":
        return f"{where}: {key}: unknown key{_closest(key, keys())}"
    if error["type"] == "missing":
        return f"{where}: {key}: missing; write it into the config, such as `{_example(key)}`"
    value = error["input"]
    if value is None:
        return f"{where}: {key}: has no value; write one, or remove the key"
    if error["type"] == "literal_error":
        options = tuple(re.findall(r"'([^']*)'", error["ctx"]["expected"]))
        message = f"must be one of {', '.join(options)}{_closest(str(value), options)}"
    else:
        message = _DEMANDS.get(error["type"], error["msg"].removeprefix("Value error, ")).format(**error.get("ctx", {}))
    return f"{where}: {key}: {str(value).lower() if isinstance(value, bool) else repr(value)} {message}"


# What pydantic's types of errors demand, in the words of people who write settings.
_DEMANDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be {ge:g} or more",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be {le:g} or less",
    "less_than": "must be less than {lt:g}",
    "string_too_short": "must not be empty",
    "too_short": "must have {min_length} items",
    "too_long": "must have {max_length} items",
}


def _cross_check(settings: Settings, given: dict[str, Given], path: Path) -> list[str]:
    """Rules that span several keys. Each problem names the key to change."""

    def problem(key: str, message: str) -> str:
        return f"{given[key].where if key in given else path}: {key}: {message}"

    problems = []
    for key in EFFECTIVE_WITH:
        if key in given and (obstacle := _obstacle(settings, key)):
            ruler, values = EFFECTIVE_WITH[obstacle]
            wanted = " or ".join(f"{ruler}={value}" if value != [] else f"{ruler} is left out" for value in values)
            problems.append(problem(key, f"has no effect unless {wanted}; remove it"))
    rules = _data_rules(settings) + _model_rules(settings) + _course_rules(settings)
    return problems + [problem(key, message) for broken, key, message in rules if broken]


Rule = tuple[bool, str, str]  # whether it is broken, the key to change, the message


def _data_rules(settings: Settings) -> list[Rule]:
    data, subword = settings.data, settings.subword
    joint = len(subword.model) == 1 if subword.model else subword.joint
    return [
        (data.source == data.target, "data.target", "is the same as data.source; name the other language"),
        (len(subword.model) > 2, "subword.model", "takes one file, or two (source, target)"),
        (
            settings.model.tying == "all" and not joint,
            "model.tying",
            "all needs a joint vocabulary; write target or none",
        ),
    ]


def _model_rules(settings: Settings) -> list[Rule]:
    model = settings.model
    return [
        (
            model.bidirectional and model.hidden % 2 == 1,
            "model.hidden",
            f"must be even for a bidirectional encoder; write {model.hidden + 1}",
        ),
        (
            model.attention == "multihead" and model.hidden % model.attention_heads != 0,
            "model.attention_heads",
            f"{model.attention_heads} heads cannot share model.hidden={model.hidden}; write a divisor of it",
        ),
        (
            model.bridge == "copy" and model.encoder_layers != model.decoder_layers,
            "model.bridge",
            "copy needs as many encoder layers as decoder layers "
            f"({model.encoder_layers} and {model.decoder_layers}); write linear or mean",
        ),
        (
            model.decoder == "conditional" and model.decoder_layers < 2,
            "model.decoder_layers",
            "a conditional decoder attends between its first layer and the others, so it needs 2 or more",
        ),
        (
            model.attention == "none" and settings.decoding.coverage_penalty > 0,
            "decoding.coverage_penalty",
            "needs an attention; remove it",
        ),
    ]


def _course_rules(settings: Settings) -> list[Rule]:
    training, decoding = settings.training, settings.decoding
    end = training.max_time or training.max_steps or training.max_epochs
    return [
        (
            training.min_learning_rate > training.learning_rate,
            "training.min_learning_rate",
            f"{training.min_learning_rate:g} is more than training.learning_rate={training.learning_rate:g}",
        ),
        (
            decoding.min_length > decoding.max_length,
            "decoding.min_length",
            f"{decoding.min_length} is more than decoding.max_length={decoding.max_length}",
        ),
        (
            not (end or training.patience),
            "training",
            "would never end; set training.max_time, max_steps, max_epochs or patience",
        ),
        (
            training.schedule == "cosine" and not end,
            "training.schedule",
            "cosine needs to know the end; set training.max_time, max_steps or max_epochs",
        ),
    ]


def _with_absolute_paths(settings: Settings, given: dict[str, Given], path: Path) -> Settings:
    def absolute(key: str, text: str) -> str:
        if "\0" in text:
            raise ConfigError(f"{given[key].where}: {key}: {text!r} is not a path: it holds a NUL character")
        base = path.parent if key in given and not given[key].on_command_line else Path()
        return str((base / Path(text).expanduser()).resolve())

    data = settings.data.model_copy(update={"folder": absolute("data.folder", settings.data.folder)})
    models = [absolute("subword.model", model) for model in settings.subword.model]
    subword = settings.subword.model_copy(update={"model": models})
    run = absolute("run", settings.run or f"runs/{path.stem}")
    return settings.model_copy(update={"data": data, "subword": subword, "run": run})


def changed(section: SectionType, **changes: Any) -> SectionType:
    """A section, or all settings, with some values replaced. Raises ConfigError if one of them is impossible."""
    try:
        return type(section).model_validate(section.model_dump() | changes)
    except ValidationError as error:
        raise ConfigError(*(_problem(detail, {}, "")[2:] for detail in error.errors())) from None


# Around the tree -----------------------------------------------------------------------------------------------------


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


@functools.cache
def keys() -> tuple[str, ...]:
    """Every full key, `model.hidden` and the like, in the order of this file."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            names.extend(f"{name}.{key}" for key in section.model_fields)
        else:
            names.append(name)
    return tuple(names)


def field(key: str) -> Any:
    """The pydantic field of a full key: its default, description and limits."""
    section, _, name = key.rpartition(".")
    owner: Any = Settings.model_fields[section].annotation if section else Settings
    return owner.model_fields[name]


def may_change(key: str) -> bool:
    """Whether a run may continue under another value of this key."""
    return bool(field(key).json_schema_extra["resume"])


def get(settings: Settings, key: str) -> Any:
    return functools.reduce(getattr, key.split("."), settings)


def flat(settings: Settings) -> dict[str, Any]:
    """{full key: value} of every setting that has an effect."""
    return {key: get(settings, key) for key in keys() if not _obstacle(settings, key)}


def _obstacle(settings: Settings, key: str) -> str:
    """The key of EFFECTIVE_WITH, this or one that it depends on, whose condition is not met; "" if there is none."""
    if key not in EFFECTIVE_WITH:
        return ""
    ruler, values = EFFECTIVE_WITH[key]
    return _obstacle(settings, ruler) or ("" if get(settings, ruler) in values else key)


def dump(settings: Settings) -> str:
    """Complete YAML of the settings that have an effect; `load` gives the same settings back."""
    tree: dict[str, Any] = {}
    for key, value in flat(settings).items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """{full key: (old value, new value)} of all settings that differ."""
    before, after = flat(old), flat(new)
    return {
        key: (before.get(key), after.get(key))
        for key in keys()
        if before.get(key) != after.get(key) and (key in before or key in after)
    }


_MEANT = {"gpu": "cuda", "fp32": "float32"}  # what other programs call it


def _closest(name: str, options: tuple[str, ...]) -> str:
    """`; did you mean X?`, comparing full keys first and last parts second, or nothing."""
    if _MEANT.get(name) in options:
        return f"; did you mean {_MEANT[name]}?"
    matches = difflib.get_close_matches(name, options, n=1, cutoff=0.7)
    if not matches:
        last = {option.rpartition(".")[2]: option for option in options}
        matches = [last[m] for m in difflib.get_close_matches(name.rpartition(".")[2], list(last), n=1, cutoff=0.6)]
    return f"; did you mean {matches[0]}?" if matches else ""


def _example(key: str) -> str:
    """A line of YAML that sets `key`; of a section, its first key."""
    required = {"data.folder": "my-corpus", "data.source": "en", "data.target": "fr"}
    key = next(name for name in keys() if name == key or name.startswith(f"{key}."))
    return f"{key.rpartition('.')[2]}: {required[key] if key in required else field(key).default}"
