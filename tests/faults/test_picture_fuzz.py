"""Damaged pictures and maps: every one is refused in one line that names its file, and nothing on disk changes."""

import random
import shutil
from itertools import cycle, islice

import pytest
import tiny
from basicsr.data import build_dataset
from experiment import hashes
from faults import damage, process
from faults.process import assert_refused

from pkdn_basicsr.errors import UsageError


def delete(path):
    path.unlink()


def make_folder(path):
    path.unlink()
    path.mkdir()


def link_to_nothing(path):
    path.unlink()
    path.symlink_to(path.with_name('nothing'))


def link_to_itself(path):
    path.unlink()
    path.symlink_to(path)


NAMES = {'deleted': delete, 'folder': make_folder, 'link to nothing': link_to_nothing, 'link to itself': link_to_itself}
ROOTS = {'gt': damage.FACES, 'lq': damage.FACES, 'parsing': damage.MAPS}
KINDS = [(root, kind) for root, kinds in ROOTS.items() for kind in (*kinds, *NAMES)
         if root != 'gt' or kind not in ('deleted', 'folder')]  # nobody can know that there was one more face


@pytest.fixture
def faces(tmp_path, tiny_faces):
    return shutil.copytree(tiny_faces, tmp_path / 'faces')


def read_all(faces):
    """Build the data set as the host does, and read every sample."""
    opt = {f'dataroot_{root}': str(faces / root) for root in ROOTS}
    dataset = build_dataset({'name': 'damaged', 'type': 'ParsingMapDataset', 'phase': 'val', 'scale': 4, **opt})
    for index in range(len(dataset)):
        dataset[index]


def test_the_faces_are_in_order_before(faces):
    read_all(faces)


def test_damaged_pictures_and_maps(faces, outcomes, all_faults):
    rng = random.Random(0)
    for root, kind in islice(cycle(KINDS), 310 if all_faults else len(KINDS)):
        path = rng.choice(sorted((faces / root).iterdir()))
        content = path.read_bytes()
        if kind in NAMES:
            NAMES[kind](path)
        else:
            path.write_bytes(ROOTS[root][kind](content, rng))
            assert path.read_bytes() != content
        before = hashes(faces)
        with pytest.raises(UsageError) as refusal:
            read_all(faces)
        message = str(refusal.value)
        assert str(path) in message or (kind in NAMES and path.stem in message), (root, kind, message)
        assert '\n' not in message
        assert hashes(faces) == before
        outcomes('picture', f'{root}: {kind}', 'refused, names the file')
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        path.write_bytes(content)
    read_all(faces)


@pytest.mark.parametrize(('root', 'kind', 'workers'), [('gt', 'flipped bit', 0), ('parsing', 'unknown class', 2),
                                                       ('lq', 'empty', 0)])
def test_damaged_files_in_a_run(tmp_path, faces, root, kind, workers):
    """The run stops at the file, in its own process or in that of a loader worker."""
    opt = tiny.train_options(faces)
    opt['datasets']['train'].update({f'dataroot_{name}': str(faces / name) for name in ('lq', 'parsing')},
                                    gt_size=32, num_worker_per_gpu=workers)
    path = faces / root / '3.png'
    path.write_bytes(ROOTS[root][kind](path.read_bytes(), random.Random(0)))
    assert_refused(*process.run(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml')), path)
