"""Files that are never half there: written beside their place, flushed, then moved into it."""

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rnnscope.exceptions import FormatError, OccupiedError

if TYPE_CHECKING:
    import pandas as pd

_PARTIAL = ".rnnscope-partial-"
_UNFINISHED = ".rnnscope-unfinished-"
_LOCK = ".rnnscope-lock"
_MANY = 64
"""Files that take longer to flush one by one than all that the machine has to write."""
_placed: dict[Path, None] = {}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what the body writes there takes the place of `path` at the end.

    Works for a file and for a folder. If anything fails, `path` is as it was and nothing is left behind; what killed
    processes left there is cleared away first.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_partial(path.parent)
    room = _room(path)
    try:
        yield room / "new"
        _move(room / "new", path, room)
    except OSError as error:
        error.filename = str(path)  # what the user knows, not the temporary name
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)


def unfinished(path: Path) -> Path:
    """A folder beside `path` for what takes long to make, which stays there if the work is stopped."""
    room = _unfinished(path)
    room.mkdir(parents=True, exist_ok=True)
    return room


def is_unfinished(path: Path) -> bool:
    """Whether work on `path` was stopped, or goes on in another process."""
    return _unfinished(path).exists()


def _unfinished(path: Path) -> Path:
    path = path.absolute()
    return path.with_name(f"{_UNFINISHED}{path.name}")


def finish(made: Path, path: Path) -> None:
    """Move what was made in `unfinished(path)` into its place, and clear up after it."""
    path = path.absolute()
    clear_partial(path.parent)
    room = _room(path)
    try:
        _move(made, path, room)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    shutil.rmtree(unfinished(path))


def _room(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{os.getpid()}-", dir=path.parent))


def _move(new: Path, path: Path, room: Path) -> None:
    _flush(new)
    old = room / "old"
    if path.is_dir():  # a folder can't be renamed over a full one: move the old one aside first
        path.rename(old)
    try:
        new.replace(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    _flush_folder(path.parent)
    _placed[path] = None


def placed() -> list[Path]:
    """The files and folders that this process has put into their places so far, as far as they are still there."""
    return [path for path in _placed if path.exists()]


def clear_partial(folder: Path, *, below: bool = False) -> None:
    """Remove what killed processes left unfinished in `folder`, or also `below` it; what a living one is writing stays."""
    found = folder.rglob(_PARTIAL + "*") if below else folder.glob(_PARTIAL + "*")
    for left in list(found) if folder.is_dir() else []:
        owner = left.name.removeprefix(_PARTIAL).partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as new:
        new.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Parse a JSON file of ours. Raises `FormatError` naming the file and `what` was expected in it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(f"{path} is missing; expected {what}") from None
    except ValueError as error:
        raise FormatError(f"{path} is damaged ({error}); expected {what}; restore it or make it anew") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path} is damaged (it holds no JSON object); expected {what}; restore it or make it anew")
    return data


def claim(folder: Path, marker: str, what: str, *, make: bool = True) -> None:
    """Make `folder` ours (`make` it if it isn't there), or raise `OccupiedError` if it holds something else.

    A folder is free when it doesn't exist or is empty, and ours when it holds the file or folder `marker`.
    """
    if folder.is_dir():
        held = sorted(p.name for p in folder.iterdir() if not p.name.startswith((_PARTIAL, _UNFINISHED, _LOCK)))
        if held and marker not in held:
            raise OccupiedError(
                f"{folder} holds something else ({', '.join(held[:3])}{' …' if len(held) > 3 else ''}); "
                f"expected an empty folder or {what}; choose another one"
            )
    elif folder.exists():
        raise OccupiedError(f"{folder} is a file; expected a folder for {what}; choose another name")
    elif make:
        folder.mkdir(parents=True)


@contextmanager
def locked(folder: Path, what: str, *, wanted: bool = True) -> Iterator[None]:
    """Keep other processes that ask for the same from working in `folder`, which exists; with `wanted` off, do nothing.

    The lock goes with the process, however that ends. Raises `OccupiedError` where another process has it.
    """
    if not wanted:
        yield
        return
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OccupiedError(
            f"{what} goes on in {folder} already, in another process; wait for it, or choose another folder"
        ) from None
    try:
        yield
    finally:
        (folder / _LOCK).unlink(missing_ok=True)
        lock.release()


def fingerprint(*parts: Any) -> str:
    """A short name for a value: the first 16 hexadecimal digits of a SHA-256 over its parts.

    Bytes count as they are; everything else as canonical JSON.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes | memoryview) else json.dumps(part, sort_keys=True).encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:16]


def _flush(path: Path) -> None:
    paths = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    if len(paths) > _MANY and hasattr(os, "sync"):
        os.sync()
        return
    for file in paths:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def csv_of(table: "pd.DataFrame", *, digits: int | None = None) -> str:
    """A table as CSV, numbers with so many significant digits.

    All strings are quoted where one holds a carriage return: Python's writer leaves it bare, and readers take it for a line's end.
    """
    bare = any(isinstance(value, str) and "\r" in value for name in table for value in table[name])
    form = None if digits is None else f"%.{digits}g"
    text: str = table.to_csv(index=False, float_format=form, quoting=csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL)
    return text
