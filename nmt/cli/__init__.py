"""The commands. The only place that parses arguments, prints results and exits.

Nothing here imports torch before it is needed: `--help` and configuration errors answer at once.
"""

import atexit
import errno
import gc
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from nmt import __version__
from nmt.cli.align import align
from nmt.cli.average import average
from nmt.cli.bench import bench
from nmt.cli.commands import Command
from nmt.cli.evaluate import ManyMetrics, evaluate
from nmt.cli.export import export
from nmt.cli.info import info
from nmt.cli.report import compare, report, watch
from nmt.cli.score import score
from nmt.cli.serve import serve
from nmt.cli.streams import CLOSED, prepare_streams
from nmt.cli.train import check, train
from nmt.cli.translate import translate
from nmt.environment import BRIEFLY, spin
from nmt.errors import ConfigError, OutOfMemory, UserError, is_out_of_memory
from nmt.files import named
from nmt.shown import shown

READER_GONE = 128 + signal.SIGPIPE
# Errors that users can fix: a full disk, a name that is too long, somebody else's folder, a limit.
TO_MEND = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE,
    errno.ENFILE, errno.EIO, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ESTALE,
}  # fmt: skip
NO_MEMORY = (
    "out of memory; try a smaller decoding.batch_size, --batch-size or --beam-size, shorter lines, or a smaller model"
)


class Commands(TyperGroup):
    """Handle errors of the command line: a closed output pipe ends with SIGPIPE's status, and quoted input is shown
    safely."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a reader that has gone, such as `head`, ends it quietly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.exit(READER_GONE)
        except Exception as error:
            message, parameter = getattr(error, "message", None), getattr(error, "param", None)
            if not isinstance(message, str):
                raise
            if type(error).__name__ == "BadParameter" and parameter is not None:  # a value that cannot be
                message = message.removesuffix(".").replace("Input should be", "must be")
                message = message.replace("greater than or equal to", "at least")
                message = message.replace("less than or equal to", "at most")
                raise ConfigError(f"{parameter.opts[0]}: {message}") from None
            error.message = shown(message)  # type: ignore[attr-defined]
            raise


app = typer.Typer(
    name="nmt",
    cls=Commands,
    help="Train, run and explain recurrent neural machine translation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run a command.

    An error that the user can fix is printed as one line per problem, with its exit status (mostly 2); anything else is
    a traceback. A closed output pipe, such as that of `head`, ends the command silently.
    """
    spin(BRIEFLY)
    # Importing torch creates many long-lived objects. Scanning them for garbage again and again, and once more at exit,
    # takes a quarter of the time of a short command (docs/performance.md).
    gc.set_threshold(20_000, 20, 100)
    atexit.register(gc.freeze)
    # The control characters in the messages of a traceback are escaped.
    sys.excepthook = lambda *error: print(
        *(shown(line) for part in traceback.format_exception(*error) for line in part.rstrip("\n").split("\n")),
        sep="\n",
        file=sys.stderr,
    )
    prepare_streams()
    try:
        _run()
    except UserError as error:
        _fail(error.status, *str(error).split("\n"))
    except BrokenPipeError:
        _fail(READER_GONE)
    except Exception as error:
        if is_out_of_memory(error):
            _fail(OutOfMemory.status, NO_MEMORY)
        if not isinstance(error, OSError):
            raise
        if error.errno == errno.EBADF and 1 in CLOSED:
            _fail(UserError.status, "standard output: closed; send it to a terminal or a file")
        if error.errno not in TO_MEND:
            raise
        _fail(UserError.status, f"{_where(error)}: {error.strerror}")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        _fail(128 + signal.SIGINT)


def _where(error: OSError) -> str:
    name = error.filename
    return str(named(Path(os.fsdecode(name)))) if isinstance(name, str | bytes) else "standard output"


def _run() -> None:
    """Run the command and flush its output."""
    try:
        app(prog_name="nmt")
    except SystemExit:
        print(end="", flush=True)
        raise


def _fail(status: int, *problems: str) -> NoReturn:
    for problem in problems:
        print(f"error: {shown(problem)}", file=sys.stderr)
    try:
        print(end="", flush=True)
    except OSError:  # Python would try again when it ends, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"nmt {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    pass


app.command(cls=Command)(train)
app.command(cls=Command)(check)
app.command(cls=Command)(translate)
app.command(name="eval", cls=ManyMetrics)(evaluate)
app.command(cls=Command)(align)
app.command(cls=Command)(score)
app.command(cls=Command)(average)
app.command(cls=Command)(export)
app.command(cls=Command)(info)
app.command(cls=Command)(report)
app.command(cls=Command)(compare)
app.command(cls=Command)(watch)
app.command(cls=Command)(bench)
app.command(cls=Command)(serve)
