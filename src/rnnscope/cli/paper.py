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

    With --runs, finished runs become results: one JSON file for each entry of the table, and the best LSTM for each text
    in half precision.

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
            written = table.collect(runs, results / "table1", texts, progress=progress)
        table.keep_best(runs, results / "weights", texts)
        click.echo(f"{len(written)} results written to {results / 'table1'}", err=True)
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
            written += table.collect(runs, results / "table2", texts, progress=progress)
    if count or runs is not None:
        click.echo(f"{len(written)} results written to {results / 'table2'}", err=True)
    print_table(table.table2(results / "table2", texts), form)


_FIGURES = {
    "figure1": "The map and the tree of models: how often networks and n-grams hold the same symbol for likeliest.",
    "figure2": "Text coloured by the cells that can be read, and by one that can't.",
    "figure3": "How often gates are shut or open, and how long units keep what they hold.",
    "figure4": "Which errors the network and n-grams share, and which symbols each knows better.",
    "figure5": "How likely the closing brace is by how long it has been open, and what a shorter context costs.",
    "figure6": "What kind each error is (the paper's section 7).",
}


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
            with progress_bar(f"{name}, {text}") as progress:
                written = make(results, text, figures, progress=progress)
            for path in written:
                click.echo(path)

    command.help = f"""{sentence}

    Tables are written as CSV, pictures as SVG, to folders in results/paper.

    \b
    Example:
      rnnscope paper {name} --corpus warpeace
    """


for _name, _sentence in _FIGURES.items():
    _figure(_name, _sentence, (_name,))
_figure("errors", _FIGURES["figure6"], ("figure6",))
_figure("all", "All of the figures.", tuple(_FIGURES))
