"""The command line: the doors. Nothing is computed here, and help answers without torch."""

from rnnscope.cli.main import main

__all__ = ["main"]
