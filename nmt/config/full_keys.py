"""Settings by their full keys, such as `model.hidden`: which exist, which have an effect, how two sets of settings
differ."""

import functools
from typing import Any

import yaml

from nmt.config.tree import CorpusSettings, Settings
from nmt.config.values import Section

# Which key has an effect only under which values of other keys. (Those may themselves need values of others.)
EFFECTIVE_WITH: dict[str, dict[str, tuple[Any, ...]]] = {
    "data.valid": {"data.hold_out": (0,)},
    "data.test": {"data.hold_out_test": (0,)},
    "model.encoder_transitions": {"model.cell": ("gru",)},
    "model.decoder_transitions": {"model.cell": ("gru",)},
    "model.norm": {"model.architecture": ("transformer",)},
    "model.feed_forward": {"model.architecture": ("transformer",)},
    "model.attention_heads": {"model.attention": ("multihead",)},
    "model.attention_length": {"model.attention": ("location",)},
    "model.attention_window": {"model.attention": ("local",)},
    "model.input_feeding": {"model.decoder": ("luong",)},
    "model.context_everywhere": {"model.decoder": ("conditional", "bahdanau")},
    **{
        f"model.{key}": {"model.architecture": ("recurrent",)}
        for key in (
            "cell",
            "bidirectional",
            "bridge",
            "self_attention",
            "decoder",
            "variational",
            "residual",
            "layer_norm",
        )
    },
    "subword.model": {"training.start_from": ("",), "training.teachers": ([],)},
    "subword.sampling": {"training.teachers": ([],)},
    "subword.byte_fallback": {"subword.model_type": ("unigram", "bpe")},
    "subword.vocab_size": {"subword.model": ([],)},
    "subword.model_type": {"subword.model": ([],)},
    "subword.joint": {"subword.model": ([],)},
    "subword.character_coverage": {"subword.model": ([],)},
    "subword.normalization": {"subword.model": ([],)},
    "subword.source_normalization": {"subword.model": ([],)},
    "subword.target_normalization": {"subword.model": ([],)},
    "subword.sample": {"subword.model": ([],)},
    "training.betas": {"training.optimizer": ("adam", "adamw")},
    "training.momentum": {"training.optimizer": ("sgd",)},
    "training.decay_every": {"training.schedule": ("step",)},
    "training.decay": {"training.schedule": ("step", "plateau")},
    "training.plateau_patience": {"training.schedule": ("plateau",)},
    "training.batch_tokens": {"training.batch_sentences": (0,)},
    "training.forcing_steps": {"training.forcing_schedule": ("linear", "exponential", "inverse_sigmoid")},
    "training.hide_words": {"subword.model_type": ("word",)},
    "training.source_vectors": {"subword.model_type": ("word",)},
    "training.target_vectors": {"subword.model_type": ("word",)},
}


# Settings of the model that change its training alone.
WITHOUT_WEIGHTS = {"model.dropout", "model.embedding_dropout", "model.word_dropout", "model.variational"}


@functools.cache
def keys() -> tuple[str, ...]:
    """Return every full key, such as `model.hidden`, in the order of `tree.py`."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            names.extend(f"{name}.{key}" for key in section.model_fields)
        else:
            names.append(name)
    return tuple(names)


def field(key: str) -> Any:
    """Return the pydantic field of a full key: its default, description and limits."""
    section, _, name = key.rpartition(".")
    owner: Any = Settings.model_fields[section].annotation if section else Settings
    return owner.model_fields[name]


def may_change(key: str) -> bool:
    """Return whether a run may be resumed with another value of this key."""
    return bool(field(key).json_schema_extra["resume"])


def get(settings: Settings, key: str) -> Any:
    """Return the value of a full key."""
    return functools.reduce(getattr, key.split("."), settings)


def flat(settings: Settings) -> dict[str, Any]:
    """Return {full key: value as a config has it} of every setting that has an effect."""
    return {key: written(get(settings, key)) for key in keys() if not obstacle(settings, key)}


def written(value: Any) -> Any:
    """Return corpora as a config has them: one as it is, several as a list."""
    if not (isinstance(value, list) and value and isinstance(value[0], CorpusSettings)):
        return value
    corpora = [corpus.written() for corpus in value]
    return corpora[0] if len(corpora) == 1 else corpora


def obstacle(settings: Settings, key: str) -> tuple[str, tuple[Any, ...]] | None:
    """Return (other key, values it would need) if another setting keeps this one from having an effect; else None."""
    for ruler, values in EFFECTIVE_WITH.get(key, {}).items():
        if found := obstacle(settings, ruler):
            return found
        if get(settings, ruler) not in values:
            return ruler, values
    return None


def dump(settings: Settings) -> str:
    """Return complete YAML of the settings that have an effect; `load` gives the same settings back."""
    tree: dict[str, Any] = {}
    for key, value in flat(settings).items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Return {full key: (old value, new value)} of all settings that differ."""
    before, after = flat(old), flat(new)
    return {
        key: (before.get(key), after.get(key))
        for key in keys()
        if before.get(key) != after.get(key) and (key in before or key in after)
    }


def weight_differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Return the differences that make the weights of one model unusable in the other.

    Those that merely follow from another difference are left out.
    """
    return {
        key: values
        for key, values in differences(old, new).items()
        if key.startswith("model.") and key not in WITHOUT_WEIGHTS and None not in values
    }
