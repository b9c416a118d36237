"""What can stop a training from outside, said in one line that names what is kept."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rnnscope.exceptions import TrainingError
from rnnscope.training.run import Run


def kept(run: Run) -> str:
    """Where a stopped training can go on from."""
    if run.checkpoint.exists():
        return f"the last good checkpoint is {run.checkpoint}"
    return "nothing was kept yet"


@contextmanager
def explained(run: Run) -> Iterator[None]:
    """Turns a full disk, a folder that can't be written to and a lack of memory into a `TrainingError`."""
    try:
        yield
    except OSError as error:
        place = error.filename or run.path
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise TrainingError(f"no space is left for {place}; {kept(run)}; free some space, then go on with --resume") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise TrainingError(
                f"{place} can't be written ({error.strerror}); {kept(run)}; make it writable, then go on with --resume"
            ) from error
        raise TrainingError(f"{place}: {error.strerror or error}; {kept(run)}; then go on with --resume") from error
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not short:
            raise
        raise TrainingError(
            f"the memory of this machine doesn't suffice; {kept(run)}; free some, or train with fewer units or a smaller batch"
        ) from error
