"""How this process keeps memory between tensors."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc, malloc.h


def keep_large_blocks() -> bool:
    """Let glibc keep large blocks that a tensor has given back for the next one.

    By default it returns them to the system, and gets them again as pages which the system has to clear: a training
    step of PKDN's student on CPU clears a gigabyte so. The process keeps its peak of memory instead; a block that the
    peak does not need any more is returned when 2 GiB of them lie at the end.

    Returns:
        Whether it is glibc, and took it.
    """
    try:
        libc = ctypes.CDLL(None)
        return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
    except (OSError, TypeError, AttributeError):  # Windows has no such handle, other C libraries no such function
        return False
