"""Labels that stand in a file: one value for each symbol."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Kind
from rnnscope.exceptions import InputError, so_many


@dataclass(frozen=True)
class Column:
    """The values of a column, shape (symbols,), NaN where there are none. `categories` are the strings that numbers stand for."""

    path: Path
    kind: Kind
    values: NDArray[np.float32]
    categories: tuple[str, ...] = ()


def read_column(place: str | Path, kind: Kind | None = None) -> Column:
    """The only column of a file, or the one named in "file:column". `kind` is what is expected; None guesses.

    Raises `InputError` for a file or a column that isn't there or holds something else.
    """
    path, name = Path(place), ""
    if not path.exists() and ":" in str(place):
        before, name = str(place).rsplit(":", 1)
        path = Path(before)
    if path.suffix not in _READERS:
        raise InputError(f"{path} has labels in no form that is known; expected one of {', '.join(_READERS)}")
    try:
        table = _READERS[path.suffix](path)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; expected one with a label for each symbol") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read as {path.suffix}: {error}") from error
    columns = [str(column) for column in table.columns]
    if name not in columns if name else len(columns) != 1:
        said = f"no column {name!r}" if name else so_many(len(columns), "columns")
        raise InputError(f"{path} has {said}; name one of its columns: {path}:{'|'.join(columns) or 'column'}")
    series: Any = table.iloc[:, columns.index(name) if name else 0]
    return _column(path, series, kind)


def _column(path: Path, series: Any, kind: Kind | None) -> Column:
    missing = np.asarray(series.isna(), bool)
    known = series[~missing]
    if pd.api.types.is_numeric_dtype(known) or all(isinstance(value, bool) for value in known):
        values = np.full(len(series), np.nan, np.float32)
        values[~missing] = known.astype(np.float32)
        guess: Kind = "binary" if set(np.unique(values[~missing]).tolist()) <= {0.0, 1.0} else "graded"
        return Column(path, kind or guess, values)
    if kind not in (None, "categorical"):
        raise InputError(f"{path} holds {known.iloc[0]!r}, which is no {kind} label; expected numbers, or the kind categorical")
    codes, categories = pd.factorize(series.astype(object).where(~missing, None).map(str, na_action="ignore"), sort=True)
    return Column(path, "categorical", np.where(missing, np.float32(np.nan), codes.astype(np.float32)), tuple(categories))


def _separated(separator: str) -> Callable[[Path], pd.DataFrame]:
    return lambda path: pd.read_csv(path, sep=separator, skip_blank_lines=False)


def _numpy(path: Path) -> pd.DataFrame:
    values = np.load(path, allow_pickle=False)
    if values.ndim != 1:
        raise ValueError(f"its shape is {values.shape}, expected (symbols,)")
    return pd.DataFrame({"values": values})


def _lines(path: Path) -> pd.DataFrame:
    """One value a line, an empty line where there is none."""
    lines = [line.strip() or None for line in path.read_text(encoding="utf-8").splitlines()]
    values: Any = pd.Series(lines, dtype=object)
    with suppress(ValueError):
        values = pd.to_numeric(values)
    truths = {"True": True, "true": True, "False": False, "false": False}
    if all(line in (None, *truths) for line in lines):
        values = values.map(truths)
    return pd.DataFrame({"values": values})


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": pd.read_parquet,
    ".npy": _numpy,
    ".txt": _lines,
}
