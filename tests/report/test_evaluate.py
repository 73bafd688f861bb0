import numpy as np
import pytest
from PIL import Image
from tqdm import tqdm

from pkdn_basicsr.report.evaluate import evaluate

PSNR = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}


def test_values_are_those_of_a_plain_loop(face_folder, faces, methods):
    white = {name: 255. * np.asarray(Image.open(face_folder / 'parsing' / f'{name}.png'))[..., None] for name in 'abc'}
    for method, results in zip(methods, ({}, dict.fromkeys('abc', 128.), white), strict=True):
        with tqdm(disable=True) as progress:
            values = evaluate(method, faces, PSNR, progress)
        for value, name in zip(values['psnr'], 'abc', strict=True):
            truth = np.asarray(Image.open(face_folder / 'images' / f'{name}.png'), dtype=np.float64)
            error = ((truth - results.get(name, 0.))**2).mean()
            assert value == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)


def test_a_result_of_another_size_names_method_metric_and_face(faces, methods, usage_error):
    methods[0].net.forward = lambda lq: lq
    with usage_error("method 'dark'", 'psnr', 'a.png'), tqdm(disable=True) as progress:
        evaluate(methods[0], faces, PSNR, progress)
