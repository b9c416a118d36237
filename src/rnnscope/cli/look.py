"""`rnnscope corpora` and `rnnscope hypotheses`: what there is."""

import click

from rnnscope.cli.claims import own_hypotheses, own_options
from rnnscope.cli.show import print_table, table_options
from rnnscope.exceptions import CorpusError


@click.command()
@table_options
def corpora(form: str | None) -> None:
    """The texts that are known by name, and where each is found.

    They are looked for in $RNNSCOPE_DATA, then in the user's cache, then downloaded when they are needed.

    \b
    Example:
      rnnscope corpora
    """
    import pandas as pd

    from rnnscope.corpora import named_corpora

    rows = []
    for corpus in named_corpora().values():
        try:
            place = corpus.find() if corpus.files else None
            found = str(place) if place else "to be downloaded" if corpus.url else "here"
        except CorpusError as error:  # one damaged file is a row, not the end of the table
            found = str(error)
        rows.append({"name": corpus.name, "symbols": corpus.symbols, "found": found, "about": corpus.sentence})
    print_table(pd.DataFrame(rows), form)


@click.command()
@own_options
@table_options
def hypotheses(
    functions: tuple[str, ...], patterns: tuple[str, ...], queries: tuple[str, ...], columns: tuple[str, ...], form: str | None
) -> None:
    """The claims that units are scored against, from this package and from others, and your own.

    'binary' labels are yes or no, 'graded' ones numbers whose order counts, 'categorical' ones one of several things.

    \b
    Example:
      rnnscope hypotheses --json
      rnnscope hypotheses --pattern year='\\b1[89]\\d\\d\\b'
    """
    import pandas as pd

    from rnnscope.analysis.hypotheses.catalogue import hypotheses as known

    rows = [
        {"name": h.name, "family": h.family, "kind": h.kind, "languages": ", ".join(h.languages) or "any", "sentence": h.sentence}
        for h in [*known(), *own_hypotheses(functions, patterns, queries, columns)]
    ]
    print_table(pd.DataFrame(rows), form)
