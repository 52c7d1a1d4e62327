"""Subwords that are another run's, in place of those that the text would give."""

from pathlib import Path

import torch

from nmt import run as runs
from nmt.config import Settings
from nmt.training.parent import load_parent
from nmt.training.teachers import load_teachers


def with_pieces_of(folder: Path, settings: Settings) -> Settings:
    files = [str(file) for file in runs.subword_files(folder)]
    return settings.model_copy(update={"subword": settings.subword.model_copy(update={"model": files})})


def with_inherited_pieces(settings: Settings) -> Settings:
    """With the subwords of the run to start from, or of the teachers. Raises what `load_parent` and `load_teachers`
    do."""
    teachers = load_teachers(settings, torch.device("cpu"))
    if other := load_parent(settings) or (teachers[0] if teachers else None):
        return with_pieces_of(other.path, settings)
    return settings
