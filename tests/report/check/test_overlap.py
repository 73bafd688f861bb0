import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.report.check.overlap import find_overlap
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.similar import fingerprint
from pkdn_basicsr.report.check.summary import SetSummary


def summary(phase, seeds, persons=None):
    """A set of pictures, one a seed; `persons` are angles, None where no face was found."""
    found = SetSummary(SetFiles(phase, {'phase': phase.split('_')[0], 'name': phase}, {}, ()))
    for index, seed in enumerate(seeds):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        found.faces.append(FaceFiles(f'{index}', f'{phase}/{index}.png', None, None))
        found.fingerprints.append(fingerprint(Image.fromarray(noise).resize((64, 64))))
    for index, angle in enumerate(persons or ()):
        if angle is not None:
            found.persons.append(index)
            found.embeddings.append(np.array([np.cos(angle), np.sin(angle)], np.float16))
    return found


def kinds(findings):
    return [(found.kind, found.dataset, found.file) for found in findings]


def test_shared_pictures_are_findings_about_the_training_file():
    found = find_overlap([summary('train', [0, 1, 2, 3]), summary('val', [9, 2]), summary('test_1', [2, 0, 8])], .5)
    assert kinds(found) == [('same_picture', 'train', 'train/2.png'), ('same_picture', 'train', 'train/0.png'),
                            ('same_picture', 'train', 'train/2.png')]
    assert [finding.detail for finding in found] == [
        'same pixels as val/1.png of val', 'same pixels as test_1/1.png of test_1',
        'same pixels as test_1/0.png of test_1']
    assert [finding.name for finding in found] == ['2', '0', '2']


def test_validation_sets_may_share_pictures_with_each_other():
    assert find_overlap([summary('val', [0, 1]), summary('val_1', [1, 2]), summary('test', [1])], .5) == []


def test_every_further_copy_inside_a_set_is_a_duplicate_of_the_first():
    found = find_overlap([summary('val', [5, 6, 5, 5])], .5)
    assert kinds(found) == [('duplicate', 'val', 'val/2.png'), ('duplicate', 'val', 'val/3.png')]
    assert {finding.detail for finding in found} == {'same pixels as val/0.png'}


def test_near_duplicates_are_told_within_a_set_and_between_training_and_the_others():
    train, val = summary('train', [0, 1, 2]), summary('val', [3, 4])
    for found, seed in ((train, 1), (val, 2)):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        larger = Image.fromarray(noise).resize((90, 90))
        found.faces.append(FaceFiles('copy', f'{found.phase}/copy.png', None, None))
        found.fingerprints.append(fingerprint(larger))
    found = find_overlap([train, val], .5)
    assert kinds(found) == [('near_twin', 'train', 'train/copy.png'), ('near_duplicate', 'train', 'train/2.png')]
    assert found[0].detail.startswith('nearly train/1.png, correlation ')
    assert found[1].detail.startswith('nearly val/copy.png of val, correlation ')


@pytest.mark.parametrize(('threshold', 'expected'), [(.5, ['train/2.png']), (.1, ['train/0.png', 'train/2.png']),
                                                     (.995, [])])
def test_persons_are_compared_by_cosine_faces_without_embedding_left_out(threshold, expected):
    train = summary('train', [0, 1, 2, 3], [1.4, None, .2, 2.5])
    val = summary('val', [4, 5, 6], [None, 0, -2])
    found = find_overlap([train, val], threshold)
    assert kinds(found) == [('same_person', 'train', file) for file in expected]
    if threshold == .5:
        assert found[0].detail == 'likely as val/1.png of val, cosine 0.98'


def test_the_nearest_person_is_named():
    found = find_overlap([summary('train', [0], [0]), summary('val', [1, 2, 3], [.5, -.2, .4])], .5)
    assert [finding.detail for finding in found] == ['likely as val/1.png of val, cosine 0.98']
