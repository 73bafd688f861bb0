import numpy as np
import pytest
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils.registry import METRIC_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.data.parsing_labels import get_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.metrics import parsing_agreement
from pkdn_basicsr.metrics.parsing_agreement import calculate_parsing_miou


class BrightestChannel(torch.nn.Module):
    """A parser that sees red as class 0 (background), green as 1 (skin) and blue as 2 (l_brow)."""

    num_classes = 11

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        return F.pad(images, (0, 0, 0, 0, 0, self.num_classes - 3), value=-1)


@pytest.fixture
def parser(monkeypatch):
    net = BrightestChannel()
    monkeypatch.setattr(parsing_agreement, '_parser', lambda *_: (net, get_scheme('helen')))
    monkeypatch.setattr(parsing_agreement, '_device', lambda: 'cpu')
    parsing_agreement._labels.cache_clear()
    yield net
    parsing_agreement._labels.cache_clear()


def painted(labels):
    """The BGR picture in which `BrightestChannel` sees `labels`."""
    rgb = np.eye(3, dtype=np.uint8)[labels] * 200 + 20
    return rgb[..., ::-1]


def pictures(seed=0, shape=(8, 8)):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=shape)  # no pixel of class 2, which only the result has
    return rng.integers(3, size=shape), truth


def loop_miou(result, truth):
    ious = []
    for k in set(truth.flat):
        shared = sum(r == t == k for r, t in zip(result.flat, truth.flat, strict=True))
        either = sum(k in pair for pair in zip(result.flat, truth.flat, strict=True))
        ious.append(shared / either)
    return sum(ious) / len(ious)


@pytest.mark.parametrize('seed', range(3))
def test_it_is_the_mean_over_the_classes_of_the_truth(parser, seed):
    result, truth = pictures(seed)
    found = calculate_parsing_miou(painted(result), painted(truth), size=8)
    assert found == pytest.approx(loop_miou(result, truth))
    assert 0 < found < 1


def test_result_and_truth_have_different_parts_to_play(parser):
    result, truth = pictures()
    one, other = painted(result), painted(truth)
    assert calculate_parsing_miou(one, other, size=8) != calculate_parsing_miou(other, one, size=8)


def test_equal_pictures_agree_perfectly(parser):
    result, _ = pictures()
    assert calculate_parsing_miou(painted(result), painted(result), size=8) == 1


def test_the_parser_sees_rgb_of_its_own_size(parser):
    labels = np.repeat(np.repeat(pictures()[1], 4, axis=0), 4, axis=1)
    calculate_parsing_miou(painted(labels), painted(labels), size=16)
    assert parser.seen[0].shape == (1, 3, 16, 16)
    red = painted(np.zeros((16, 16), int))
    calculate_parsing_miou(red, red, size=16)
    torch.testing.assert_close(parser.seen[-1][0, :, 0, 0], torch.tensor([220, 20, 20]) / 255)


def test_every_picture_is_parsed_once(parser):
    result, truth = (painted(labels) for labels in pictures())
    for _ in range(2):
        calculate_parsing_miou(result, truth, size=8)
        calculate_parsing_miou(truth, truth.copy(), size=8)
    assert len(parser.seen) == 2


def test_option_files_call_it_by_name(parser):
    result, truth = (painted(labels) for labels in pictures())
    opt = {'type': 'calculate_parsing_miou', 'size': 8, 'better': 'higher', 'on_missing': 'skip'}
    assert METRIC_REGISTRY.get('calculate_parsing_miou') is calculate_parsing_miou
    assert calculate_metric({'img': result, 'img2': truth}, opt) == calculate_parsing_miou(result, truth, size=8)
    assert calculate_parsing_miou.better == 'higher'


def test_a_missing_parser_is_named_before_a_run(tmp_path):
    with pytest.raises(UsageError, match=f'no such file: {tmp_path}/parser.pth'):
        calculate_parsing_miou.check(parser=str(tmp_path / 'parser.pth'), size=128, better='higher')


def test_the_shipped_parser_is_ready():
    assert calculate_parsing_miou.check(on_missing='skip') is None
    _, truth = (painted(labels) for labels in pictures(shape=(64, 64)))
    assert calculate_parsing_miou(truth, truth) == 1


@pytest.mark.parametrize('change', [lambda picture: picture[:-1], lambda picture: picture[..., 0]])
def test_wrong_pictures_are_named(parser, change):
    truth = painted(pictures()[1])
    with pytest.raises(UsageError, match=r'two colour pictures of one size; found shapes .*\(8, 8, 3\)'):
        calculate_parsing_miou(change(truth), truth)
    with pytest.raises(UsageError, match='two colour pictures of one size'):
        calculate_parsing_miou(truth[..., 0], truth[..., 0])
