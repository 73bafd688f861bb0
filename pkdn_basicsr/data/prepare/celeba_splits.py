"""Which pictures of CelebA are for training, for validation and for the test."""

from collections.abc import Collection
from pathlib import Path

from pkdn_basicsr.data.prepare.celeba_lists import read_table
from pkdn_basicsr.data.prepare.name_lists import check_there
from pkdn_basicsr.data.prepare.recipe import SPLITS
from pkdn_basicsr.errors import UsageError

_FIRST_18000 = {'train': range(1, 18001), 'test': range(18001, 19001), 'val': range(19001, 19101)}


def official_partition(path: Path, keys: Collection[str]) -> dict[str, str]:
    """Return the parts of `list_eval_partition.txt`: 162,770 pictures for training, 19,867 and 19,962.

    Args:
        path: The list: 0 for training, 1 for validation, 2 for the test.
        keys: Names of the pictures that are there, without suffix.

    Returns:
        Key -> split.

    Raises:
        UsageError: The list is damaged, or is not of these pictures.
    """
    splits = {}
    table = read_table(path, 1)
    for key in table:
        row = table[key]
        if not 0 <= row.values[0] < len(SPLITS):
            raise UsageError(f'{path}: line {row.line}: expected 0 (train), 1 (val) or 2 (test), found '
                             f'{row.values[0]}; mend the line')
        splits[key] = SPLITS[row.values[0]]
    check_there(splits, keys, str(path))
    unlisted = [key for key in keys if key not in splits]
    if unlisted:
        raise UsageError(f'{path}: {len(unlisted)} pictures are on no line, the first is {unlisted[0]}; download the '
                         'list again, or move away what is not of CelebA')
    return splits


def first_18000(keys: Collection[str]) -> dict[str, str]:
    """Return the parts of the FSRNet and CTCNet line, by the numbers that the pictures have as names.

    1 to 18,000 are for training. FSRNet tests on the next 100, papers of the CTCNet line on 1,000; that these are
    18,001 to 19,000, and 19,001 to 19,100 are for validation, is our choice.

    Arguments, result and errors are those of `official_partition`.
    """
    splits = {f'{number:06d}': split for split, numbers in _FIRST_18000.items() for number in numbers}
    check_there(splits, keys, 'the first 19,100 pictures')
    return splits
