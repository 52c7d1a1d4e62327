"""What torchrun tells a process that it starts, in environment variables: which one it is, and where all meet."""

import os
from typing import NamedTuple

from nmt.errors import ConfigError

TIMEOUT = "NMT_RANK_TIMEOUT"  # environment: seconds after which a silent rank counts as lost
SECONDS = 60.0  # its default


class Place(NamedTuple):
    """Hold the place of one process among those that work together."""

    rank: int
    size: int
    local_rank: int
    address: str
    port: int
    attempt: str  # a restart must not read what the processes before it have left
    hosts_store: bool  # whether rank 0 keeps the store itself, since no torchrun does
    timeout: float  # seconds after which a silent rank counts as lost


def place_of_environment() -> Place | None:
    """Return the place that torchrun gave this process; None without torchrun.

    Raise ConfigError if it is impossible.
    """
    env = os.environ
    if "RANK" not in env:
        return None
    missing = [name for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if not env.get(name)]
    if missing:
        raise ConfigError(
            f"RANK={env['RANK']} is set in the environment, but {' and '.join(missing)} not; start with: "
            "torchrun --nproc-per-node=N -m nmt ... (or unset RANK to train in one process)"
        )
    values = {name: _count(name) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT")}
    rank, size = values["RANK"], values["WORLD_SIZE"]
    if rank >= size:
        raise ConfigError(f"RANK={rank} does not exist among WORLD_SIZE={size} processes, which count from 0")
    agent = env.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    attempt = f"{env.get('TORCHELASTIC_RUN_ID', '')}/{env.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    local = _count("LOCAL_RANK") if "LOCAL_RANK" in env else 0
    address, port = env["MASTER_ADDR"], values["MASTER_PORT"]
    return Place(rank, size, local, address, port, attempt, rank == 0 and not agent, _timeout())


def _count(name: str) -> int:
    value = os.environ[name]
    if not (value.isascii() and value.isdigit()):
        raise ConfigError(f"{name}={value} in the environment: must be a number from 0; start with torchrun")
    return int(value)


def _timeout() -> float:
    value = os.environ.get(TIMEOUT, str(SECONDS))
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 1e6:
        raise ConfigError(f"{TIMEOUT}={value} in the environment: must be a number of seconds from 1 to 1000000")
    return seconds
