"""Tensors in a file with a checksum: safetensors, which runs no code when it is read."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnnscope.exceptions import FormatError
from rnnscope.files import write_bytes


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # One entry, since the format keeps several in no fixed order and the same tensors should be the same bytes.
    write_bytes(path, save(tensors, {"rnnscope": json.dumps(about | {"sha256": _checksum(tensors)}, sort_keys=True)}))


def read_about(path: Path, what: str) -> dict[str, str]:
    """What was written about the tensors, without reading them. Raises `FormatError` for a file that isn't one."""
    try:
        with safe_open(str(path), framework="np") as file:
            about: dict[str, str] = json.loads((file.metadata() or {})["rnnscope"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise FormatError(f"{path} is damaged ({error}); expected {what}; restore it, or make it anew") from error
    return about


def read_tensors(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and what was written about them. Raises `FormatError` for a file that is missing, truncated or altered."""
    if not path.exists():
        raise FormatError(f"{path} is missing; expected {what}")
    try:
        with safe_open(str(path), framework="pt") as file:
            about: dict[str, str] = json.loads((file.metadata() or {}).get("rnnscope", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise FormatError(f"{path} is damaged ({error}); expected {what}; restore it, or make it anew") from error
    if about.pop("sha256", None) != _checksum(tensors):
        raise FormatError(
            f"{path} was altered: its contents don't match their checksum; expected {what}; restore it, or make it anew"
        )
    return tensors, about


def _checksum(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)};".encode())
        digest.update(value.reshape(-1).numpy().data.cast("B") if value.numel() else b"")
    return digest.hexdigest()
