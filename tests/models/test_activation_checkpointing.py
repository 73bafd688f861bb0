import pytest
import torch
from basicsr.archs.edsr_arch import EDSR
from basicsr.archs.rcan_arch import RCAN
from basicsr.models import build_model
from torch import nn

from pkdn_basicsr.archs.baselines.ctcnet_arch import CTCNet
from pkdn_basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher
from pkdn_basicsr.models.activation_checkpointing import recompute_blocks

SMALL = {'num_feat': 4, 'num_enc_blocks': (2, 1), 'num_neck_blocks': 1, 'num_dec_blocks': (1, 2)}


class Saved:
    """Counts the values which autograd keeps for the backward pass while it is entered; of shared memory once."""

    def __init__(self, net):
        self.weights = {parameter.data_ptr() for parameter in net.parameters()}
        self.kept = {}
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def _pack(self, tensor):
        if tensor.data_ptr() not in self.weights:
            self.kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    @property
    def bytes(self):
        return sum(self.kept.values())


def run(net, *inputs):
    """Return output, gradients and how much was kept."""
    saved = Saved(net)
    with saved.hooks:
        output = net(*inputs)
    output.square().mean().backward()
    return output.detach(), {name: parameter.grad for name, parameter in net.named_parameters()}, saved.bytes


@pytest.mark.parametrize(('make', 'inputs'), [
    (lambda: PKDNStudent(**SMALL), [torch.rand(2, 3, 2, 2)]),
    (lambda: PKDNTeacher(**SMALL), [torch.rand(2, 3, 2, 2), torch.rand(2, 19, 16, 16)]),
    (lambda: RCAN(3, 3, num_feat=4, num_group=2, num_block=6, squeeze_factor=2, upscale=2), [torch.rand(2, 3, 8, 8)]),
    (lambda: EDSR(3, 3, num_feat=4, num_block=16, upscale=2), [torch.rand(2, 3, 4, 4)]),
])
def test_the_gradient_is_the_same_and_less_is_kept(make, inputs):
    torch.manual_seed(0)
    plain, sparing = make(), make()
    sparing.load_state_dict(plain.state_dict())
    recompute_blocks(sparing)
    output, gradients, kept = run(plain, *inputs)
    found_output, found_gradients, found_kept = run(sparing, *inputs)
    torch.testing.assert_close(found_output, output, rtol=0, atol=0)
    torch.testing.assert_close(found_gradients, gradients, rtol=0, atol=0)
    assert found_kept < 0.7 * kept
    assert sparing.state_dict().keys() == plain.state_dict().keys()


def test_a_dropout_inside_draws_the_same_twice():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.Dropout()), nn.Sequential(nn.Linear(8, 8)))
    x = torch.rand(4, 8)
    torch.manual_seed(1)
    expected = run(net, x)[1]
    expected = {name: gradient.clone() for name, gradient in expected.items()}
    net.zero_grad()
    recompute_blocks(net)
    torch.manual_seed(1)
    torch.testing.assert_close(run(net, x)[1], expected, rtol=0, atol=0)


def test_blocks_are_the_outer_ones():
    net = RCAN(3, 3, num_feat=4, num_group=2, num_block=2, squeeze_factor=2, upscale=8)
    recompute_blocks(net)
    changed = {name for name, module in net.named_modules() if 'forward' in vars(module)}
    assert {name for name in changed if name.startswith('body')} == {'body.0', 'body.1'}


@pytest.mark.parametrize(('net', 'words'), [
    (lambda: CTCNet(num_feat=4), ['train.activation_checkpointing', 'CTCNet', 'BatchNorm']),
    (lambda: nn.Conv2d(3, 3, 3), ['train.activation_checkpointing', 'Conv2d', 'no blocks']),
])
def test_networks_that_it_would_change_are_refused(net, words, usage_error):
    with usage_error(*words):
        recompute_blocks(net())


@pytest.mark.parametrize('model_type', ['FaceSRModel', 'DistillationModel'])
def test_a_run_with_it_is_the_same_run(distillation_options, batch, train, model_type):
    def weights(**train_options):
        torch.manual_seed(0)
        model = build_model({**distillation_options, 'model_type': model_type,
                             'train': {**distillation_options['train'], **train_options}})
        train(model, batch, [1, 2, 3])
        assert any('forward' in vars(module) for module in model.get_bare_model(model.net_g).modules()) \
            == bool(train_options)
        return model.get_bare_model(model.net_g).state_dict()

    torch.testing.assert_close(weights(activation_checkpointing=True), weights(), rtol=0, atol=0)
