"""Square crops of larger faces, as boxes (left, upper, right, lower) in pixels."""

import numpy as np

Box = tuple[int, int, int, int]


def centre_square(width: int, height: int, side: int | None = None) -> Box:
    """Return the centred square of `side` pixels, or the largest one; an odd rest goes to the right and below.

    Raises:
        ValueError: `side` is larger than the picture.

    Example:
        >>> centre_square(178, 218)
        (0, 20, 178, 198)
    """
    side = min(width, height) if side is None else side
    if side > min(width, height):
        raise ValueError(f'a square of {side} pixels does not fit into {width}x{height}')
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def random_square(width: int, height: int, side_range: tuple[int, int], rng: np.random.Generator) -> Box:
    """Draw a square whose side is uniform in `side_range` (both ends included) and whose place is uniform.

    A picture smaller than the range is the range's limit.

    Raises:
        ValueError: The picture is smaller than the smallest side.
    """
    smallest, largest = side_range
    if smallest > min(width, height):
        raise ValueError(f'a square of {smallest} pixels does not fit into {width}x{height}')
    side = int(rng.integers(smallest, min(largest, width, height), endpoint=True))
    left = int(rng.integers(0, width - side, endpoint=True))
    upper = int(rng.integers(0, height - side, endpoint=True))
    return left, upper, left + side, upper + side
