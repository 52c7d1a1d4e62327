"""Settings: `load` reads them, `tree.py` lists them all. Does not import torch, so that errors are reported at once."""

from nmt.config.decoding import decoding_changes
from nmt.config.full_keys import (
    differences,
    dump,
    field,
    flat,
    from_defaults,
    get,
    keys,
    may_change,
    needs,
    needs_set,
    weight_differences,
    written,
)
from nmt.config.load import changed, load, words
from nmt.config.paths import PATHS, absolute_paths, portable, where_they_are, with_paths
from nmt.config.tree import (
    CorpusSettings,
    DataSettings,
    DecodingSettings,
    ModelSettings,
    Settings,
    SubwordSettings,
    TrainingSettings,
)
from nmt.config.values import Registered

__all__ = [
    "PATHS",
    "CorpusSettings",
    "DataSettings",
    "DecodingSettings",
    "ModelSettings",
    "Registered",
    "Settings",
    "SubwordSettings",
    "TrainingSettings",
    "absolute_paths",
    "changed",
    "decoding_changes",
    "differences",
    "dump",
    "field",
    "flat",
    "from_defaults",
    "get",
    "keys",
    "load",
    "may_change",
    "needs",
    "needs_set",
    "portable",
    "weight_differences",
    "where_they_are",
    "with_paths",
    "words",
    "written",
]
