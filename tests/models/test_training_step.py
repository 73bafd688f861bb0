from dataclasses import fields

import pytest
import tiny
import torch
from basicsr.archs import build_network
from basicsr.models import build_model
from basicsr.utils.registry import MODEL_REGISTRY

from pkdn_basicsr.host.option_check.keys import check_keys
from pkdn_basicsr.host.option_check.known_keys import MODELS
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.training_step import StepOptions, cut

OTHERS_NETWORK = {'type': 'MSRResNet', 'num_feat': 4, 'num_block': 1, 'upscale': 4}


@pytest.fixture
def wide_teacher(distillation_options, teacher_options, set_teacher):
    """Put a teacher twice as wide as the student into `distillation_options`, so that there are adapters."""
    return set_teacher(distillation_options, {**teacher_options, 'num_feat': 8})


@pytest.fixture
def face_options(options):
    options['model_type'] = 'FaceSRModel'
    return options


def build(opt, **train_options):
    """Build from the same random weights; the host changes the options that it is given."""
    torch.manual_seed(0)
    train_opt = {key: dict(value) if isinstance(value, dict) else value
                 for key, value in {**opt['train'], **train_options}.items()}
    return build_model({**opt, 'train': train_opt})


def weights(model):
    return model.get_bare_model(model.trained_module()).state_dict()


def dtypes_and_formats(net):
    """Return a list that grows by what enters and leaves every convolution."""
    seen = []
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, output: seen.append(
                (output.dtype, inputs[0].is_contiguous(memory_format=torch.channels_last))))
    return seen


def sgd(lr=0.05):
    return {'type': 'SGD', 'lr': lr}


# off by default

def test_without_options_a_step_is_a_plain_one_bit_by_bit(distillation_options, wide_teacher, batch, train):
    distillation_options['train']['ema_decay'] = 0.9
    found, plain = build(distillation_options), build(distillation_options)
    train(found, batch, [1, 2, 3])
    for iteration in (1, 2, 3):
        plain.update_learning_rate(iteration)
        plain.feed_data(batch)
        plain.optimizer_g.zero_grad()
        sum(plain.compute_losses(iteration).values()).backward()
        plain.optimizer_g.step()
        plain.model_ema(decay=0.9)
    for one, other in ((weights(found), weights(plain)),
                       (found.net_g_ema.state_dict(), plain.net_g_ema.state_dict())):
        assert all(torch.equal(one[name], other[name]) for name in other)
    assert 'grad_scaler' not in found.extra_state()


# precision

def test_bf16_learns_as_float32_does(distillation_options, wide_teacher, batch, train, val_loader):
    plain, half = build(distillation_options), build(distillation_options, amp='bf16')
    expected = train(plain, batch, range(1, 21))
    student, teacher = dtypes_and_formats(half.trained), dtypes_and_formats(half.net_t)
    found = train(half, batch, range(1, 21))
    assert {dtype for dtype, _ in student} == {dtype for dtype, _ in teacher} == {torch.bfloat16}
    assert [log['l_pix'] for log in found] == pytest.approx([log['l_pix'] for log in expected], rel=0.03)
    assert [log['l_feat'] for log in found] == pytest.approx([log['l_feat'] for log in expected], rel=0.1)
    assert found[-1]['l_pix'] < 0.95 * found[0]['l_pix']
    assert all(weight.dtype == torch.float32 for weight in weights(half).values() if weight.is_floating_point())

    student.clear()
    half.validation(val_loader, 20, None)
    assert {dtype for dtype, _ in student} == {torch.float32}
    assert half.output.dtype == torch.float32


def test_a_style_loss_is_computed_in_float32(face_options, batch, monkeypatch):
    model = build(face_options, amp='fp16')
    enabled = []

    class _Style:
        style_weight = 1.0

        def __call__(self, output, gt):
            enabled.append((torch.is_autocast_enabled('cpu'), output.dtype))
            return None, (output - gt).square().mean()

    model.cri_perceptual = _Style()
    model.feed_data(batch)
    model.optimize_parameters(1)
    assert enabled == [(False, torch.float32)]


class _Overflow(FaceSRModel):
    """Has a gradient that is too large for the scale in the second iteration."""

    def compute_losses(self, current_iter):
        return {name: loss * (1e37 if current_iter == 2 else 1) for name, loss in super().compute_losses(1).items()}


def test_a_step_of_fp16_that_overflows_is_skipped_and_counted(face_options, batch, train):
    face_options['train'].update(amp='fp16', ema_decay=0.5, grad_clip=1.0)
    model = _Overflow(face_options)
    assert train(model, batch, [1])[0]['skipped_steps'] == 0
    before = [value.clone() for net in (model.net_g, model.net_g_ema) for value in net.parameters()]
    scale = model.extra_state()['grad_scaler']['scale']
    assert train(model, batch, [2])[0]['skipped_steps'] == 1
    after = [value for net in (model.net_g, model.net_g_ema) for value in net.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert model.extra_state()['grad_scaler']['scale'] == scale / 2
    assert {int(state['step']) for state in model.optimizer_g.state.values()} == {1}

    train(model, batch, [3])
    assert {int(state['step']) for state in model.optimizer_g.state.values()} == {2}
    average = next(model.net_g_ema.parameters())
    torch.testing.assert_close(average, (before[len(before) // 2] + next(model.net_g.parameters())) / 2)


def test_a_resumed_run_goes_on_with_the_scale(face_options, batch, train):
    model = build(face_options, amp='fp16')
    model.load_extra_state({'grad_scaler': {**model.extra_state()['grad_scaler'], 'scale': 1024.}})
    train(model, batch, [1, 2])
    extra = model.extra_state()
    resumed = build(face_options, amp='fp16')
    resumed.load_extra_state(extra)
    assert resumed.extra_state() == extra
    assert (extra['grad_scaler']['scale'], extra['grad_scaler']['_growth_tracker']) == (1024., 2)


def test_a_resumed_run_may_change_its_precision(face_options):
    half, single = build(face_options, amp='fp16'), build(face_options)
    single.load_extra_state(half.extra_state())
    half.load_extra_state(single.extra_state())
    assert single.extra_state() == {}
    assert half.extra_state()['grad_scaler']['scale'] == 2**16


# clipping

@pytest.mark.parametrize('amp', [None, 'fp16'])
@pytest.mark.parametrize('norm', [0.01, 1e6])
def test_the_gradient_of_student_and_adapters_together_is_clipped(distillation_options, wide_teacher, batch, train,
                                                                  norm, amp):
    plain = build(distillation_options, optim_g=sgd(), amp=amp)
    clipped = build(distillation_options, optim_g=sgd(), amp=amp, grad_clip=norm)
    before = {name: value.clone() for name, value in plain.trained.named_parameters()}
    train(plain, batch, [1])
    log = train(clipped, batch, [1])[0]
    gradients = {name: value.grad for name, value in plain.trained.named_parameters()}
    assert any(name.startswith('adapters') for name in gradients)
    total = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm().item()
    assert log['grad_norm'] == pytest.approx(total, rel=1e-4)
    for name, now in clipped.trained.named_parameters():
        expected = before[name] - 0.05 * min(1., norm / total) * gradients[name]
        torch.testing.assert_close(now.detach(), expected.detach(), atol=1e-6, rtol=1e-5)


# parts of a batch

@pytest.mark.parametrize('parts', [2, 4])
@pytest.mark.parametrize('model_type', ['FaceSRModel', 'DistillationModel', 'PKDNTeacherModel', 'FaceParserModel'])
def test_a_batch_in_parts_trains_as_the_whole(distillation_options, teacher_options, wide_teacher, batch, train, parts,
                                              model_type):
    opt = {**distillation_options, 'model_type': model_type}
    if model_type == 'PKDNTeacherModel':
        opt['network_g'] = teacher_options
    if model_type == 'FaceParserModel':  # the share of known pixels is that of every face, and the loss a mean
        opt['network_g'] = {'type': 'FaceParser', 'num_classes': 11, 'num_feat': [8, 8], 'num_blocks': [1, 1]}
        opt['train']['pixel_opt'] = {'type': 'ParsingLoss', 'dice_weight': 0.}
    whole, cut_up = build(opt, optim_g=sgd()), build(opt, optim_g=sgd(), accumulate=parts)
    for model in (whole, cut_up):
        model.trained_module().eval()  # the parser has BatchNorm, whose statistics would be those of a part
    expected = train(whole, batch, [1, 2, 3])
    sizes = []
    cut_up.trained_module().register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    found = train(cut_up, batch, [1, 2, 3])
    assert sizes == [4 // parts] * 3 * parts
    assert found == [pytest.approx(log, rel=1e-4) for log in expected]
    torch.testing.assert_close(weights(cut_up), weights(whole), atol=1e-6, rtol=1e-5)


def test_everything_in_a_batch_is_cut(batch):
    first, second = cut(batch, 2)
    assert first['lq_path'] + second['lq_path'] == batch['lq_path']
    for key in ('lq', 'gt', 'parsing'):
        assert torch.equal(torch.cat([first[key], second[key]]), batch[key])


def test_a_batch_that_comes_in_another_size_is_refused(face_options, batch, train, usage_error):
    model = build(face_options, accumulate=3)
    with usage_error('train.accumulate', 'a batch of 4', '3 equal parts'):
        train(model, batch, [1])


def test_two_processes_with_parts_train_as_one_with_the_whole(distillation_options, wide_teacher, batch, train,
                                                              run_two_processes):
    data = {key: batch[key] for key in ('lq', 'gt', 'parsing')}
    distillation_options['train'].update(optim_g=sgd(), grad_clip=0.5)
    alone = build(distillation_options)
    expected = train(alone, data, [1, 2, 3])
    distillation_options['train'].update(accumulate=2, compile={'backend': 'eager'})
    val = [{'lq': batch['lq'][0], 'gt': batch['gt'][0], 'lq_path': '0.png'}]
    cases = {'parts': {'opt': distillation_options, 'batch': data, 'val': val, 'iterations': [1, 2, 3]}}
    ranks = [rank['parts'] for rank in run_two_processes('distributed_worker.py', cases)]
    assert ranks[0]['logs'] == [pytest.approx(log, rel=1e-4) for log in expected]
    for rank in ranks:
        torch.testing.assert_close(rank['weights'], weights(alone), atol=1e-6, rtol=1e-5)


# memory format, compilation, fused optimizers

@pytest.mark.parametrize('ema_decay', [0, 0.9])
def test_channels_last_changes_the_layout_alone(face_options, batch, train, ema_decay):
    face_options['network_g'] = OTHERS_NETWORK  # ours run so in any case
    face_options['train'].update(optim_g=sgd(), ema_decay=ema_decay)
    plain, last = build(face_options), build(face_options, channels_last=True)
    layouts = dtypes_and_formats(plain.net_g), dtypes_and_formats(last.net_g)
    expected, found = train(plain, batch, [1, 2, 3]), train(last, batch, [1, 2, 3])
    assert [all(is_last for _, is_last in seen) for seen in layouts] == [False, True]
    nets = [last.net_g, last.net_g_ema] if ema_decay else [last.net_g]
    for net in nets:
        assert all(weight.is_contiguous(memory_format=torch.channels_last)
                   for weight in net.parameters() if weight.dim() == 4)
    assert found == [pytest.approx(log, rel=1e-5) for log in expected]
    torch.testing.assert_close(last.net_g.state_dict(), plain.net_g.state_dict(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('model_type', ['FaceSRModel', 'DistillationModel'])
def test_a_compiled_network_trains_validates_and_is_saved_as_a_plain_one(
        distillation_options, wide_teacher, student_options, batch, train, val_loader, tmp_path, model_type):
    distillation_options.update(model_type=model_type)
    plain = build(distillation_options)
    compiled = build(distillation_options, compile={'backend': 'aot_eager'})
    expected, found = train(plain, batch, [1, 2]), train(compiled, batch, [1, 2])
    assert found == [pytest.approx(log, rel=1e-4) for log in expected]

    with torch._dynamo.config.patch(error_on_recompile=True):
        compiled.validation(val_loader, 2, None)
    plain.validation(val_loader, 2, None)
    assert compiled.metric_results['psnr'] == pytest.approx(plain.metric_results['psnr'], abs=1e-3)
    compiled.save(-1, -1)
    saved = torch.load(tmp_path / 'models' / 'net_g_latest.pth', weights_only=True)['params']
    assert list(saved) == list(build_network(student_options).state_dict())


@pytest.mark.parametrize('model_type', ['FaceSRModel', 'DistillationModel', 'PKDNTeacherModel'])
def test_what_a_step_calls_is_what_is_compiled(distillation_options, teacher_options, wide_teacher, batch, train,
                                               val_loader, model_type):
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    if model_type == 'PKDNTeacherModel':
        distillation_options['network_g'] = teacher_options
    distillation_options['model_type'] = model_type
    model = build(distillation_options, compile={'backend': backend})
    train(model, batch, [1])
    assert len(graphs) == 1
    model.validation(val_loader, 1, None)
    train(model, batch, [2])
    assert len(graphs) == 1


def test_the_optimizer_may_be_fused(distillation_options, wide_teacher, batch, train):
    plain = build(distillation_options)
    fused = build(distillation_options, optim_g={'type': 'Adam', 'lr': 0.01, 'fused': True})
    train(plain, batch, [1, 2])
    train(fused, batch, [1, 2])
    assert all(group['fused'] for group in fused.optimizer_g.param_groups)
    torch.testing.assert_close(weights(fused), weights(plain), atol=1e-5, rtol=1e-4)


# options

@pytest.mark.parametrize(('change', 'words'), [
    ({'amp': 'float16'}, ['train.amp', 'bf16 or fp16', "'float16'"]),
    ({'amp': True}, ['train.amp', 'True']),
    ({'channels_last': 'yes'}, ['train.channels_last', "'yes'"]),
    ({'activation_checkpointing': 1}, ['train.activation_checkpointing', 'true or false', '1']),
    ({'compile': 'max-autotune'}, ['train.compile', "'max-autotune'"]),
    ({'grad_clip': 0}, ['train.grad_clip', 'above 0', '0']),
    ({'grad_clip': -1.}, ['train.grad_clip', '-1.0']),
    ({'grad_clip': True}, ['train.grad_clip', 'True']),
    ({'accumulate': 0}, ['train.accumulate', '0']),
    ({'accumulate': 2.5}, ['train.accumulate', '2.5']),
    ({'accumulate': 3}, ['train.accumulate', 'batch_size_per_gpu 4', '3 equal parts']),
])
@pytest.mark.parametrize('model', ['FaceSRModel', 'DistillationModel'])
def test_wrong_options_are_refused_before_the_run(distillation_options, usage_error, model, change, words):
    distillation_options['datasets']['train']['batch_size_per_gpu'] = 4
    distillation_options['train'].update(change)
    with usage_error(*words):
        MODEL_REGISTRY.get(model).check(distillation_options)


@pytest.mark.parametrize('key', ['compile', 'activation_checkpointing'])
def test_what_changes_forward_does_not_go_with_threads_on_several_gpus(face_options, usage_error, key):
    face_options.update(num_gpu=2)
    face_options['train'][key] = True
    with usage_error(f'train.{key}', 'torchrun'):
        FaceSRModel.check(face_options)
    assert FaceSRModel.check({**face_options, 'dist': True}) is None


def test_parts_do_not_go_with_a_static_graph(face_options, usage_error):
    face_options['datasets']['train']['batch_size_per_gpu'] = 4
    face_options.update(static_graph=True)
    face_options['train']['accumulate'] = 2
    with usage_error('train.accumulate', 'static_graph'):
        FaceSRModel.check(face_options)


@pytest.mark.parametrize(('key', 'value'), [('amp', 'bf16'), ('channels_last', True), ('compile', True),
                                            ('grad_clip', 1.0), ('accumulate', 2), ('activation_checkpointing', True)])
def test_the_hosts_own_models_do_not_pass_over_an_option(tiny_faces, usage_error, key, value):
    opt = {**tiny.train_options(tiny_faces), 'is_train': True}
    opt['train'][key] = value
    problems = {model: Problems() for model in ('SRModel', 'FaceSRModel')}
    for model in problems:
        check_keys({**opt, 'model_type': model}, problems[model])
    with usage_error('SRModel does not know it', f'train.{key}', 'FaceSRModel'):
        problems['SRModel'].refuse()
    assert problems['FaceSRModel'].error_lines() == []


def test_the_check_before_the_run_knows_every_option():
    assert {f'train.{field.name}' for field in fields(StepOptions)} <= MODELS['FaceSRModel'].all


def test_testing_takes_no_notice_of_the_options(face_options):
    assert StepOptions.from_options({**face_options, 'is_train': False}) == StepOptions()
