"""Behaviour shared by all commands: an option that takes one value must be given only once."""

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from nmt.errors import ConfigError


class Command(TyperCommand):
    """Reject a repeated option, unless it is a list: its first value would be lost silently."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command. Raise an error for an option that is given twice and takes one value."""
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        repeated = [
            f"{max(option.opts, key=len)}: given {count} times; give it once"
            for option, count in Counter(order).items()
            if count > 1 and option.param_type_name == "option" and not getattr(option, "multiple", False)
        ]
        if repeated:
            raise ConfigError(*repeated)
        return super().parse_args(ctx, args)
