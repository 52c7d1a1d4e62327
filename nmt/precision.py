"""Precision of matrix products: bf16 where the hardware multiplies it natively, float32 elsewhere.

Master weights, optimizer state, softmax, loss and scores are float32 in every precision. Only the inputs of matrix
products, and what flows between them, are rounded.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from nmt.config import ModelSettings, Settings
from nmt.errors import ConfigError
from nmt.kernels.choice import thresholds
from nmt.model.int8 import multiplies_int8

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST = 128  # model.hidden from which on `auto` takes bf16: below, conversions cost more than the products gain
CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")


class Choice(NamedTuple):
    """Hold a precision and why it was chosen; "" if the settings name it."""

    precision: str
    reason: str = ""


def choose_precision(
    wanted: str, device: torch.device, model: ModelSettings, key: str = "training.precision"
) -> Choice:
    """Return the precision to compute with; `wanted` is the setting, `key` its name.

    `auto` takes bf16 if the device multiplies it natively and the model is large enough to gain from it. Raise
    ConfigError if the device cannot compute with the precision that is named.
    """
    if wanted != "auto":
        problem = ""
        if wanted == "fp16" and device.type != "cuda":
            problem = f"fp16 needs a CUDA device, and this is {device.type}"
        elif wanted == "bf16" and device.type == "cuda" and not native_bf16(device):
            problem = "bf16 needs a CUDA device of compute capability 8.0 or more, and this one has less"
        elif wanted == "int8" and not (device.type == "cpu" and multiplies_int8()):
            problem = f"int8 needs a CPU with VNNI, and this {device.type} has none"
        if problem:
            raise ConfigError(f"{key}: {problem}; set {key}=auto")
        return Choice(wanted)
    unit = native_bf16(device)
    if not unit:
        return Choice("float32", f"this {device.type} has no native bf16")
    if model.hidden < SMALLEST:
        return Choice("float32", f"model.hidden={model.hidden} is below {SMALLEST}, too small to gain from bf16")
    return Choice("bf16", unit)


def precisions_of(device: torch.device) -> list[str]:
    """Return the precisions beside float32 that this device multiplies natively."""
    found = ["bf16"] if native_bf16(device) else []
    return found + (["int8"] if device.type == "cpu" and multiplies_int8() else [])


def precision_of_decoding(wanted: str, device: torch.device, model: ModelSettings) -> Choice:
    """Return the precision to translate with; `wanted` is `decoding.precision`.

    `auto` takes the fastest that was measured on this CPU (`nmt/calibration.py`). Where nothing was measured it takes
    8 bits if the CPU multiplies them natively; on other devices it chooses as training does. Raise ConfigError if the
    device cannot compute with the precision that is named.
    """
    key = "decoding.precision"
    if wanted != "auto" or device.type != "cpu" or model.hidden < SMALLEST:
        return choose_precision(wanted, device, model, key)
    if measured := thresholds().precision:
        return Choice(measured, "the fastest that was measured on this CPU")
    return Choice("int8", "this CPU has VNNI") if multiplies_int8() else choose_precision(wanted, device, model, key)


def with_precision(settings: Settings, device: torch.device, say: Callable[[str], None]) -> Settings:
    """Return settings in which `training.precision` is the precision to compute with. Say what `auto` chose, and that a
    CPU only emulates the precision. Raise ConfigError if the device cannot compute with it."""
    training = settings.training
    choice = choose_precision(training.precision, device, settings.model)
    if choice.reason:
        say(f"training.precision=auto: {choice.precision} ({choice.reason})")
    elif choice.precision == "bf16" and device.type == "cpu" and not native_bf16(device):
        say("note: training.precision=bf16: this CPU has no native bf16; float32 is faster here, in a new run")
    return settings.model_copy(update={"training": training.model_copy(update={"precision": choice.precision})})


def native_bf16(device: torch.device) -> str:
    """Return the name of what multiplies bf16 natively in this device; "" if nothing does.

    On MPS nothing counts: no measurement shows a gain there.
    """
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"CUDA compute capability {major}.{minor}" if major >= 8 else ""
    # What torch may not use (ATEN_CPU_CAPABILITY) does not count.
    usable = torch.backends.cpu.get_cpu_capability() in {"AVX512", "AMX"} and torch.backends.mkldnn.is_available()
    if device.type != "cpu" or not usable:
        return ""
    return next((name for name in ("amx_bf16", "avx512_bf16") if name in cpu_features()), "")


@functools.cache
def cpu_features() -> tuple[str, ...]:
    """Return those of CPU_FEATURES that this CPU has, as /proc/cpuinfo or torch report them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        lines = []
    flags = next(
        (set(line.partition(":")[2].split()) for line in lines if line.startswith(("flags", "Features"))), set()
    )
    for name, probe in (("avx512_bf16", "_is_avx512_bf16_supported"), ("avx512f", "_is_avx512_supported")):
        if hasattr(torch.cpu, probe) and getattr(torch.cpu, probe)():
            flags.add(name)
    return tuple(name for name in CPU_FEATURES if name in flags)


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Let matrix products in this context run in a precision."""
    dtype = PRECISIONS.get(precision, torch.float32)
    if dtype == torch.float32:
        yield
        return
    with torch.autocast(device.type, dtype=dtype):
        yield
