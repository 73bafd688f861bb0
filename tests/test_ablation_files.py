"""Every option file of an ablation differs from its parent in what its header says, and trains."""

import re
from pathlib import Path

import pytest
import tiny
import torch
import yaml
from basicsr.archs import build_network

from pkdn_basicsr.data.dataset_options import sample_scheme

OPTIONS = Path(__file__).resolve().parents[1] / 'options'


def read(file):
    return yaml.safe_load(file.read_text())


FILES = sorted((OPTIONS / 'ablation').glob('*.yml'))
STUDENTS = [file for file in FILES if 'network_t' in read(file)]
ABSENT = 'absent'
PARENTS = {kind: read(OPTIONS / f'pkdn_{kind}.yml') for kind in ('teacher', 'student')}
WEIGHTS = 'experiments/{}_x8_f64_CelebAMaskHQ_100k/models/net_g_latest.pth'


def stem(file):
    return file.stem


def leaves(opt, path=()):
    """Nested options as {'key.key': value}; a list is a value, a mapping of levels is one too."""
    if not isinstance(opt, dict) or path[-1:] == ('levels',):
        return {'.'.join(path): opt}
    return {key: value for name, part in opt.items() for key, value in leaves(part, (*path, str(name))).items()}


def difference(parent, opt):
    """Every leaf in which `opt` differs from `parent`, with its value in `opt`."""
    before, after = leaves(parent), leaves(opt)
    return {key: after.get(key, ABSENT) for key in {**before, **after}
            if before.get(key, ABSENT) != after.get(key, ABSENT)}


def without(*sections):
    """The leaves of some sections of the parents' files, all absent."""
    return {key: ABSENT for parent in PARENTS.values() for key in leaves(parent) if key.startswith(sections)}


def features(kind, levels=('enc1', 'enc2', 'enc3', 'neck', 'dec3', 'dec2', 'dec1')):
    """The leaves of a feature loss with KDFSRNet's weight, which falls to 0 in the first half."""
    return leaves({'type': kind, 'loss_weight': 10., 'levels': levels if isinstance(levels, dict) else list(levels),
                   'schedule': {'type': 'linear', 'end_iter': 50000}}, ('train', 'feature_opt'))


TEACHER_DESIGNS = {
    'concat': ('fusion', 'concat'),
    'no_channel_attention': ('fusion', 'spatial_attention'),
    'no_spatial_attention': ('fusion', 'channel_attention'),
    'no_attention': ('fusion', 'no_attention'),
    'no_feature_fusion': ('feature_fusion', False),
}
HELEN = {'datasets.train.convert_parsing_to': 'helen'}
MAPS = 'datasets.train.dataroot_parsing', 'datasets.train.parsing_scheme'
TEACHER = 'network_t', 'path.pretrain_network_t', 'path.param_key_t'
TEACHING = 'train.begin_as_teacher', 'train.feature_opt', 'train.soft_opt'
EXPECTED = {
    **{f'pkdn_teacher_{label}': {f'network_g.{key}': value} for label, (key, value) in TEACHER_DESIGNS.items()},
    **{f'pkdn_student_{label}': {f'network_g.{key}': value, f'network_t.{key}': value,
                                 'path.pretrain_network_t': WEIGHTS.format(f'PKDN_Teacher_{label}')}
       for label, (key, value) in TEACHER_DESIGNS.items()},
    'pkdn_teacher_11_classes': {**HELEN, 'datasets.val.convert_parsing_to': 'helen', 'network_g.num_classes': 11},
    'pkdn_student_11_classes': {**HELEN, 'network_t.num_classes': 11,
                                'path.pretrain_network_t': WEIGHTS.format('PKDN_Teacher_11_classes')},
    'pkdn_student_alone': {'model_type': 'FaceSRModel',
                           **without(*MAPS, *TEACHER, *TEACHING)},
    'pkdn_teacher_all_maps': without('datasets.train.map_dropout'),
    'pkdn_student_all_maps': {'path.pretrain_network_t': WEIGHTS.format('PKDN_Teacher_all_maps')},
    'pkdn_student_weights_only': without('train.soft_opt'),
    'pkdn_student_soft_only': without('train.begin_as_teacher'),
    'pkdn_student_features_only': {**without('train.begin_as_teacher', 'train.soft_opt'), **features('FeatureL1Loss')},
    'pkdn_student_as_kdfsrnet': {**without('train.begin_as_teacher'), **features('FeatureL1Loss')},
    'pkdn_student_feature_l1': features('FeatureL1Loss'),
    'pkdn_student_feature_l2': features('FeatureL2Loss'),
    'pkdn_student_attention_transfer': features('AttentionTransferLoss'),
    'pkdn_student_affinity': features('AffinityLoss'),
    'pkdn_student_no_schedule': without('train.soft_opt.schedule'),
    'pkdn_student_gan': {
        'model_type': 'SRGANModel',
        **without(*MAPS, *TEACHER, *TEACHING, 'val.save_best', 'val.panels'),
        'path.pretrain_network_g': WEIGHTS.format('PKDN_Student'), 'path.param_key_g': 'params_ema',
        **leaves({'type': 'VGGStyleDiscriminator', 'num_in_ch': 3, 'num_feat': 64, 'input_size': 128}, ('network_d',)),
        **leaves(PARENTS['student']['train']['optim_g'], ('train', 'optim_d')),
        **leaves({'type': 'GANLoss', 'gan_type': 'vanilla', 'real_label_val': 1., 'fake_label_val': 0.,
                  'loss_weight': 1e-3}, ('train', 'gan_opt')),
        'train.net_d_iters': 1, 'train.net_d_init_iters': 0,
    },
    'kdfsrnet_student_of_pkdn': {
        'network_g.type': 'KDFSRNetStudent', 'network_g.num_blocks': 6,
        **without('network_g.num_enc_blocks', 'network_g.num_neck_blocks', 'network_g.num_dec_blocks',
                  'train.begin_as_teacher'),
        **features('FeatureL1Loss', {'enc1': 'enc1', 'enc2': 'enc2', 'enc3': 'enc3', 'dec4': 'neck', 'dec3': 'dec3',
                                     'dec2': 'dec2', 'dec1': 'dec1'}),
    },
}


def test_every_ablation_is_listed_here():
    assert {file.stem for file in FILES} == set(EXPECTED)


@pytest.mark.parametrize('file', FILES, ids=stem)
def test_the_difference_to_the_parent_is_the_stated_one(file):
    parent = PARENTS['teacher' if 'teacher' in file.stem else 'student']
    opt = read(file)
    kind, label = re.fullmatch(r'(.*_(?:teacher|student))_(.*)', file.stem).groups()
    assert opt.pop('name').lower() == f'{kind}_{label}_x8_f64_CelebAMaskHQ_100k'.lower()
    assert difference({key: value for key, value in parent.items() if key != 'name'}, opt) == EXPECTED[file.stem]


@pytest.mark.parametrize('file', STUDENTS, ids=stem)
def test_the_students_teacher_is_what_the_file_in_its_header_trains(file):
    teacher_file, = re.findall(r'-opt (options/\S+) +\(first: trains the teacher\)', file.read_text())
    student, teacher = (read(path) for path in (file, OPTIONS.parent / teacher_file))
    assert student['network_t'] == teacher['network_g']
    assert student['path']['pretrain_network_t'] == f'experiments/{teacher["name"]}/models/net_g_latest.pth'
    schemes = {sample_scheme(opt['datasets']['train']).name for opt in (student, teacher)}
    assert len(schemes) == 1


# training

@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """Four faces of 128x128 pixels, as BasicSR's discriminator needs them."""
    return tiny.make_faces(tmp_path_factory.mktemp('ablation') / 'faces', count=4, size=128, scale=8)


def shrink(opt, faces):
    """Make two iterations on four faces with networks of four features out of an option file."""
    for dataset_opt in opt['datasets'].values():
        del dataset_opt['split_file']
        dataset_opt['dataroot_gt'] = str(faces / 'gt')
        if 'dataroot_parsing' in dataset_opt:
            dataset_opt['dataroot_parsing'] = str(faces / 'parsing')
    opt['datasets']['train'].update(crop_range=[100, 128], batch_size_per_gpu=2, num_worker_per_gpu=0)
    for network_opt in (opt[key] for key in ('network_g', 'network_t', 'network_d') if key in opt):
        small = {'num_feat': 4, 'num_enc_blocks': [1, 1, 1], 'num_neck_blocks': 1, 'num_dec_blocks': [1, 1, 1],
                 'num_blocks': 1}
        network_opt.update({key: value for key, value in small.items() if key in network_opt})
    opt['train']['total_iter'] = 2
    opt['train']['scheduler']['periods'] = [2]
    for key in ('feature_opt', 'soft_opt'):
        if 'schedule' in opt['train'].get(key, {}):
            opt['train'][key]['schedule']['end_iter'] = 2
    opt['val']['val_freq'] = 2
    opt['val']['metrics'] = {'psnr': opt['val']['metrics']['psnr']}
    opt['logger'].update(print_freq=1, save_checkpoint_freq=2, use_tb_logger=False)
    opt['num_gpu'] = 0


def expected_losses(opt):
    if opt['model_type'] == 'SRGANModel':
        return {'l_g_pix', 'l_g_gan', 'l_d_real', 'l_d_fake'}
    names = {'pixel_opt': 'l_pix', 'feature_opt': 'l_feat', 'soft_opt': 'l_soft'}
    return {name for key, name in names.items() if key in opt['train']}


@pytest.mark.parametrize('file', FILES, ids=stem)
def test_it_trains(file, faces, tmp_path, basicsr_command):
    opt = read(file)
    shrink(opt, faces)
    for letter in 'gt':
        if opt['path'].get(f'pretrain_network_{letter}'):
            path = tmp_path / f'net_{letter}.pth'
            weights = build_network(opt[f'network_{letter}']).state_dict()
            torch.save({'params': weights, 'params_ema': weights}, path)
            opt['path'][f'pretrain_network_{letter}'] = str(path)
    status, _, log = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert status == 0, log
    assert set(re.findall(r'\b(l_\w+): -?\d\.\d+e', log)) == expected_losses(opt)  # nan and inf are not read
    saved = torch.load(tmp_path / 'experiments' / opt['name'] / 'models' / 'net_g_2.pth', weights_only=True)
    assert all(value.isfinite().all() for value in saved['params'].values())
