"""Tables and pictures that belong together, and how they become files."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rnnscope.files import csv_of, write_text
from rnnscope.views import canvas


@dataclass
class Drawn:
    """What was found: `tables` and `figures` by name."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)


def _file(name: str, others: Iterable[str]) -> str:
    """A name without blanks, as long as no other one is called so."""
    plain = "-".join(name.split(" "))
    return name if plain in others else plain


def write(drawn: Drawn, into: Path, text: str = "") -> list[Path]:
    """Write tables as CSV and pictures as SVG to a folder, with a text's name before theirs where there is one; the files."""
    before, written = f"{text}-" if text else "", []
    for name, table in drawn.tables.items():
        written.append(into / f"{before}{_file(name, drawn.tables)}.csv")
        write_text(written[-1], csv_of(table, digits=6))
    for name, figure in drawn.figures.items():
        written.append(into / f"{before}{_file(name, drawn.figures)}.svg")
        write_text(written[-1], canvas.to_svg(figure))
    return written
