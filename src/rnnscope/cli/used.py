"""Options that something uses: one that would be passed over in silence is wrong usage."""

import click
from click.core import ParameterSource

from rnnscope.exceptions import UsageError


def given(parameter: str) -> bool:
    """Whether an option stands on the command line; `parameter` is what the command's function calls it."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def expect_used(parameter: str, used: object, by: str) -> None:
    """Raises `UsageError` for an option that was given and that nothing uses; `by` says what would."""
    if used or not given(parameter):
        return
    [option] = [each.opts[0] for each in click.get_current_context().command.params if each.name == parameter]
    raise UsageError(f"{option} changes nothing here; it is for {by}: add that, or leave {option} out")
