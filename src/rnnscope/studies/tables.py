"""Tables on disk: Parquet, with where they come from in the file's metadata."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rnnscope import __version__
from rnnscope.exceptions import FormatError
from rnnscope.files import replacing

_KEY = b"rnnscope"


def write_table(path: Path, table: pd.DataFrame, about: dict[str, Any]) -> None:
    data = table.copy()
    data.attrs = {}
    arrow = pa.Table.from_pandas(data, preserve_index=False)
    provenance = json.dumps({"version": __version__, **about}).encode()
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), _KEY: provenance})
    with replacing(path) as new:
        pq.write_table(arrow, new)


def read_table(path: Path) -> pd.DataFrame:
    """The table; `attrs` holds what was written about it. Raises `FormatError` for a missing or damaged file."""
    try:
        arrow = pq.read_table(path)
        about = json.loads((arrow.schema.metadata or {})[_KEY])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise FormatError(f"{path} is missing or damaged ({error}); expected a table of a study; run the study again") from error
    table: pd.DataFrame = arrow.to_pandas()
    table.attrs = about
    return table
