from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.metrics.identity import check_identity
from pkdn_basicsr.report.check import sample
from pkdn_basicsr.report.check.sample import Identity, Rules, look_at, rules_of
from pkdn_basicsr.report.check.set_files import FaceFiles, SetFiles
from pkdn_basicsr.report.check.source import Source

NAMES = Identity('embedder', 'detector', 'arcface')


@pytest.fixture
def face(tmp_path):
    """A face of 48x40 pixels and its files."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((48, 40))
    parsing = np.zeros((40, 48), np.uint8)
    parsing[10, 30], parsing[10, 10], parsing[0, :5] = 4, 5, 255
    files = {'gt': picture, 'lq': downsample(picture, 8), 'parsing': Image.fromarray(parsing)}
    for kind, image in files.items():
        image.save(tmp_path / f'{kind}.png')
    return FaceFiles('face', *(str(tmp_path / f'{kind}.png') for kind in files))


def rules(face, **changes):
    sources = {f'dataroot_{kind}': Source('', kind, 'disk') for kind in ('gt', 'lq', 'parsing')}
    return Rules(**{'dataset': 'val', 'scale': 8, 'gt_size': None, 'crop': None, 'scheme': 'celebamask_hq',
                    'sources': sources, **changes})


def test_facts_of_a_good_face(face):
    facts = look_at(rules(face), face)
    assert facts.findings == []
    assert facts.sizes == {'image': (48, 40), 'low resolution': (6, 5), 'map': (48, 40)}
    assert {index: int(facts.class_pixels[index]) for index in np.flatnonzero(facts.class_pixels)} == {
        0: 48 * 40 - 7, 4: 1, 5: 1, 255: 5}
    assert facts.sides == {'eyes': False}
    assert facts.low_resolution is True
    assert facts.embedding is None


def test_the_low_resolution_belongs_to_what_the_data_set_makes_of_the_image(face):
    square = Image.open(face.gt).crop((4, 0, 44, 40)).resize((32, 32), Image.Resampling.BICUBIC)
    downsample(square, 8).save(face.lq)
    facts = look_at(rules(face, gt_size=32), face)
    assert facts.low_resolution is True
    assert facts.findings == []


@pytest.mark.parametrize(('changes', 'kind', 'words'), [
    ({'scale': 16}, 'wrong_size', '48x40, not multiples of scale 16'),
    ({'scale': 4}, 'wrong_size', 'low resolution of 6x5, expected 12x10'),
    ({'gt_size': 32, 'crop': 41}, 'too_small', '41'),
    ({'gt_size': 64}, 'enlarged', '48x40, gt_size 64')])
def test_sizes_that_do_not_fit(face, changes, kind, words):
    finding = look_at(rules(face, **changes), face).findings[0]
    assert (finding.kind, finding.dataset, finding.name) == (kind, 'val', 'face')
    assert words in finding.detail


def test_a_broken_file_does_not_keep_the_others_from_being_looked_at(face):
    open(face.gt, 'w').close()
    facts = look_at(rules(face), face)
    assert [(finding.kind, finding.file) for finding in facts.findings] == [('bad_image', face.gt)]
    assert not facts.findings[0].detail.startswith(face.gt)
    assert set(facts.sizes) == {'low resolution', 'map'}
    assert facts.class_pixels.sum() == 48 * 40


@pytest.mark.parametrize(('phase', 'more', 'crop'), [
    ('train', {'crop_range': [30, 40]}, 30), ('train', {'val_crop': 20}, None), ('val', {'val_crop': 20}, 20),
    ('val', {'crop_range': [30, 40]}, None)])
def test_the_crop_that_counts_is_that_of_the_phase(phase, more, crop):
    files = SetFiles(f'{phase}_1', {'phase': phase, 'scale': 8, 'gt_size': 16, **more}, {}, ())
    assert (rules_of(files).crop, rules_of(files).dataset, rules_of(files).gt_size) == (crop, f'{phase}_1', 16)


def test_a_person_is_embedded_by_the_landmarks_found_in_bgr(face, monkeypatch):
    seen = []
    monkeypatch.setattr(sample, 'truth_face', lambda picture, detector: SimpleNamespace(landmarks=(picture, detector)))
    monkeypatch.setattr(sample, 'identity_embedding', lambda *arguments: seen.append(arguments) or np.array([.6, .8]))
    facts = look_at(rules(face, identity=NAMES), face)
    assert facts.embedding.dtype == np.float16
    assert facts.embedding == pytest.approx([.6, .8], abs=1e-3)
    picture, landmarks, *names = seen[0]
    assert np.array_equal(picture[..., ::-1], np.asarray(Image.open(face.gt)))
    assert landmarks[1] == 'detector'
    assert names == ['embedder', 'arcface']


def test_a_picture_without_face_is_a_finding(face, monkeypatch):
    monkeypatch.setattr(sample, 'truth_face', lambda picture, detector: None)
    facts = look_at(rules(face, identity=NAMES), face)
    assert [finding.kind for finding in facts.findings] == ['no_face']
    assert facts.embedding is None


def test_a_real_person_is_known_in_another_photograph(shared_data, shared_weights):
    identity = Identity(str(shared_weights / 'mobilefacenet_arcface.onnx'),
                        str(shared_weights / 'yunet_n_640_640.onnx'), 'imagenet')
    check_identity(*identity)
    paths = [shared_data / 'celebamask_hq_1000' / 'images' / '11e6f4702cc74065a5a785b81f65ab8f.jpg',
             shared_data / 'celeba_test_dic_1000' / 'HR' / '202560.png',
             shared_data / 'celeba_test_dic_1000' / 'HR' / '201418.png']
    faces = [FaceFiles(path.stem, str(path), None, None) for path in paths]
    one, same, other = (look_at(rules(face, identity=identity), face).embedding.astype(float) for face in faces)
    assert one @ same > .7
    assert one @ other < .3
