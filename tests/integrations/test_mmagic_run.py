"""The file for MMagic, run by MMagic itself, which the extra `test` cannot bring: PyPI's does not fit NumPy 2."""

from pathlib import Path

import pytest
import tiny
import torch

from pkdn_basicsr import PKDNStudent

mmagic = pytest.importorskip('mmagic')
CONFIG = Path(__file__).resolve().parents[2] / 'options' / 'mmagic' / 'pkdn_student_x8.py'
# at its import MMagic 1.2.0 reads a name that NumPy 2 has dropped
RUN = """
import runpy, sys
import numpy, pkdn_basicsr
numpy.bool8 = numpy.bool_
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
SMALL = {'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
SHORT = {
    'train_cfg.max_iters': 2, 'train_cfg.val_interval': 2, 'train_dataloader.batch_size': 2,
    **{f'{kind}_dataloader.num_workers': 0 for kind in ('train', 'val', 'test')},
    **{f'{kind}_dataloader.persistent_workers': False for kind in ('train', 'val', 'test')},
    **{f'model.generator.{name}': value for name, value in SMALL.items()},
}


def test_mmagic_trains_and_judges_a_student(tmp_path):
    faces = tiny.make_faces(tmp_path / 'datasets' / 'celebamask_hq', size=128)
    (faces / 'gt').rename(faces / 'images')
    (faces / 'split_train.txt').write_text('0.png\n1.png\n2.png\n')
    (faces / 'split_val.txt').write_text('6.png\n7.png\n')
    done = tiny.run_python('-c', RUN, Path(mmagic.__file__).parent / '.mim' / 'tools' / 'train.py', CONFIG,
                           '--cfg-options', *(f'{key}={value}' for key, value in SHORT.items()), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'PSNR: ' in done.stdout + done.stderr
    saved = torch.load(tmp_path / 'work_dirs' / 'pkdn_student_x8_celebamask_hq' / 'iter_2.pth', weights_only=False)
    weights = {name.removeprefix('generator.'): value for name, value in saved['state_dict'].items()}
    PKDNStudent(scale=8, **SMALL).load_state_dict(weights)
