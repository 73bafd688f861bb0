import numpy as np
from PIL import Image

from pkdn_basicsr.report.evaluate import evaluate
from pkdn_basicsr.report.figures import pick_faces, save_face_grid


def test_faces_are_picked_by_rule():
    assert pick_faces(np.array([3., 0., 5., 1., 2.])) == [0, 1, 4, 2]  # the first, lowest, median, highest gain


def test_no_face_is_picked_twice():
    assert pick_faces(np.array([0., 1., 2.])) == [0, 1, 2]
    assert pick_faces(np.array([7.])) == [0]


def test_grid_shows_the_results(tmp_path, faces, methods):
    evaluation = evaluate(methods, faces, {'psnr': {'type': 'calculate_psnr', 'crop_border': 0}})
    save_face_grid(tmp_path / 'faces.png', methods, faces, evaluation, 'psnr')
    picture = np.asarray(Image.open(tmp_path / 'faces.png').convert('RGB'))
    grey = (picture == 128).all(2).mean()  # one of five columns is the 'grey' method's
    assert .1 < grey < .2
