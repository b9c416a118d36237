"""`rnnscope corpora`, `rnnscope hypotheses` and `rnnscope doctor`: what there is."""

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


@click.command()
@table_options
def doctor(form: str | None) -> None:
    """What this installation computes with, and why.

    \b
    Example:
      rnnscope doctor
    """
    import os
    import platform
    from importlib.metadata import version

    import pandas as pd

    from rnnscope import __version__
    from rnnscope.models.fused import has_bfloat16
    from rnnscope.native import histograms, recurrent
    from rnnscope.training.processes import chosen_device, device_name

    device = chosen_device("auto")
    scores = "compiled loops" if histograms.compiled else "numpy, slower: nothing was compiled when rnnscope was installed"
    found = {
        "rnnscope": __version__,
        "python": f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "torch": version("torch"),
        "device": device_name(device),
        "networks": recurrent.about() if device.type == "cpu" else "torch, on the GPU",
        "precision": f"{'bfloat16' if has_bfloat16(device) else 'float32'} to train in by default; float32 to record in",
        "scores": scores,
        "texts": os.environ.get("RNNSCOPE_DATA", "RNNSCOPE_DATA isn't set: the user's cache, then downloads"),
    }
    print_table(pd.DataFrame({"part": found.keys(), "found": found.values()}), form)
