"""What exists only for speed, each beside its plain reference. `choice.py` says when each applies."""

from nmt.kernels.choice import FAST_PATHS, FastPath, Thresholds, reference, using

__all__ = ["FAST_PATHS", "FastPath", "Thresholds", "reference", "using"]
