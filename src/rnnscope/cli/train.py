"""`rnnscope train` and `rnnscope sample`."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rnnscope.cli.show import progress_bar, speaks
from rnnscope.cli.texts import text_options
from rnnscope.cli.used import expect_used

F = TypeVar("F", bound=Callable[..., Any])


def architecture_options(**defaults: Any) -> Callable[[F], F]:
    """Adds `--cell`, `--layers`, `--units`, `--context`, with their defaults, or without where a recipe has them."""
    kinds = click.Choice(["lstm", "gru", "gru-paper", "rnn", "window"])  # as in models.cells, which would import torch
    count = click.IntRange(min=1)
    length = click.IntRange(1, 1000)  # as in protocol

    def add(command: F) -> F:
        for name, kind, words in (
            ("context", length, "Symbols that a window sees."),
            ("units", count, "Units in a layer."),
            ("layers", count, "Layers, one on the other."),
            ("cell", kinds, "The recurrence; a window has none."),
        ):
            default = defaults.get(name)
            command = click.option(f"--{name}", type=kind, default=default, show_default=name in defaults, help=words)(command)
        return command

    return add


@click.command()
@click.argument("text")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@click.option(
    "--recipe", "named", default="default", show_default=True,
    help="'default', 'karpathy2015' (the paper's protocol), or a TOML file. The options below change it.",
)  # fmt: skip
@architecture_options()
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training text.")
@click.option("--updates", type=click.IntRange(min=1), help="At most so many updates of the weights.")
@click.option("--batch", type=click.IntRange(min=1), help="Streams side by side.")
@click.option("--length", type=click.IntRange(min=1), help="Symbols of each stream between two updates.")
@click.option("--learning-rate", type=float, help="At its highest.")
@click.option("--chrono", type=click.IntRange(min=0), help="Longest memory that gates begin with; 0 for none.")
@click.option("--dropout", type=float, help="Share of what a layer hands on that is set to 0.")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Of the matrix products.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@click.option("--threads", type=click.IntRange(min=1), help="To compute on; streams of a batch are shared between them.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the first weights and of dropout.")
@click.option(
    "--snapshots", type=click.IntRange(min=0),
    help="Keep weights so often while the number of updates, or of epochs, doubles, for 'rnnscope dynamics'.",
)  # fmt: skip
@click.option("--set", "more", multiple=True, metavar="FIELD=VALUE", help="Any other field of the recipe, the value as in TOML.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder.")
@text_options
def train(
    text: str, out: Path, named: str, more: tuple[str, ...], symbols: str | None, language: str | None, resume: bool, **given: Any
) -> None:
    """Train a network on a text.

    TEXT is a file, '-' for standard input, or the name of a known corpus. The folder gets the weights that did best
    on the validation part, the recipe, the history and a checkpoint. Started by 'torchrun --nproc-per-node 2 -m
    rnnscope train …', the processes share the streams of a batch.

    \b
    Example:
      rnnscope train book.txt --out runs/book --cell gru --layers 2 --units 128 --epochs 20
      rnnscope train warpeace --out runs/wp --recipe karpathy2015 --units 64
    """
    from rnnscope.corpora import find
    from rnnscope.training import find_recipe
    from rnnscope.training import train as run_training

    recipe = find_recipe(named).changed(_changes(given, [_setting(each) for each in more]))
    corpus = find(text, symbols=symbols, language=language)  # type: ignore[arg-type]  # click checked the choice
    with progress_bar("train") as progress:
        run = run_training(recipe, corpus, out, resume=resume, progress=progress)
    if not speaks():
        return
    best = min(run.history, key=lambda entry: entry["validation_nats"])
    click.echo(f"{out}: {best['validation_nats']:.4f} nats per symbol on the validation part, after epoch {best['epoch']}")


def _changes(given: dict[str, Any], more: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields that options and `--set` change. Raises a usage error for one that is given twice."""
    changes: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for name, value in [*((name, value) for name, value in given.items() if value is not None), *more]:
        table = name == "architecture" and isinstance(value, dict)
        for field, each in value.items() if table else [(name, value)]:
            into = inner if table or field in ("cell", "layers", "units", "context") else changes
            if field in into:
                raise click.UsageError(f"{field} is given twice, as {into[field]!r} and as {each!r}; leave one out.")
            into[field] = each
    return {"architecture": inner} | changes


def _setting(words: str) -> tuple[str, Any]:
    name, equals, value = words.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise click.BadParameter(f"{words!r} has no '='; expected FIELD=VALUE, for example patience=5.", param_hint="--set")
    try:
        parsed = tomllib.loads(f"value = {value}")
        if list(parsed) != ["value"]:
            raise click.BadParameter(f"{words!r} sets several fields; give --set once for each.", param_hint="--set")
        return name, parsed["value"]
    except tomllib.TOMLDecodeError:
        return name, value.strip()  # a word without quotes


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="What the text begins with.  [default: a newline]")
@click.option("--length", default=500, show_default=True, help="Symbols to write.")
@click.option("--temperature", default=1.0, show_default=True, help="Below 1 is safer, above 1 is wilder, 0 is the most likely.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed writes the same text.")
def sample(run: Path, prompt: str, length: int, temperature: float, seed: int) -> None:
    """Let a trained network write.

    \b
    Example:
      rnnscope sample runs/book --prompt "It was " --temperature 0.7
    """
    from rnnscope.corpora.vocabulary import utf8
    from rnnscope.models.sampling import sample as write
    from rnnscope.models.threads import computing
    from rnnscope.training import load

    expect_used("seed", temperature != 0, "a --temperature above 0")
    with computing():
        text = write(load(run), prompt, length=length, temperature=temperature, seed=seed)
    begin: str | bytes = utf8(prompt) if isinstance(text, bytes) else prompt
    click.echo(begin + text)  # type: ignore[operator]  # both str or both bytes
