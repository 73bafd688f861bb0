import numpy as np
import pytest
import torch
from torch.nn import functional as F

import pkdn_basicsr  # noqa: F401  (makes `import basicsr` work)
from pkdn_basicsr.archs.baselines.sfmnet_arch import SFMNet, _CrossAttention, _FrequencyUnit, _Fusion, _SpatialUnit
from pkdn_basicsr.losses.spectrum_loss import amplitude_l1, phase_l1
from pkdn_basicsr.report.complexity import count_macs, count_parameters

TINY = {'num_feat': 4, 'num_heads': 2}
PART_COUNTS = {'spatial_resample': 0, 'spatial_units': 2 * 184_322,
               'frequency_resample': 0, 'frequency_units': 2 * 156_032, 'fusions': 2 * 239_624}


@pytest.fixture(scope='module')
def full_net():
    return SFMNet()


def tiny_net(**change):
    torch.manual_seed(0)
    return SFMNet(**TINY | change)


def test_registered():
    from basicsr.utils.registry import ARCH_REGISTRY

    assert ARCH_REGISTRY.get('SFMNet') is SFMNet


def test_parameter_count(full_net):
    assert count_parameters(full_net) == 8_545_942


@pytest.mark.parametrize(('part', 'resample'), [('encoder', [53_248] * 3), ('decoder', [0, 16_641, 16_641, 16_641])])
def test_part_counts(full_net, part, resample):
    stages = getattr(full_net, part)
    counts = [{name: count_parameters(child) for name, child in stage.named_children()} for stage in stages]
    assert counts == [PART_COUNTS | {'spatial_resample': n, 'frequency_resample': n} for n in resample]
    assert [count_parameters(end) for end in (*full_net.heads, *full_net.tails)] == [1_729] * 4


def test_macs(full_net):
    # stated for convolutions: the attention's matrix products, most of which stand for a 1x1 convolution, are counted
    # too; the Fourier transforms are not
    macs = count_macs(full_net)
    assert macs.total == pytest.approx(30.6e9, rel=0.005)
    assert {'aten::fft_rfft2', 'aten::fft_irfft2'} <= set(macs.skipped)


def test_units_work_at_the_published_sizes():
    net = tiny_net()
    sizes = {_SpatialUnit: [], _FrequencyUnit: []}
    for module in net.modules():
        if type(module) in sizes:
            module.register_forward_hook(lambda module, _, output: sizes[type(module)].append(output.shape[-1]))
    with torch.no_grad():
        net(torch.rand(1, 3, 16, 16))
    expected = [side for side in (64, 32, 16, 16, 32, 64, 128) for _ in range(2)]
    assert sizes == {_SpatialUnit: expected, _FrequencyUnit: expected}


@pytest.mark.parametrize(('scale', 'size'), [(8, (1, 1)), (8, (3, 5)), (4, (2, 6)), (16, (1, 2)), (2, (4, 8))])
def test_outputs(scale, size):
    net, lq = tiny_net(scale=scale), torch.rand(2, 3, *size)
    with torch.no_grad():
        outputs = net.forward_outputs(lq)
        assert torch.equal(net(lq), outputs['sr'])
    assert list(outputs) == ['sr', 'frequency']
    for image in outputs.values():
        assert image.shape == (2, 3, scale * size[0], scale * size[1])
        assert image.is_contiguous()


def test_both_branches_add_to_the_enlarged_face():
    net, lq = tiny_net(), torch.rand(1, 3, 2, 3)
    for tail in net.tails:
        torch.nn.init.zeros_(tail[0].weight)
    with torch.no_grad():
        for image in net.forward_outputs(lq).values():
            assert torch.equal(image, net.upsample(lq).contiguous())


def test_train_and_eval_agree():
    net, lq = tiny_net(), torch.rand(1, 3, 2, 2)
    with torch.no_grad():
        assert torch.equal(net.train()(lq), net.eval()(lq))


def published_loss(outputs, gt):
    frequency = outputs['frequency']
    spectrum = amplitude_l1(frequency, gt) + phase_l1(frequency, gt)
    return F.l1_loss(outputs['sr'], gt) + F.l1_loss(frequency, gt) + 0.01 * spectrum


def test_published_training_reaches_every_parameter():
    net = tiny_net()
    published_loss(net.forward_outputs(torch.rand(2, 3, 3, 4)), torch.rand(2, 3, 24, 32)).backward()
    grads = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None or grad.abs().sum() == 0] == []
    assert all(torch.isfinite(grad).all() for grad in grads.values())


def test_loss_on_the_frequency_image_trains_the_frequency_branch_only():
    net = tiny_net()
    net.forward_outputs(torch.rand(1, 3, 2, 2))['frequency'].sum().backward()
    reached = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert reached == {name for name, _ in net.named_parameters() if 'frequency_' in name or 's.1.' in name[:8]}


@pytest.mark.parametrize('value', [0.0, 1.0])
def test_flat_faces_have_finite_gradients(value):
    net = tiny_net()
    outputs = net.forward_outputs(torch.full((1, 3, 2, 2), value))
    published_loss(outputs, torch.full((1, 3, 16, 16), value)).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


def test_images_of_a_batch_do_not_see_each_other():
    # by the gradient: values differ by a little between batch sizes, where a phase happens to lie on its cut
    net, lq = tiny_net(), torch.rand(3, 3, 2, 3, requires_grad=True)
    for image in net.forward_outputs(lq).values():
        (grad,) = torch.autograd.grad(image[1].sum(), lq, retain_graph=True)
        assert grad[1].abs().sum() > 0
        assert grad[[0, 2]].abs().sum() == 0


# The blocks once more, from their state dicts.

def conv(state, name, x):
    weight = state[f'{name}.weight']
    return F.conv2d(x, weight, state.get(f'{name}.bias'), padding=weight.shape[-1] // 2)


def numbers(block):
    """The block's state with every bias and factor moved away from its start, in float64 against rounding."""
    block.double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block.state_dict()


def channels_last(*shape):
    return torch.randn(shape, dtype=torch.float64).contiguous(memory_format=torch.channels_last)


def test_spatial_unit_by_hand():
    torch.manual_seed(0)
    unit, x = _SpatialUnit(3), channels_last(2, 3, 5, 6)
    state = numbers(unit)
    y = x
    for block in ('body.0', 'body.1'):
        y = (y + conv(state, f'{block}.conv2', conv(state, f'{block}.conv1', y).clamp(min=0))).clamp(min=0)
    y = conv(state, 'body.2', y)
    y = torch.where(y > 0, y, y * state['body.3.weight'])
    torch.testing.assert_close(unit(x.clone()), y + state['shortcut'] * x)


@pytest.mark.parametrize('size', [(5, 7), (7, 5), (9, 9), (4, 6), (6, 5)])
def test_frequency_unit_by_hand(size):
    torch.manual_seed(0)
    unit, x = _FrequencyUnit(3), channels_last(2, 3, *size)
    state = numbers(unit)
    # The filters are left out where a side is even: the phase of a real frequency is pi or -pi by a rounding error.
    filters = size[0] % 2 and size[1] % 2
    if not filters:
        for name in ('amplitude.conv2', 'phase.conv2'):
            state[f'{name}.weight'].zero_()
            state[f'{name}.bias'].zero_()
    spectrum = np.fft.rfft2(conv(state, 'enter', x).numpy())
    parts = {}
    for name, part in (('amplitude', np.abs(spectrum)), ('phase', np.angle(spectrum))):
        part = torch.from_numpy(part)
        y = conv(state, f'{name}.conv1', part)
        parts[name] = (part + conv(state, f'{name}.conv2', torch.where(y > 0, y, 0.1 * y))).numpy()
    image = np.fft.irfft2(parts['amplitude'] * np.exp(1j * parts['phase']), s=size)
    image = torch.from_numpy(np.abs(image))
    left = torch.einsum('oc,bchw->bohw', state['leave.weight'], image) + state['leave.bias'][:, None, None]
    torch.testing.assert_close(unit(x.clone()), x + left)


def attention_by_hand(state, num_heads, x, other):
    num_feat = x.shape[1]

    def project(name, x):
        x = F.conv2d(x, state[f'{name}.0.weight'])
        return F.conv2d(x, state[f'{name}.1.weight'], padding=1, groups=x.shape[1])

    query, (key, value) = project('query', x), project('key_value', other).chunk(2, 1)
    attended = torch.empty_like(x)
    step = num_feat // num_heads
    for image in range(x.shape[0]):
        for head in range(num_heads):
            span = slice(head * step, (head + 1) * step)
            q, k = (F.normalize(y[image, span].flatten(1), dim=1) for y in (query, key))
            weights = torch.softmax(q @ k.T * state['temperature'][head], dim=1)
            attended[image, span] = (weights @ value[image, span].flatten(1)).unflatten(1, x.shape[2:])
    return x + F.conv2d(attended, state['output.weight'][:, :, None, None])


@pytest.mark.parametrize('num_heads', [1, 2, 6])
def test_attention_by_hand(num_heads):
    torch.manual_seed(0)
    attention = _CrossAttention(6, num_heads)
    state = numbers(attention)
    x, other = channels_last(2, 6, 4, 5), channels_last(2, 6, 4, 5)
    torch.testing.assert_close(attention(x, other), attention_by_hand(state, num_heads, x, other))


def test_channels_last_all_the_way():
    net, orders = tiny_net(), {}
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d) and '.amplitude.' not in name and '.phase.' not in name:
            module.register_forward_hook(lambda _, inputs, output, name=name: orders.update({name: output.stride(1)}))
    with torch.no_grad():
        net(torch.rand(1, 3, 2, 3))  # one image: only its batch stride can go wrong
    assert {name: order for name, order in orders.items() if order != 1} == {}


def test_fusion_by_hand():
    torch.manual_seed(0)
    fusion = _Fusion(4, num_heads=2)
    state = numbers(fusion)
    spatial, frequency = channels_last(1, 4, 4, 5), channels_last(1, 4, 4, 5)
    got = fusion(spatial, frequency)
    attention = {name.removeprefix('attention.'): value for name, value in state.items()}
    spatial, frequency = conv(state, 'spatial', spatial), conv(state, 'frequency', frequency)
    frequency = attention_by_hand(attention, 2, frequency, spatial)
    spatial = attention_by_hand(attention, 2, spatial, frequency)
    gates = torch.sigmoid(conv(state, 'gates.1', conv(state, 'gates.0', torch.cat([frequency, spatial], 1))))
    torch.testing.assert_close(got, gates[:, :4] * frequency + gates[:, 4:] * spatial)


def test_down_is_pixel_unshuffle_and_1x1_convolution():
    torch.manual_seed(0)
    net = tiny_net()
    for down in (net.encoder[1].spatial_resample, net.encoder[1].frequency_resample):
        x = torch.randn(1, 4, 6, 8)
        unshuffled = F.pixel_unshuffle(F.conv2d(x, down[0].weight, padding=1), 2)
        torch.testing.assert_close(down(x), F.conv2d(unshuffled, down[1].weight.reshape(4, 16, 1, 1)))


def test_network_by_hand():
    """The U of both branches, written out position by position."""
    net, lq = tiny_net().double(), torch.rand(1, 3, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        outputs = net.forward_outputs(lq)
        x = net.upsample(lq)
        s = [net.heads[0](x)]  # unit outputs before fusion, head first: every second one is a skip
        f = [net.heads[1](x)]
        fused = s[0]
        for position in range(14):
            stage, second = [*net.encoder, *net.decoder][position // 2], position % 2
            s_in, f_in = fused, f[-1]
            if not second:
                s_in, f_in = stage.spatial_resample(s_in), stage.frequency_resample(f_in)
            s.append(stage.spatial_units[second](s_in))
            f.append(stage.frequency_units[second](f_in))
            skip = {7: 6, 9: 4, 11: 2, 13: 0}.get(position)  # neck + down3, up1 + down2, up2 + down1, up3 + head
            if skip is not None:
                s[-1], f[-1] = s[-1] + s[skip], f[-1] + f[skip]
            fused = stage.fusions[second](s[-1], f[-1])
        torch.testing.assert_close(outputs['sr'], x + net.tails[0](fused))
        torch.testing.assert_close(outputs['frequency'], x + net.tails[1](f[-1]))


def test_spectrum_stays_in_float32_under_autocast():
    net, seen = tiny_net(), {}
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: output.dtype}))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = net.forward_outputs(torch.rand(1, 3, 2, 3))
    published_loss(outputs, torch.rand(1, 3, 16, 24)).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())
    spectra = {name for name in seen if '.amplitude.' in name or '.phase.' in name}
    assert len(spectra) == 14 * 4
    for name, dtype in seen.items():
        assert dtype == (torch.float32 if name in spectra else torch.bfloat16), name


def test_channel_weights_do_not_overflow_in_half_precision():
    attention = _CrossAttention(4, num_heads=2)
    query, key = (1000 * torch.randn(1, 64, 4, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    with torch.autocast('cpu', dtype=torch.float16):
        weights = attention._channel_weights(query.half(), key.half())
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, attention._channel_weights(query, key), atol=1e-3, rtol=0)


def test_runs_on_the_meta_device():
    with torch.device('meta'):
        assert SFMNet(**TINY)(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize('change', [{}, {'scale': 4}, {'num_feat': 8}, {'num_heads': 4}])
def test_round_trip(change, tmp_path):
    saved = tiny_net(**change)
    torch.save(saved.state_dict(), tmp_path / 'net.pth')
    loaded = SFMNet(**TINY | change)
    loaded.load_state_dict(torch.load(tmp_path / 'net.pth', weights_only=True), strict=True)
    lq = torch.rand(1, 3, 2, 2)
    with torch.no_grad():
        sr = saved(lq)
        assert torch.equal(loaded(lq), sr)
    assert sr.shape[-1] == 2 * change.get('scale', 8)


def test_every_argument_matters():
    net = SFMNet(num_feat=6, num_heads=3)
    assert {head[0].out_channels for head in net.heads} == {6}
    assert net.encoder[0].fusions[0].attention.temperature.shape == (3, 1, 1)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r'num_heads to divide num_feat\. Got 8 and 12\.'):
        SFMNet(num_feat=12)


@pytest.mark.parametrize(('scale', 'size', 'works'), [(4, (3, 4), '2, 4, 6'), (2, (4, 6), '4, 8, 12')])
def test_wrong_size(scale, size, works):
    with pytest.raises(ValueError, match=rf'SFMNet needs .*multiples of 8 .*: {works}'):
        tiny_net(scale=scale)(torch.rand(1, 3, *size))
