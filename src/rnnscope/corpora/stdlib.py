"""The corpus that every machine already has: the running interpreter's own standard library.

It needs no download and is full of structure: comments, strings, brackets, indentation. Two builds of one
version give the same text unless a distribution patched the library; a run's fingerprint shows which text it saw.
"""

import hashlib
import sysconfig
from pathlib import Path

from rnnscope.exceptions import CorpusError

SIZE = 2_000_000
LARGEST = 32_768  # bytes of a module; larger ones are left out, so that every part of the corpus holds many
_KEY = b"rnnscope python-stdlib\0"
# Not part of the library proper, not installed everywhere, or tables more than programs.
_LEFT_OUT = {
    "__pycache__", "site-packages", "dist-packages", "lib-dynload", "test", "tests", "idlelib", "turtledemo", "lib2to3",
    "ensurepip", "distutils", "encodings", "pydoc_data", "tkinter",
}  # fmt: skip


def files(root: Path) -> list[Path]:
    """The chosen modules below `root`, in their fixed order: by the SHA-256 of a key and the relative path."""
    chosen = []
    for path in root.rglob("*.py"):
        place = path.relative_to(root)
        if any(part in _LEFT_OUT or part.startswith("config-") for part in place.parts[:-1]):
            continue
        if place.name.startswith("_sysconfigdata") or place.name == "sitecustomize.py":  # differ between machines
            continue
        chosen.append(place)
    return sorted(chosen, key=lambda place: hashlib.sha256(_KEY + place.as_posix().encode()).digest())


def text(root: Path | None = None, size: int = SIZE) -> bytes:
    """Modules in pure ASCII and of at most 32 KiB, in their fixed order, joined with nothing between, cut at `size` bytes."""
    root = root or Path(sysconfig.get_path("stdlib"))
    joined = bytearray()
    for place in files(root):
        data = (root / place).read_bytes()
        if data.isascii() and len(data) <= LARGEST:
            joined += data
        if len(joined) >= size:
            return bytes(joined[:size])
    raise CorpusError(
        f"the standard library at {root} has {len(joined):,} bytes of small modules in plain files; "
        f"expected at least {size:,}; name a text file instead"
    )
