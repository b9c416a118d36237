"""Numbers and ranges on a command line: 1-9,20."""

from collections.abc import Callable

import click


def numbers(most: int, too_many: str) -> Callable[[click.Context, click.Parameter, str], list[int]]:
    """A callback that makes a list of them, none above `most`: `too_many` says what it is the most of."""

    def parse(context: click.Context, option: click.Parameter, value: str) -> list[int]:
        found: list[int] = []
        for part in value.split(","):
            first, dash, last = part.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
                raise click.BadParameter(
                    f"{part.strip()!r} is no number and no range; expected numbers of symbols, such as 1-9,20."
                )
            if int(last or first) > most:
                raise click.BadParameter(f"{part.strip()} is more than {too_many}, {most} symbols.")
            found += range(int(first), int(last or first) + 1)
        return list(dict.fromkeys(found))

    return parse
