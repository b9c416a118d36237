"""A Dask cluster whose workers see the same folders as we do."""

from typing import Any

from rnnscope.exceptions import RnnscopeError, UsageError

_PATIENCE = "30s"


def connect(address: str) -> Any:
    """A client of the cluster. Raises `UsageError` where Dask is not installed, `RnnscopeError` where nothing answers."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("a Dask cluster needs Dask here too; install it: pip install 'rnnscope[dask]'") from error
    try:
        return Client(address, timeout=_PATIENCE)  # type: ignore[no-untyped-call]  # Dask has no types
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise RnnscopeError(f"no Dask scheduler answers at {address} ({type(error).__name__}); expected tcp://host:port") from error
