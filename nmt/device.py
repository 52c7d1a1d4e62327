"""Where to compute: `auto` picks CUDA, then MPS, then the CPU."""

import resource

import torch

from nmt.config import Settings
from nmt.errors import ConfigError
from nmt.memory import address_space_at_hand
from nmt.shown import amount

# torch's own choice, which knows of OMP_NUM_THREADS and of cores that this process may not use.
THREADS = torch.get_num_threads()


STACK = 8_000_000  # bytes of address space that a thread takes, if the system does not say


def choose_device(settings: Settings, local_rank: int = 0) -> torch.device:
    """Choose the device of the settings, and set the number of CPU threads.

    Of several processes on a machine, each takes the GPU of its `local_rank`. Raise ConfigError if the device is not
    there.
    """
    check_threads(settings.threads)
    torch.set_num_threads(settings.threads or THREADS)
    device = find_device(settings)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if local_rank >= count:
            raise ConfigError(
                f"device: process {local_rank + 1} on this machine has no GPU of its own, since there "
                f"{'is' if count == 1 else 'are'} {count}; "
                f"start with --nproc-per-node={count}, or set device=cpu"
            )
        torch.cuda.set_device(local_rank)
    return device


def check_threads(threads: int) -> None:
    """Check that the limits of the shell (`ulimit -v`, `ulimit -u`) allow this number of threads.

    Raises ConfigError if not; the threading library would end the process.
    """
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    needed = threads * (stack if 0 < stack < 2**40 else STACK)
    most, processes = address_space_at_hand(), resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if threads > 1 and (needed > most or 0 < processes < threads):
        raise ConfigError(f"threads: {threads} are more than the limits of this shell allow (ulimit -v, -u); use fewer")


def find_device(settings: Settings) -> torch.device:
    """Return the device of the settings. Raises ConfigError if it is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if settings.device == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available[settings.device]:
        raise ConfigError(f"device: {settings.device} is not available here; set device=auto or device=cpu")
    return torch.device(settings.device)


def describe(device: torch.device) -> str:
    """Return the device in words, for the log."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({amount(torch.get_num_threads(), 'thread')})" if device.type == "cpu" else device.type
