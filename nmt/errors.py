"""The errors that a user can cause. Anything else is a bug and keeps its traceback."""

from pathlib import Path


class UserError(Exception):
    """Something the user can mend. The command prints the message and exits with `status`."""

    status = 2


class ConfigError(UserError):
    """A setting is wrong. The message has one line per problem: file, line, key and remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DataError(UserError):
    """A text file, a run directory or a file in it cannot be used. The message names it."""


class NotSaved(UserError):
    """Training could not be written down; the message says what is kept."""

    status = 3


class Diverged(UserError):
    """Loss or gradient stopped being finite, and a smaller learning rate did not help."""

    status = 4


class OutOfMemory(UserError):
    """Not even a single sentence fits into memory."""

    status = 5


def extra(name: str) -> str:
    """Return the command that installs an optional part, for messages.

    The distribution is called what the installed metadata say: the name of the package alone may be somebody else's.
    Where this is not installed, as in a checkout of the source, the command names its folder.
    """
    from importlib.metadata import packages_distributions

    found = packages_distributions().get("nmt")
    return f"pip install '{found[0]}[{name}]'" if found else f"pip install -e '{Path(__file__).parent.parent}[{name}]'"
