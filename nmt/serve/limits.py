"""Limits per request. Each is an option of `nmt serve`, and a refusal names it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limit what a request may cost. Each field is an option of the same name; every default is finite."""

    max_body: int = 1_000_000  # bytes of a request
    max_chars: int = 20_000  # characters of a request, over all its texts
    max_texts: int = 500  # texts, and lines within them, in a request
    max_beam: int = 20  # beam_size, n_best and mbr
    max_alternatives: int = 10
    max_length: int = 1000  # decoding.max_length and min_length, in tokens; characters of a prefix
    max_queue: int = 128  # requests that wait
    max_seconds: float = 60.0  # time that a request may take


@dataclass(frozen=True)
class Access:
    """Say which hosts, origins and keys are accepted."""

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")  # values of the Host header, without port; "*": any
    cors: tuple[str, ...] = ()  # origins of other pages that may ask
    keys: tuple[str, ...] = ()  # API keys; none: everyone may ask
