"""`rnnscope paper`: the reproduction, beside what was published."""

from pathlib import Path

import click

from rnnscope.cli.show import print_table, progress_bar, table_options


@click.group()
def paper() -> None:
    """The paper's tables and figures, published and found.

    \b
    Example:
      rnnscope paper table1 --corpus warpeace
    """


@paper.command()
@click.option("--corpus", type=click.Choice(["warpeace", "linux"]), help="Only this text.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results/paper"), show_default=True, help="Where results are kept."
)
@click.option("--runs", type=click.Path(path_type=Path), help="A sweep's folder: evaluate its finished runs first.")
@table_options
def table1(corpus: str | None, results: Path, runs: Path | None, form: str | None) -> None:
    """Table 1: test cross-entropy in nats of RNN, LSTM and GRU, by size and depth.

    With --runs, finished runs become results: one JSON file for each entry of the table, and its weights in half precision.

    \b
    Example:
      rnnscope sweep recipes/table1.toml --workers 2
      rnnscope paper table1 --runs sweeps/table1
    """
    from rnnscope.paper import table1 as table
    from rnnscope.paper.entries import CORPORA

    texts = (corpus,) if corpus else CORPORA
    if runs is not None:
        with progress_bar("evaluate") as progress:
            written = table.collect(runs, results / "table1", texts, weights=results / "weights", progress=progress)
        click.echo(f"{len(written)} entries and weights written to {results}", err=True)
    found = table.table1(results / "table1", texts)
    print_table(found, form)


@paper.command()
@click.option("--corpus", type=click.Choice(["warpeace", "linux"]), help="Only this text.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results/paper"), show_default=True, help="Where results are kept."
)
@click.option("--runs", type=click.Path(path_type=Path), help="A sweep's folder: evaluate its finished n-NNs first.")
@click.option("--count", is_flag=True, help="Count the n-grams of the texts first, which takes seconds.")
@table_options
def table2(corpus: str | None, results: Path, runs: Path | None, count: bool, form: str | None) -> None:
    """Table 2: test cross-entropy in nats of n-grams and n-NNs, which see the last n symbols.

    Each entry is one JSON file. An n-gram reads the test part as one text, as for the paper; apart_nats is what it gets when it
    begins each segment anew, as the networks do.

    \b
    Example:
      rnnscope paper table2 --count --corpus warpeace
      rnnscope sweep recipes/table2.toml --workers 2
      rnnscope paper table2 --runs sweeps/table2
    """
    from rnnscope.paper import table2 as table
    from rnnscope.paper.entries import CORPORA

    texts, written = (corpus,) if corpus else CORPORA, []
    if count:
        written += table.count(results / "table2", texts)
    if runs is not None:
        with progress_bar("evaluate") as progress:
            written += table.collect(runs, results / "table2", texts, weights=results / "weights", progress=progress)
    if count or runs is not None:
        click.echo(f"{len(written)} entries and weights written to {results}", err=True)
    print_table(table.table2(results / "table2", texts), form)


_FIGURES = {
    "figure1": "The map and the tree of models: how often networks and n-grams hold the same symbol for likeliest.",
    "figure2": "Text coloured by the cells that can be read, and by one that can't.",
    "figure3": "How often gates are shut or open, and how long units keep what they hold.",
    "figure4": "Which errors the network and n-grams share, and which symbols each knows better.",
    "figure5": "How likely the closing brace is by how long it has been open, and what a shorter context costs.",
    "figure6": "What kind each error is (the paper's section 7); 'errors' is another name for it.",
    "resting": "How far back predictions and a unit look, and what that unit's state is made of.",
}


_TAKES = {"resting": "some five minutes", "all": "minutes, five of them for 'resting'"}
"""On one core, for each text."""


def _figure(name: str, sentence: str, figures: tuple[str, ...]) -> None:
    """Add a command that makes some of the figures."""

    @paper.command(name, short_help=sentence)
    @click.option("--corpus", type=click.Choice(["warpeace", "linux"]), help="Only this text.")
    @click.option(
        "--results", type=click.Path(path_type=Path), default=Path("results/paper"), show_default=True,
        help="Where networks and results are kept.",
    )  # fmt: skip
    def command(corpus: str | None, results: Path) -> None:
        from rnnscope.paper.entries import CORPORA
        from rnnscope.paper.figures import make

        for text in (corpus,) if corpus else CORPORA:
            if name in _TAKES:
                click.echo(f"{name}, {text}: takes {_TAKES[name]}", err=True)
            with progress_bar(f"{name}, {text}") as progress:
                written = make(results, text, figures, progress=progress)
            for path in written:
                click.echo(path)

    command.help = f"""{sentence}

    Tables are written as CSV, pictures as SVG, to folders in results/paper. Takes {_TAKES.get(name, "seconds to minutes")} on
    one core for each text.

    \b
    Example:
      rnnscope paper {name} --corpus warpeace
    """


for _name, _sentence in _FIGURES.items():
    _figure(_name, _sentence, (_name,))
_figure("errors", "The same as 'figure6', by its other name: what kind each error is. Written as figure6.", ("figure6",))
_figure("all", "All of the figures but dynamics, which trains a network.", tuple(_FIGURES))


@paper.command(short_help="How near a 3-layer LSTM comes to n-NNs and n-grams while it is trained.")
@click.option("--corpus", type=click.Choice(["warpeace", "linux"]), help="Only this text.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results/paper"), show_default=True,
    help="Where n-NNs and results are kept.",
)  # fmt: skip
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs/dynamics"), show_default=True, help="Where networks are trained."
)
@click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="The paper's figure shows three.")
def dynamics(corpus: str | None, results: Path, runs: Path, epochs: int) -> None:
    """Figure 5, its second half: symmetric KL divergence and difference of loss to n-NNs and n-grams over the first epochs; and
    when units appear.

    Trains a 3-layer LSTM of size 256 by the paper's protocol first, two minutes on one core for three epochs of War and Peace;
    what was trained before is taken. The n-NNs are those in results/paper/weights, such as warpeace-n-NN-3.

    \b
    Example:
      rnnscope paper dynamics --corpus warpeace
    """
    from rnnscope.paper import dynamics as half
    from rnnscope.paper.entries import CORPORA

    for text in (corpus,) if corpus else CORPORA:
        with progress_bar(f"train, {text}") as progress:
            run = half.trained(text, runs, epochs, progress)
        with progress_bar(f"dynamics, {text}") as progress:
            written = half.make(run, results, text, progress)
        for path in written:
            click.echo(path)
