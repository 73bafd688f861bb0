"""Every shipped option file names things that exist and fits the others."""

from pathlib import Path

import pytest
import torch
from basicsr.losses import build_loss
from basicsr.utils.registry import DATASET_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY

from pkdn_basicsr.host.option_check.components import check_components
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.models.scheduled_loss import ScheduledLoss
from pkdn_basicsr.report.complexity import count_parameters
from pkdn_basicsr.report.entry import read_entry
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.report.network_table import face_inputs
from pkdn_basicsr.weights import shipped

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / 'options').rglob('*.yml'))
NETWORK_FILES = [file for file in FILES if 'network_g' in read_option_file(str(file))]
STUDENTS = [file for file in FILES if 'network_t' in read_option_file(str(file))]
PARSERS = {'face_parser', 'fish_parsing_net'}  # their networks do not enlarge
PARAMETERS = {  # that receive a gradient; published, or counted in what the authors released
    'bicubic': 0, 'srcnn': 20_099, 'vdsr': 668_227, 'edsr_m': 1_665_283, 'edsr_l': 45_450_243, 'rcan': 15_740_067,
    'swinir': 12_047_911, 'swinir_light': 1_007_532, 'fsrnet': 3_263_691, 'dic': 21_803_849, 'sparnet': 10_518_867,
    'sparnet_light': 5_242_211, 'sisn': 8_304_475, 'kdfsrnet_student': 5_203_995, 'kdfsrnet_teacher': 2_526_027,
    'sfmnet': 8_545_942, 'ctcnet': 22_407_699, 'fishfsrnet': 8_177_331, 'fish_parsing_net': 594_371}


def short(file):
    return str(file.relative_to(ROOT / 'options'))


def build(network_opt):
    """Without memory, except for SwinIR, whose constructor reads values."""
    with torch.device('cpu' if network_opt['type'] == 'SwinIR' else 'meta'):
        return build_untrained(network_opt).to('meta').eval()


def test_option_files_were_found():
    assert {'pkdn_teacher.yml', 'pkdn_student.yml', 'quickstart/compare.yml', 'baselines/bicubic.yml'} <= set(
        map(short, FILES))
    assert len(STUDENTS) >= 4


@pytest.mark.parametrize('file', FILES, ids=short)
def test_header_gives_the_exact_command(file):
    header = [line for line in file.read_text().splitlines() if line.startswith('#')]
    assert any(f'-opt {file.relative_to(ROOT)}' in line for line in header)


@pytest.mark.parametrize('file', FILES, ids=short)
def test_data_sets_and_metrics_are_registered(file):
    opt = read_option_file(str(file))
    assert all(dataset['type'] in DATASET_REGISTRY for dataset in opt['datasets'].values())
    metrics = (opt.get('val') or {}).get('metrics') or {}
    assert all(metric['type'] in METRIC_REGISTRY for metric in metrics.values())


@pytest.mark.parametrize('file', [file for file in NETWORK_FILES if file.stem not in PARSERS], ids=short)
def test_networks_build_and_reach_gt_size(file):
    opt = read_option_file(str(file))
    check_components(opt)
    assert opt['model_type'] in MODEL_REGISTRY
    for key in ('network_g', 'network_t'):
        if key in opt:
            net = build(opt[key])
            for dataset in opt['datasets'].values():
                inputs = face_inputs(net, {**opt, 'datasets': {'this': dataset}}, device='meta')
                assert net(*inputs).shape == (1, 3, dataset['gt_size'], dataset['gt_size'])


@pytest.mark.parametrize('file', [file for file in FILES if file.parent.name == 'baselines'], ids=short)
def test_baselines_have_their_number_of_parameters(file):
    assert count_parameters(build(read_option_file(str(file))['network_g'])) == PARAMETERS[file.stem]


@pytest.mark.parametrize('file', [file for file in FILES if file.stem in set(PARAMETERS) - {'bicubic'}], ids=short)
def test_baselines_are_trained_as_pkdn_is(file):
    theirs, ours = (shared_settings(read_option_file(str(path))) for path in (file, ROOT / 'options/pkdn_student.yml'))
    if file.stem == 'fish_parsing_net':  # its result is no face
        del ours['val'], ours['datasets']['val']
    assert theirs == ours


def shared_settings(opt):
    for dataset in opt['datasets'].values():
        for key in ('dataroot_parsing', 'parsing_scheme'):
            dataset.pop(key, None)
    train = {key: opt['train'][key] for key in ('ema_decay', 'scheduler', 'total_iter', 'warmup_iter')}
    return {'train': train, **{key: opt[key] for key in ('scale', 'manual_seed', 'datasets', 'logger', 'val')
                               if key in opt}}


@pytest.mark.parametrize('file', NETWORK_FILES, ids=short)
def test_losses_and_schedules_build(file):
    train_opt = read_option_file(str(file)).get('train', {})
    for key in ('feature_opt', 'soft_opt'):
        scheduled = ScheduledLoss.from_options(train_opt, key)
        assert scheduled is None or (scheduled.schedule.end_iter or 0) <= train_opt['total_iter']
    if train_opt:
        losses = [loss for key in ('pixel_opt', 'parsing_opt') if (loss := train_opt.get(key))]
        for wished in (train_opt.get('output_losses') or {}).values():
            losses += [{key: value for key, value in loss.items() if key not in ('target', 'parsing_scheme')}
                       for loss in (wished if isinstance(wished, list) else [wished])]
        assert losses
        for loss in losses:
            assert build_loss(dict(loss)) is not None
        assert train_opt['scheduler']['periods'] == [train_opt['total_iter']]


@pytest.mark.parametrize('file', STUDENTS, ids=short)
def test_the_students_teacher_is_what_its_option_file_trains(file):
    student = read_option_file(str(file))
    path = student['path']['pretrain_network_t']
    teacher, = (opt for opt in map(read_option_file, map(str, NETWORK_FILES))
                if path == f'experiments/{opt["name"]}/models/net_g_latest.pth')
    assert student['network_t'] == teacher['network_g']
    assert student['scale'] == teacher['scale']


@pytest.mark.parametrize('file', [file for file in FILES if file.name.startswith('compare')], ids=short)
def test_compared_networks_are_described(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, entry in read_option_file(str(file))['methods'].items():
        assert 'type' in read_entry(name, entry).opt['network_g']  # no file, no weights: it raises


def test_all_shipped_networks_are_compared():
    methods = read_option_file(str(ROOT / 'options/compare_shipped.yml'))['methods'].values()
    named = [entry if isinstance(entry, str) else entry['checkpoint'] for entry in methods]
    assert sorted(filter(shipped.is_shipped, named)) == sorted(shipped.STUDENTS | shipped.TEACHERS | shipped.BASELINES)


@pytest.mark.parametrize('kind', ['teacher', 'student'])
@pytest.mark.parametrize('scale', [4, 16])
def test_other_scales_differ_in_scale_and_names_only(kind, scale):
    text = (ROOT / f'options/pkdn_{kind}.yml').read_text().split('# general settings')[1]
    expected = text.replace('scale: 8', f'scale: {scale}').replace('_x8_', f'_x{scale}_')
    assert (ROOT / f'options/pkdn_{kind}_x{scale}.yml').read_text().split('# general settings')[1] == expected


@pytest.mark.parametrize('folder', ['quickstart', 'small'])
def test_students_differ_in_the_teaching_only(folder):
    taught = read_option_file(str(ROOT / f'options/{folder}/pkdn_student.yml'))
    alone = read_option_file(str(ROOT / f'options/{folder}/pkdn_student_alone.yml'))
    del taught['network_t']
    for key in ('begin_as_teacher', 'feature_opt', 'soft_opt'):
        taught['train'].pop(key, None)
    for key in ('dataroot_parsing', 'parsing_scheme'):
        del taught['datasets']['train'][key]
    for key in ('pretrain_network_t', 'param_key_t'):
        del taught['path'][key]
    for opt in (taught, alone):
        del opt['name'], opt['model_type']
    assert taught == alone
