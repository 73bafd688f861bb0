from pathlib import Path

import numpy as np
import tiny
from PIL import Image
from students import ARGUMENTS, make_student, save_student

from pkdn_basicsr.export.export import export
from pkdn_basicsr.infer.upscaler import FaceUpscaler
from pkdn_basicsr.weights.card import Card

EXAMPLE = Path(__file__).resolve().parents[2] / 'scripts' / 'onnx_example.py'
SMALL = {'num_enc_blocks': [0], 'num_dec_blocks': [0], 'num_neck_blocks': 0}
RUN = """
import runpy, sys
sys.argv = ['onnx_example.py', 'student.onnx', 'face.png', 'large.png']
runpy.run_path(%r, run_name='__main__')
assert not {'torch', 'basicsr', 'pkdn_basicsr'} & sys.modules.keys()
"""


def test_the_example_needs_no_torch_and_makes_the_same_picture(tmp_path):
    export(make_student(**SMALL), Card({'type': 'PKDNStudent', **ARGUMENTS, **SMALL}, 8, 16, licence='free'), 'onnx',
           tmp_path / 'student.onnx')
    face = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8))
    face.save(tmp_path / 'face.png')
    done = tiny.run_python('-c', RUN % str(EXAMPLE), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'x8, licence: free' in done.stdout
    expected = np.array(FaceUpscaler(save_student(tmp_path / 'a.pth', **SMALL)).upscale(face)).astype(int)
    assert np.abs(np.array(Image.open(tmp_path / 'large.png')) - expected).max() <= 1
    assert len(EXAMPLE.read_text().splitlines()) <= 32
