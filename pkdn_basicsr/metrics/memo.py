"""Work that several metrics and methods ask for on the same picture, done once."""

import functools
import hashlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np

Result = TypeVar('Result')


class _Key:
    """A picture that equals every other one of the same bytes, shape and type."""

    def __init__(self, picture: np.ndarray) -> None:
        digest = hashlib.blake2b(np.ascontiguousarray(picture)).digest()
        self.identity = (digest, picture.shape, picture.dtype.str)
        self.picture: np.ndarray | None = picture

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


def remember_pictures(maxsize: int) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorate `f(picture, *hashable_args)` so that it remembers its last `maxsize` results by the picture's contents.

    The pictures themselves are not kept. Results are handed out again as they are: return what nobody can change, such
    as a tuple or a read-only array. Errors are not remembered. `cache_info` and `cache_clear` are those of
    `functools.lru_cache`.

    Args:
        maxsize: Number of results; the one not asked for the longest is forgotten first.
    """
    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.lru_cache(maxsize)
        def remembered(key: _Key, *args) -> Result:
            return function(key.picture, *args)

        @functools.wraps(function)
        def wrapper(picture: np.ndarray, *args) -> Result:
            key = _Key(picture)
            try:
                return remembered(key, *args)
            finally:
                key.picture = None  # the cache keeps the key

        wrapper.cache_info, wrapper.cache_clear = remembered.cache_info, remembered.cache_clear
        return wrapper
    return decorate
