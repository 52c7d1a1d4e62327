"""Settings by their full keys, such as `model.hidden`: which exist, which have an effect, how two sets of settings
differ."""

import functools
from typing import Any

import yaml

from nmt.config.tree import CorpusSettings, DataSettings, Settings
from nmt.config.values import Section

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


@functools.cache
def needs() -> dict[str, dict[str, tuple[Any, ...]]]:
    """Return {key: {other key: values}}: what each key needs to have an effect, if it needs anything.

    The other keys may themselves need values of others.
    """
    return {key: field(key).json_schema_extra["needs"] for key in keys() if "needs" in field(key).json_schema_extra}


@functools.cache
def needs_set() -> dict[str, tuple[str, ...]]:
    """Return {key: other keys}, of which one must differ from its default before the key may."""
    return {
        key: field(key).json_schema_extra["needs_set"] for key in keys() if "needs_set" in field(key).json_schema_extra
    }


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
    for ruler, values in needs().get(key, {}).items():
        if found := obstacle(settings, ruler):
            return found
        if get(settings, ruler) not in values:
            return ruler, values
    return None


def from_defaults(settings: Settings) -> dict[str, tuple[Any, Any]]:
    """Return {full key: (default, value)} of the settings that differ from the defaults; those of the text and the run
    are left out, as they have none that fits."""
    usual = flat(Settings(data=DataSettings(source=settings.data.source, target=settings.data.target)))
    left_out = {"run", "data.folder", "data.source", "data.target"}
    return {
        key: (usual.get(key, ""), value)
        for key, value in flat(settings).items()
        if key not in left_out and value != usual.get(key)
    }


def dump(settings: Settings, *, defaults: bool = True) -> str:
    """Return complete YAML of the settings that have an effect; `load` gives the same settings back. Without
    `defaults`, those that have their default are left out."""
    own = None if defaults else {"data.folder", "data.source", "data.target", "run", *from_defaults(settings)}
    tree: dict[str, Any] = {}
    for key, value in flat(settings).items():
        if own is not None and key not in own:
            continue
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
