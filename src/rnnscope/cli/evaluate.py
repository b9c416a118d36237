"""`rnnscope evaluate`."""

from dataclasses import asdict
from pathlib import Path

import click

from rnnscope.cli.show import print_table, progress_bar, table_options
from rnnscope.cli.texts import reading_options, text_for


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("text", required=False)
@reading_options
@table_options
def evaluate(run: Path, text: str | None, split: str | None, most: int | None, unknown: str, form: str | None) -> None:
    """How well a network predicts a text: nats and bits per symbol.

    Without TEXT it reads the test part of the text that it was trained on. Each segment is read from a zero state. The
    deviation, in nats, is the mean's over 100 bootstrap samples of the symbols.

    \b
    Example:
      rnnscope evaluate runs/book --split test
    """
    import pandas as pd

    from rnnscope.models.evaluation import evaluate as run_evaluation
    from rnnscope.models.threads import computing
    from rnnscope.training import Run

    opened = Run.open(run)
    corpus = text_for(opened, text, split, most, unknown)
    with progress_bar("evaluate") as progress, computing():
        found = run_evaluation(opened.model(), corpus, progress=progress)
    print_table(pd.DataFrame([asdict(found)]), form, digits=4)
