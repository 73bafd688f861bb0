"""Whether a parsing map calls the subject's left what is the subject's right."""

import numpy as np

from pkdn_basicsr.data.parsing_labels import ParsingScheme

_PAIRS = {'eyes': ('l_eye', 'r_eye'), 'brows': ('l_brow', 'r_brow')}
# The ears are no sign: in a face turned aside, often only one is seen, or hair and ear rings move their middle.


def sides(parsing: np.ndarray, scheme: ParsingScheme) -> dict[str, bool]:
    """Tell for each pair of parts whether its sides are swapped.

    The subject's left is on the image's right, so the mean x of the left part must be the larger one.

    Args:
        parsing: uint8 (H, W), class indices of `scheme`.
        scheme: A scheme with eyes and brows, as all have.

    Returns:
        `eyes`, `brows` -> whether swapped; pairs of which a part is not in the map are left out.
    """
    found = {}
    for pair, names in _PAIRS.items():
        left, right = (np.nonzero(parsing == scheme.index(name))[1] for name in names)
        if left.size and right.size:
            found[pair] = bool(left.mean() < right.mean())
    return found
