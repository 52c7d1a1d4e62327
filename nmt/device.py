"""Where to compute: `auto` picks CUDA, then MPS, then the CPU."""

import torch

from nmt.config import Settings
from nmt.errors import ConfigError

# torch's own choice, which knows of OMP_NUM_THREADS and of cores that this process may not use.
THREADS = torch.get_num_threads()


def choose_device(settings: Settings) -> torch.device:
    """The device of the settings, the number of CPU threads set. Raises ConfigError if the device is not there."""
    torch.set_num_threads(settings.threads or THREADS)
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if settings.device == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available[settings.device]:
        raise ConfigError(f"device: {settings.device} is not available here; set device=auto or device=cpu")
    return torch.device(settings.device)


def describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type
