import pytest
import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch.nn import functional as F

from pkdn_basicsr.archs.face_parser_arch import FaceParser, predict_parsing
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_classes': 5, 'num_feat': (4, 6), 'num_blocks': (1, 2)}


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return FaceParser(**TINY).eval()


def test_registered():
    assert ARCH_REGISTRY.get('FaceParser') is FaceParser


def test_parameters_and_macs():
    parser = FaceParser()
    assert count_parameters(parser) == 1_292_716
    assert count_macs(parser, (128, 128)).total == pytest.approx(0.68e9, rel=0.01)


def test_parameters_of_the_parts():
    parser = FaceParser(num_classes=3, num_feat=(4, 6), num_blocks=(1, 2))

    def block(width):
        return 2 * (9 * width * width + 2 * width)

    assert count_parameters(parser.encoder[0]) == 9 * 12 * 4 + 2 * 4 + block(4)
    assert count_parameters(parser.encoder[1]) == 9 * 4 * 6 + 2 * 6 + 2 * block(6)
    assert count_parameters(parser.narrow) == 6 * 4 + 4
    assert count_parameters(parser.decoder) == block(4)
    assert count_parameters(parser.tail) == 9 * 4 * 12 + 12


@pytest.mark.parametrize(('height', 'width'), [(16, 16), (20, 12), (4, 8)])
def test_scores_of_every_class_for_every_pixel(tiny, height, width):
    logits = tiny(torch.rand(2, 3, height, width))
    assert logits.shape == (2, 5, height, width)
    assert logits.is_contiguous()


@pytest.mark.parametrize('size', [(6, 8), (8, 6), (9, 8)])
def test_other_sizes_are_refused(tiny, size):
    with pytest.raises(ValueError, match=rf'multiples of 4\. Got {size[0]}x{size[1]}'):
        tiny(torch.rand(1, 3, *size))


def test_levels_must_agree():
    with pytest.raises(ValueError, match='same levels'):
        FaceParser(num_feat=(4, 6), num_blocks=(1,))


def test_it_can_tell_neighbouring_pixels_apart():
    """Folding and unfolding of pixels must fit: noise, labelled by brightness, has no larger structure to lean on."""
    torch.manual_seed(0)
    parser = FaceParser(num_classes=2, num_feat=(16, 16), num_blocks=(1, 1))
    optimizer = torch.optim.Adam(parser.parameters(), 0.01)
    for _ in range(100):
        noise = torch.rand(4, 1, 16, 16).expand(-1, 3, -1, -1)
        loss = F.cross_entropy(parser(noise), (noise[:, 0] > 0.5).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    noise = torch.rand(4, 1, 16, 16).expand(-1, 3, -1, -1)
    right = predict_parsing(parser.eval(), noise, size=16) == (noise[:, 0] > 0.5)
    assert right.float().mean() > 0.9


def test_training_reaches_every_parameter(tiny):
    torch.nn.init.ones_(tiny.attention.bottleneck[0].bias)  # a bottleneck of one channel may be dead by chance
    F.cross_entropy(tiny.train()(torch.rand(2, 3, 16, 16)), torch.randint(5, (2, 16, 16))).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in tiny.parameters())


def test_coarse_levels_reach_far():
    torch.manual_seed(0)
    parser = FaceParser().eval()
    image = torch.rand(1, 3, 64, 64).requires_grad_()
    parser(image)[0, :, 0, 0].sum().backward()
    assert image.grad[0, :, -8:, -8:].abs().sum() > 0


@pytest.mark.parametrize('change', [{}, {'num_classes': 3}, {'num_feat': (8, 6)}, {'num_blocks': (3, 0)},
                                    {'num_feat': (4, 6, 8), 'num_blocks': (1, 0, 2)}])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_rebuilt_from_weights_alone(change, dtype):
    torch.manual_seed(0)
    saved = FaceParser(**TINY | change)
    saved(torch.rand(2, 3, 16, 16))  # moves the statistics of the norms
    state = {key: value.to(dtype) for key, value in saved.state_dict().items()}
    loaded = FaceParser.from_state_dict(state)
    assert loaded.num_classes == saved.num_classes
    image = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(loaded.eval()(image), saved.eval()(image), atol=1e-2 if dtype == torch.float16 else 0,
                               rtol=0)


def test_other_weights_are_refused():
    with pytest.raises(KeyError):
        FaceParser.from_state_dict({'body.weight': torch.zeros(3)})


class BrightestChannel(torch.nn.Module):
    """A parser whose scores are the colours themselves, at a factor of the input's resolution."""

    def __init__(self, factor=1):
        super().__init__()
        self.factor = factor
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        return F.avg_pool2d(images, self.factor)


def halves(height, width):
    """Left half red (0), right half blue (2)."""
    image = torch.zeros(1, 3, height, width)
    image[:, 0, :, :width // 2] = image[:, 2, :, width // 2:] = 1
    labels = torch.zeros(1, height, width, dtype=torch.uint8)
    labels[:, :, width // 2:] = 2
    return image, labels


@pytest.mark.parametrize(('shape', 'size', 'factor'), [((32, 32), 32, 1), ((64, 64), 32, 1), ((16, 16), 32, 1),
                                                       ((40, 24), 32, 1), ((32, 32), 32, 4)])
def test_labels_have_the_size_of_the_picture_and_the_parser_sees_its_own(shape, size, factor):
    image, expected = halves(*shape)
    parser = BrightestChannel(factor)
    labels = predict_parsing(parser, image.requires_grad_(), size)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, expected)
    assert parser.seen[0].shape == (1, 3, size, size)
    assert 0 <= parser.seen[0].min() <= parser.seen[0].max() <= 1
