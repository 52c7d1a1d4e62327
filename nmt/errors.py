"""The errors that a user can cause. Anything else is a bug and keeps its traceback."""


class UserError(Exception):
    """Something the user can mend. The command prints the message and exits with status 2."""


class ConfigError(UserError):
    """A setting is wrong. The message has one line per problem: file, line, key and remedy."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DataError(UserError):
    """A text file, a run directory or a file in it cannot be used. The message names it."""
