"""Plug-ins: things that this package and other packages offer under a name.

Built-in ones are declared in this project's own `pyproject.toml`, exactly as a user's package would
declare its own, and come in through the same door.
"""

from importlib.metadata import entry_points
from typing import Any

from rnnscope.exceptions import FormatError


def plugins(group: str) -> dict[str, Any]:
    """Every object registered under an entry-point group, by name, sorted.

    Raises `FormatError` when two packages claim one name, or when one can't be imported.
    """
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        if point.name in found:
            if owners[point.name] == point.value:
                continue  # one package installed twice on the path
            raise FormatError(
                f"two packages register {point.name!r} under {group}: {owners[point.name]} and {point.value}; "
                "uninstall or rename one"
            )
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as error:
            raise FormatError(f"the plug-in {point.name!r} of {group} ({point.value}) can't be loaded: {error}") from error
        owners[point.name] = point.value
    return found
