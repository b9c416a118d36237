"""Memory that is kept between updates.

Training asks for the same tens of megabytes again and again. glibc gives blocks of that size back to the system as
soon as they are freed, and the system hands them out page by page, zeroed, at the next request: that took about half
of the time of a small network's update. Here freed memory stays with the process while we compute.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's malloc.h, and its defaults.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_DEFAULTS = {_M_MMAP_MAX: 65_536, _M_MMAP_THRESHOLD: 128 * 1024, _M_TRIM_THRESHOLD: 128 * 1024}
_KEEPING = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside, freed memory is kept for the next request; at the end it goes back to the system.

    Does nothing where the C library is not glibc; its allocator may do the same of itself.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    for option, value in _KEEPING.items():
        library.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _DEFAULTS.items():
            library.mallopt(option, value)
        library.malloc_trim(0)
