import math

import numpy as np
from PIL import Image
from tqdm import tqdm

from pkdn_basicsr.report.evaluate import evaluate
from pkdn_basicsr.report.face_grid import pick_faces, save_face_grid


def test_faces_are_picked_by_rule():
    assert pick_faces(np.array([3., 0., 5., 1., 2.])) == [0, 1, 4, 2]  # the first, lowest, median, highest gain


def test_no_face_is_picked_twice():
    assert pick_faces(np.array([0., 1., 2.])) == [0, 1, 2]
    assert pick_faces(np.array([7.])) == [0]


def test_a_face_without_a_gain_is_not_picked_for_it():
    assert pick_faces(np.array([1., math.nan, 2., 3.])) == [0, 2, 3]
    assert pick_faces(np.array([math.nan, math.nan])) == [0]


def test_grid_shows_the_results(tmp_path, faces, methods, make_comparison, make_result):
    metrics = {'psnr': {'type': 'calculate_psnr', 'crop_border': 0, 'better': 'higher'}}
    with tqdm(disable=True) as progress:
        results = {method.name: make_result(sees_truth=method.sees_truth, **evaluate(method, faces, metrics, progress))
                   for method in methods}
    comparison = make_comparison(results, metrics=metrics, images=faces.images)
    save_face_grid(tmp_path / 'faces.png', comparison, methods, faces, metrics)
    picture = np.asarray(Image.open(tmp_path / 'faces.png').convert('RGB'))
    grey = (picture == 128).all(2).mean()  # one of six columns (bicubic is added) is the 'grey' method's
    assert .08 < grey < .17
