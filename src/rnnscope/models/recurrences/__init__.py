"""Recurrences that torch doesn't have, each one small class; `wrap` finds their parts in a module.

Built-in ones are registered under `rnnscope.recurrences` in this project's `pyproject.toml`, as a package of your own would
register its own.
"""

from rnnscope.models.recurrences.base import Note, Recurrence

__all__ = ["Note", "Recurrence"]
