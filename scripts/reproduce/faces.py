"""The training faces: those of CelebAMask-HQ and more, without anybody of the test and validation sets."""

from pathlib import Path

from pkdn_basicsr.errors import UsageError

MAPPED = Path('datasets/celebamask_hq_1000')
EXTRA = Path('datasets/celeba_hq_extra_1400')
TEST = Path('datasets/celeba_test_dic_1000')
OFFICIALS = Path('datasets/us_officials_512')
_TEST_PEOPLE = 'same_identity_as_celeba_dic_or_fsrnet_test.txt'
_NOT_OF_EXTRA = (_TEST_PEOPLE, 'same_identity_as_celebamask_hq_1000.txt', 'same_image_as_celebamask_hq_1000.tsv')
_COMPARED = (MAPPED / 'images', MAPPED / 'parsing', MAPPED / 'split_val.txt', TEST / 'HR', TEST / 'LR',
             OFFICIALS / 'images')
_TRAINED = (MAPPED / 'split_train.txt', MAPPED / _TEST_PEOPLE, EXTRA / 'images',
            *(EXTRA / listed for listed in _NOT_OF_EXTRA))


def check_there(for_training: bool) -> None:
    """Look for what is compared on, and for what is trained with.

    Raises:
        UsageError: A folder or list is not there; the message names all of them.
    """
    expected = _COMPARED + _TRAINED if for_training else _COMPARED
    if missing := [str(path) for path in expected if not path.exists()]:
        raise UsageError(f'there is no {", ".join(missing)}; scripts/README.md tells what is expected there (a link '
                         'will do)')


def join_training_faces(extra_maps: Path, dst: Path) -> int:
    """Put links to all training faces and maps into one folder, and their names into `split_train.txt` beside it.

    Left out are the people of the test set, extra faces that are in CelebAMask-HQ's thousand too, and extra faces of
    people of that thousand, some of whom are validation faces.

    Args:
        extra_maps: Folder of the maps that the parser made of the extra faces.
        dst: Folder to make, with `images` and `parsing`; links that are there stay.

    Returns:
        The number of faces.
    """
    mapped = _names(MAPPED / 'split_train.txt') - _names(MAPPED / _TEST_PEOPLE)
    extra = {path.name for path in (EXTRA / 'images').iterdir()}
    for listed in _NOT_OF_EXTRA:
        extra -= _names(EXTRA / listed)
    for names, images, maps in ((mapped, MAPPED / 'images', MAPPED / 'parsing'),
                                (extra, EXTRA / 'images', extra_maps)):
        for name in sorted(names):
            _link(images / name, dst / 'images' / name)
            _link(maps / Path(name).with_suffix('.png'), dst / 'parsing' / Path(name).with_suffix('.png'))
    names = sorted(mapped | extra)
    (dst.parent / 'split_train.txt').write_text(''.join(f'{name}\n' for name in names))
    return len(names)


def _names(listed: Path) -> set[str]:
    return {line.split()[0] for line in listed.read_text().splitlines()}


def _link(source: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(source.resolve(strict=True))
