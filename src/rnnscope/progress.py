"""Progress: how long work tells whoever watches how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called again and again with what is done of what there is, in symbols, and a few words on how it goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def silent(done: int, total: int, note: str = "") -> None:
    """The `Progress` that says nothing."""
