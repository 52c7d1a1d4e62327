"""The errors that a user can cause. Anything else is a bug and keeps its traceback."""

from pathlib import Path

from nmt.shown import shown


class UserError(Exception):
    """Signal something that the user can correct. The command prints the problems, a line each, and exits with
    `status`.

    Problems may quote text from anywhere, so control characters in them are spelled out.
    """

    status = 2

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(shown(problem) for problem in problems)
        super().__init__("\n".join(self.problems))


class ConfigError(UserError):
    """Signal that a setting is wrong. Each problem names file, line, key and remedy."""


class DataError(UserError):
    """Signal that a text file, a run directory or a file in it cannot be used. The message names it."""


class NotSaved(UserError):
    """Signal that training could not be saved; the message says what is kept."""

    status = 3


class Diverged(UserError):
    """Signal that loss or gradient stopped being finite, and a smaller learning rate did not help."""

    status = 4


class OutOfMemory(UserError):
    """Signal that what was asked for does not fit into memory."""

    status = 5


# What torch, oneDNN, SentencePiece and the dynamic loader say; only some raise MemoryError.
_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "out of memory",
    "bad_alloc",
    "could not create a memory",
    "can't start new thread",
    "failed to map segment",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of any library means that memory, or address space, is used up."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if not isinstance(error, RuntimeError | ImportError | OSError):
        return False
    text = str(error).lower()
    # oneDNN had no memory for a product's code. What it cannot compute at all fails earlier, at its descriptor.
    return text.strip() == "could not create a primitive" or any(words in text for words in _NO_MEMORY)


def extra(name: str) -> str:
    """Return the command that installs an optional part, for messages.

    The distribution is called what the installed metadata say: the name of the package alone may be somebody else's.
    Where this is not installed, as in a checkout of the source, the command names its folder.
    """
    from importlib.metadata import packages_distributions

    found = packages_distributions().get("nmt")
    return f"pip install '{found[0]}[{name}]'" if found else f"pip install -e '{Path(__file__).parent.parent}[{name}]'"
