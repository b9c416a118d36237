"""`rnnscope`: one group of commands, and what happens when one fails."""

import errno
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from rnnscope import __version__
from rnnscope.cli import compare, contexts, dynamics, evaluate, look, ngram, paper, planted, resting, study, sweep, trace, train
from rnnscope.exceptions import FollowerError, RnnscopeError, SlowWarning
from rnnscope.files import placed


class _NobodyReadsError(Exception):
    """Whoever read standard output has enough."""


@contextmanager
def _read_by_somebody() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        if watched.poll(0):
            raise _NobodyReadsError from error
        raise RnnscopeError(
            "a pipe to another process broke; one that takes part may have been ended: run the command again"
        ) from error


class _Commands(click.Group):
    """Commands that tell a pipe which nobody reads from what fails; click makes exit status 1 of both, without a word."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _read_by_somebody():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _read_by_somebody():
            return super().invoke(ctx)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, no_args_is_help=True
)
@click.version_option(__version__, prog_name="rnnscope")
@click.option("--debug", is_flag=True, help="Show a traceback where something fails.")
def rnnscope(debug: bool) -> None:
    """See what a recurrent network is doing.

    \b
    Example:
      rnnscope study                    train on Python's own library, find the units, write a page
      rnnscope study book.txt           the same for a text of yours
    """


for command in (
    study.study, train.train, sweep.sweep, train.sample, evaluate.evaluate,
    trace.record, trace.cells, trace.saturation, resting.attribution, resting.writes,
    ngram.ngram, compare.compare, compare.errors, contexts.contexts, dynamics.dynamics,
    look.corpora, look.hypotheses, look.doctor, paper.paper, planted.planted,
):  # fmt: skip
    rnnscope.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and leave: 0 good, 1 it could not be done, 2 wrong usage, 130 stopped, 141 nobody reads what it prints.

    An error is one line.
    """
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    # --debug may stand anywhere
    given = (["--debug"] if debug else []) + [word for word in given if word != "--debug"]
    with _warnings_in_a_line():
        status = _run(given, debug)
    if "TORCHELASTIC_RUN_ID" in os.environ:  # connections to processes that are gone can't be taken down in good order
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Ours are for whoever typed the command; others' go where they always go."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
            _say(str(message)) if issubclass(category, SlowWarning) else others(message, category, *more, **named)

        warnings.showwarning = show
        yield


def _run(given: list[str], debug: bool) -> int:
    try:
        status = rnnscope.main(given, prog_name="rnnscope", standalone_mode=False)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _say(f"stopped; {_going_on(given)}")
        sys.stdout.flush()
        os._exit(130)  # at once: taking torch down in good order can take seconds, and nothing is left to be written
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "rnnscope"
        _say(f"{' '.join(error.format_message().split())} See '{where} --help'.")
        status = error.exit_code
    except FollowerError:
        status = 1
    except RnnscopeError as error:
        status = _fail(str(error), error.exit_status, debug)
    except _NobodyReadsError:
        os._exit(128 + signal.SIGPIPE)  # as if the signal had ended us, which is what other tools do; no word of it
    except OSError as error:
        status = _fail(_explain(error, given), 1, debug)
    except MemoryError:
        status = _fail(_NO_MEMORY, 1, debug)
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # torch's own MemoryError
            raise
        status = _fail(_NO_MEMORY, 1, debug)
    return status if isinstance(status, int) else 0


_NO_MEMORY = "the memory of this machine doesn't suffice; take fewer units, a smaller batch or a shorter text"


def _going_on(given: list[str]) -> str:
    command = next((word for word in given if not word.startswith("-")), None)
    if command in ("study", "record"):
        return "what is done is kept: run the same command again to go on"
    if command in ("train", "sweep"):
        return "what is done is kept: run the same command with --resume to go on"
    if done := placed():
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        return f"{done[-1]}{more} had been written and {'are' if more else 'is'} kept: run the same command again for the rest"
    return "nothing was changed"


def _fail(message: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    _say(message)
    return status


def _say(message: str) -> None:
    click.echo("rnnscope: " + " ".join(message.split()), err=True)


def _explain(error: OSError, given: list[str]) -> str:
    place = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the device for {place}; free some; {_going_on(given)}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place} can't be written or read ({error.strerror}); expected a place you have the right to use"
    return f"{place}: {error.strerror or error}"
