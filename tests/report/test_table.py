import csv
import io

import numpy as np

from pkdn_basicsr.report.evaluate import Evaluation
from pkdn_basicsr.report.table import comparison_table, markdown_table, per_image_csv

EVALUATION = Evaluation(['a.png', 'b.png'], {
    'bicubic': {'psnr': np.array([20., 22.]), 'ssim': np.array([.5, .7])},
    'teacher': {'psnr': np.array([24., 25.]), 'ssim': np.array([.75, .85])},
})


def test_means_are_over_the_faces():
    assert EVALUATION.means() == {'bicubic': {'psnr': 21., 'ssim': .6}, 'teacher': {'psnr': 24.5, 'ssim': .8}}


def test_every_line_of_a_markdown_table_is_as_wide():
    lines = markdown_table(['method', 'x'], [['a', '1.0'], ['long name', '10.25']]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines == ['| method    |     x |', '|-----------|------:|', '| a         |   1.0 |', '| long name | 10.25 |']


def test_the_method_with_the_true_prior_is_marked_and_explained():
    table = comparison_table(EVALUATION, {'bicubic': 0, 'teacher': 1234}, {'bicubic': False, 'teacher': True},
                             'bicubic')
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines() if line.startswith('|')]
    assert rows[0] == ['method', 'parameters', 'psnr', 'ssim']
    assert rows[2:] == [['bicubic', '0', '21.0000', '0.6000'],
                        ['teacher *', '1,234', '24.5000 (+3.5000 [+3.0000, +4.0000])',
                         '0.8000 (+0.2000 [+0.1500, +0.2500])']]
    assert 'true parsing map' in table


def test_without_priors_there_is_no_note():
    table = comparison_table(EVALUATION, {'bicubic': 0, 'teacher': 1}, {'bicubic': False, 'teacher': False}, 'bicubic')
    assert '*' not in table


def test_intervals_are_against_the_reference():
    table = comparison_table(EVALUATION, {'bicubic': 0, 'teacher': 1}, {'bicubic': False, 'teacher': False}, 'teacher')
    assert '21.0000 (-3.5000 [-4.0000, -3.0000])' in table
    assert '24.5000 (' not in table
    assert 'difference to teacher' in table


def test_a_metric_that_could_not_be_computed_reads_na_with_its_reason():
    table = comparison_table(EVALUATION, {'bicubic': 0, 'teacher': 1}, {'bicubic': False, 'teacher': False},
                             'bicubic', {'lpips': 'no weights'})
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in table.splitlines() if line.startswith('|')]
    assert [row[-1] for row in rows if row[0] in ('method', 'bicubic', 'teacher')] == ['lpips', 'n/a', 'n/a']
    assert 'lpips n/a: no weights' in table


def test_csv_has_one_line_per_face_and_method():
    rows = list(csv.DictReader(io.StringIO(per_image_csv(EVALUATION))))
    assert [(row['image'], row['method'], float(row['psnr'])) for row in rows] == [
        ('a.png', 'bicubic', 20), ('a.png', 'teacher', 24), ('b.png', 'bicubic', 22), ('b.png', 'teacher', 25)]
