"""`nmt serve`."""

import errno
import ipaddress
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.options import Device, Threads, calibrate_for
from nmt.cli.streams import check_output
from nmt.environment import LONGER, spin
from nmt.errors import ConfigError, extra


def serve(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]...", help="Run directories [default: the newest in runs/]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any that is free")] = 8000,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="Further name of this server, as in the Host header")
    ] = None,
    cors: Annotated[list[str] | None, typer.Option("--cors", help="Origin of another page that may ask")] = None,
    api_key: Annotated[list[str] | None, typer.Option("--api-key", help="Key that a client must have")] = None,
    max_body: Annotated[int, typer.Option(min=1000, max=1_000_000_000, help="Bytes of a request")] = 1_000_000,
    max_chars: Annotated[int, typer.Option(min=1, max=100_000_000, help="Characters of a request")] = 20_000,
    max_texts: Annotated[int, typer.Option(min=1, max=1_000_000, help="Texts and lines of a request")] = 500,
    max_beam: Annotated[int, typer.Option(min=1, max=1000, help="Largest beam, n_best or mbr")] = 20,
    max_alternatives: Annotated[int, typer.Option(min=0, max=50, help="Alternatives of a text or a word")] = 10,
    max_length: Annotated[
        int, typer.Option(min=1, max=100_000, help="Largest max_length of a translation, and characters of a prefix")
    ] = 1000,
    max_queue: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests that may wait")] = 128,
    max_seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds that a request may take")] = 60.0,
    access_log: Annotated[
        Path | None, typer.Option("--access-log", help="File that gets a JSON object per request, without its text")
    ] = None,
    spec_title: Annotated[
        str, typer.Option("--spec-title", help="Title in /spec; Dialect accepts only servers named LibreTranslate")
    ] = "nmt",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Serve trained runs: a page at / and the APIs of LibreTranslate, DeepL (/v2) and nmt (/v1)."""
    spin(LONGER)  # the server computes with fewer threads while other programs need the cores
    try:
        import uvicorn

        from nmt.serve.app import make_app
    except ImportError as error:
        if str(error.name).startswith("nmt"):
            raise
        raise ConfigError(f"serve: needs {error.name}, which is not installed: {extra('serve')}") from None
    from nmt.runs.store import newest
    from nmt.serve.access_log import AccessLog
    from nmt.serve.limits import Access, Limits
    from nmt.serve.models import Models

    paths = runs or [newest()]
    check_output(access_log, option="--access-log")
    for path in paths:
        if access_log and access_log.resolve().is_relative_to(path.resolve()):
            raise ConfigError(f"--access-log {access_log}: is inside the run {path}; name a file outside of it")
    host = host.strip("[]")
    with suppress(ValueError):
        host = f"[{ipaddress.IPv6Address(host).compressed}]"  # as URLs and Host headers have it
    names = (*Access().hosts, *([] if host in {"0.0.0.0", "[::]"} else [host]), *(allow_host or []))
    limits = Limits(max_body, max_chars, max_texts, max_beam, max_alternatives, max_length, max_queue, max_seconds)
    with listen(host.strip("[]"), port) as listening:  # before anything slow happens
        models = Models(paths, device, threads)
        calibrate_for(*(run.translator for run in models.runs.values()))
        keys = tuple(api_key or ())
        app = make_app(models, limits, Access(names, tuple(cors or ()), keys), AccessLog(access_log), spec_title)
        for run in models.runs.values():
            print(f"{run.name}: {run.source} -> {run.target}", flush=True)
        print(f"open http://{host}:{listening.getsockname()[1]}/ (end with Ctrl-C)", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=30, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises ConfigError if that is impossible."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Only where the protocol is named does asyncio switch off Nagle's algorithm, which adds 40 ms to each answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"--port {port}: another program uses it; give another, or 0 for any free one") from None
        raise ConfigError(f"--host {host}: cannot listen there: {error.strerror}") from None
    return listening
