import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.evaluate import evaluate

PSNR = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}}


def test_values_are_those_of_a_plain_loop(face_folder, faces, methods):
    evaluation = evaluate(methods, faces, PSNR)
    assert evaluation.images == [str(face_folder / 'images' / f'{name}.png') for name in 'abc']
    for index, name in enumerate('abc'):
        truth = np.asarray(Image.open(face_folder / 'images' / f'{name}.png'), dtype=np.float64)
        white = 255. * np.asarray(Image.open(face_folder / 'parsing' / f'{name}.png'))[..., None]
        for method, result in (('dark', 0.), ('grey', 128.), ('teacher', white)):
            error = ((truth - result)**2).mean()
            assert evaluation.values[method]['psnr'][index] == pytest.approx(10 * np.log10(255**2 / error))


def test_no_face_is_an_error(faces, methods):
    from torch.utils.data import Subset
    with pytest.raises(UsageError, match='empty'):
        evaluate(methods, Subset(faces, []), PSNR)
