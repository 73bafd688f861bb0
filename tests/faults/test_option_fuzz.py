"""Broken option files: every one is refused in lines that name its key or file, runs nothing and changes nothing."""

import copy
import functools
import random
from itertools import cycle, islice
from pathlib import Path

import tiny
import yaml
from experiment import hashes

WRONG_VALUES = {
    'wrong type': {
        'name': [3, ['a'], {'a': 1}], 'model_type': [3, ['SRModel']], 'scale': ['four', [4], {'x': 4}],
        'num_gpu': ['some', [1]], 'manual_seed': ['seed', [0]], 'datasets': [3, 'faces', ['train']],
        'datasets.train': [3, 'faces'], 'datasets.train.type': [3, ['ParsingMapDataset']],
        'datasets.train.dataroot_gt': [5, ['a', 'b']], 'datasets.train.gt_size': ['large', [32]],
        'datasets.train.batch_size_per_gpu': ['two', [2]], 'datasets.train.num_worker_per_gpu': ['none at all', [0]],
        'datasets.train.use_hflip': ['maybe', [1]], 'datasets.train.crop_range': [24, 'wide', [1, 2, 3]],
        'network_g': [3, 'PKDNStudent', ['PKDNStudent']], 'network_g.type': [3, ['PKDNStudent']],
        'network_g.num_feat': ['few', [4], 4.5], 'network_g.num_enc_blocks': [1, 'one'], 'path': [3, 'here', ['a']],
        'train': [3, 'yes', ['a']], 'train.ema_decay': ['slow', [0.5]], 'train.optim_g': [3, 'Adam'],
        'train.optim_g.lr': ['fast', [0.1], {'a': 1}], 'train.scheduler': [3, 'MultiStepLR'],
        'train.scheduler.milestones': ['late', 100], 'train.total_iter': ['all', [2]], 'train.pixel_opt': [3, 'L1Loss'],
        'train.pixel_opt.loss_weight': ['heavy', [1]], 'val': [3, 'yes', ['a']], 'val.val_freq': ['often', [2]],
        'val.metrics': [3, 'psnr'], 'val.metrics.psnr': [3, 'calculate_psnr'],
        'val.metrics.psnr.crop_border': ['none at all', -1], 'logger': [3, 'loud', ['a']],
        'logger.print_freq': ['often', [1]], 'logger.save_checkpoint_freq': ['often', [1]],
        'logger.use_tb_logger': ['maybe', [1]]},
    'impossible number': {
        'scale': [0, -4, 10**9], 'num_gpu': [-1, 64], 'manual_seed': [-1, 2**40], 'datasets.train.gt_size': [0, -8, 30],
        'datasets.train.batch_size_per_gpu': [0, -2, 10**9], 'datasets.train.num_worker_per_gpu': [-1],
        'datasets.train.crop_range': [[32, 24], [0, 0], [-4, 8]], 'network_g.num_feat': [0, -4],
        'network_g.num_neck_blocks': [-1], 'network_g.num_enc_blocks': [[-1], []], 'train.total_iter': [-5, 0],
        'train.ema_decay': [-1, 7], 'train.optim_g.lr': [-0.1], 'val.val_freq': [0, -2],
        'logger.print_freq': [0, -1], 'logger.save_checkpoint_freq': [0, -3]},
    'name of nothing': {
        'model_type': ['FaceSrModel', 'Model'], 'datasets.train.type': ['ParsingMapDatset'],
        'network_g.type': ['PKDNStudnet', 'Network'], 'train.optim_g.type': ['Adamm', 'Descent'],
        'train.scheduler.type': ['MultiStep', 'Cosine'], 'train.pixel_opt.type': ['L1', 'Loss'],
        'val.metrics.psnr.type': ['psnr', 'calculate_pnsr'], 'datasets.train.parsing_scheme': ['celeba'],
        'val.save_best': ['ssim', ['psnr', 'lpips']]},
    'path to nothing': {
        'datasets.train.dataroot_gt': ['nowhere', '~/nowhere/at/all'], 'datasets.val.dataroot_gt': ['nowhere'],
        'datasets.train.dataroot_lq': ['nowhere'], 'datasets.train.dataroot_parsing': ['nowhere'],
        'datasets.train.split_file': ['nothing.txt'], 'datasets.train.meta_info_file': ['nothing.txt'],
        'path.pretrain_network_g': ['nothing.pth'], 'path.resume_state': ['nothing.state']},
}
REQUIRED = ['name', 'model_type', 'scale', 'num_gpu', 'datasets', 'network_g', 'path', 'train', 'logger',
            'datasets.train', 'datasets.train.name', 'datasets.train.type', 'datasets.train.dataroot_gt',
            'datasets.train.batch_size_per_gpu', 'datasets.train.num_worker_per_gpu', 'datasets.val.name',
            'datasets.val.type', 'datasets.val.dataroot_gt', 'network_g.type', 'train.optim_g', 'train.optim_g.type',
            'train.scheduler', 'train.scheduler.type', 'train.total_iter', 'train.pixel_opt', 'train.pixel_opt.type',
            'val.val_freq', 'val.metrics.psnr.type', 'logger.print_freq', 'logger.save_checkpoint_freq']
ANYWHERE = ('misspelt key', 'unknown key')  # done to the repository's own option files, too
ERROR = 'basicsr train: error: '
FREE_NAMES = ('val.metrics',)  # the names of metrics


def good_options(tiny_faces):
    opt = tiny.train_options(tiny_faces)
    opt['model_type'] = 'FaceSRModel'
    opt['datasets']['train'].update(gt_size=24, use_hflip=True, crop_range=[24, 32])
    opt['train']['pixel_opt']['loss_weight'] = 1.0
    opt['val']['save_best'] = 'psnr'
    return opt


def sections(opt, path=''):
    """Every mapping of an option file with its dotted name."""
    yield path, opt
    for key, value in opt.items():
        if isinstance(value, dict):
            yield from sections(value, f'{path}.{key}'.lstrip('.'))


def section_of(opt, path):
    *parents, key = path.split('.')
    for parent in parents:
        opt = opt[parent]
    return opt, key


def wrong_value(kind):
    def change(opt, rng):
        path = rng.choice(list(WRONG_VALUES[kind]))
        section, key = section_of(opt, path)
        section[key] = copy.deepcopy(rng.choice(WRONG_VALUES[kind][path]))
        return key, key.replace('_', ' '), f': {path.rpartition(".")[0]}: '
    return change


def missing_key(opt, rng):
    section, key = section_of(opt, rng.choice(REQUIRED))
    del section[key]
    return [key]


def misspelt_key(opt, rng):
    path, section = rng.choice([(path, section) for path, section in sections(opt) if path not in FREE_NAMES])
    key = rng.choice(list(section))
    place = rng.randrange(1, len(key))
    wrong = rng.choice([key[:place] + key[place + 1:], key[:place] + key[place] + key[place:], key + '_',
                        key[:place] + 'x' + key[place:]])
    if path == 'datasets' and key == 'val':
        wrong = 'vla'  # any val_... is a data set too
    section[wrong] = section.pop(key)
    return wrong, key


def unknown_key(opt, rng):
    section = rng.choice([section for path, section in sections(opt) if path not in FREE_NAMES])
    key = rng.choice(['verbose', 'use_magic', 'lr_', 'Num_Feat', 'x1'])
    section[key] = rng.choice([1, 'a', True, [1]])
    return [key]


def twice(text, rng):
    lines = text.splitlines()
    key = rng.choice([line for line in lines if not line.startswith((' ', '-'))])
    return text + f'{key.split(":")[0]}: 1\n'


def cut_off(text, rng):
    return text[:rng.randrange(1, text.index('logger:'))]


def insert(*pieces):
    def change(text, rng):
        lines = text.splitlines()
        lines.insert(rng.randrange(1, len(lines)), rng.choice(pieces))
        return '\n'.join(lines) + '\n'
    return change


def not_text(text, rng):
    place = rng.randrange(len(text))
    wrong = rng.choice([b'\xff\xfe', b'\xe4\xf6', b'\x80', b'\0', b'\x1b'])
    return text[:place].encode() + wrong + text[place:].encode()


def code(text, rng):
    tag = rng.choice(["!!python/object/apply:os.mkdir ['{canary}']", "!!python/object/new:os.mkdir ['{canary}']",
                      '!!python/name:os.system', '!!python/module:os', '!mine {{a: 1}}', '!!python/tuple [1]'])
    return text.replace('manual_seed: 0', f'manual_seed: {tag}')


def something_else(text, rng):
    return rng.choice(['', '3', '- a\n- b\n', 'name', '<html></html>', '{' * 3000, '[' * 500 + ']' * 500, '---\n---\n',
                       'a: &a [*a, *a]\n', '\t', '%YAML 9.9\n---\nname: a\n', ': : :'])


KEYS = {**{kind: wrong_value(kind) for kind in WRONG_VALUES}, 'missing key': missing_key, 'misspelt key': misspelt_key,
        'unknown key': unknown_key}
TEXTS = {'key twice': twice, 'cut off': cut_off, 'not UTF-8 text': not_text, 'code': code,
         'something else': something_else,
         'broken YAML': insert(
             '\tname: x', '  : [', '"', "it's: 'a", '{a: 1', '@', '%', '&', '* a', 'a: b: c', '<<: 3')}


def test_the_options_are_in_order_before(tmp_path, tiny_faces, basicsr_command):
    file = tiny.write_options(good_options(tiny_faces), tmp_path / 'good.yml')
    assert basicsr_command(tmp_path, 'train', '-opt', file)[0] == 0


@functools.cache
def real_options():
    """The option files of this repository; their data sets are elsewhere, which is told as well."""
    files = sorted((Path(__file__).parents[2] / 'options').rglob('*.yml'))
    read = [yaml.safe_load(file.read_text(encoding='utf-8')) for file in files]
    return [opt for opt in read if 'train' in opt and 'datasets' in opt]


def broken(kind, good, rng, canary, file):
    """Return the content of a broken option file, and names of which one must be told."""
    if kind in TEXTS:
        content = TEXTS[kind](yaml.safe_dump(good, sort_keys=False), rng)
        return content if isinstance(content, bytes) else content.replace('{canary}', str(canary)).encode(), [file.name]
    opt = copy.deepcopy(rng.choice([good, *real_options()]) if kind in ANYWHERE else good)
    names = KEYS[kind](opt, rng)
    return yaml.safe_dump(opt, sort_keys=False).encode(), names


def test_broken_option_files(tmp_path, tiny_faces, basicsr_command, outcomes, all_faults):
    rng, good = random.Random(0), good_options(tiny_faces)
    canary, file = tmp_path / 'canary', tmp_path / 'broken.yml'
    failures = []
    for kind in islice(cycle([*KEYS, *KEYS, *KEYS, *TEXTS]), 510 if all_faults else 60):
        content, names = broken(kind, good, rng, canary, file)
        assert content != yaml.safe_dump(good, sort_keys=False).encode()
        file.write_bytes(content)
        before = hashes(tmp_path)
        try:
            status, out, err = basicsr_command(tmp_path, 'train', '-opt', file)
            faults = [f'status {status}'] * (status != 2) + ['traceback'] * ('Traceback' in out + err)
            if not any(name in line for name in names for line in err.splitlines() if line.startswith(ERROR)):
                faults.append(f'none of {names} is named: {err[-400:]}')
        except Exception as error:
            faults = [f'traceback of {type(error).__name__}: {error}']
        faults += ['something on disk has changed'] * (hashes(tmp_path) != before)
        outcomes('options', kind, 'FAULT' if faults else 'refused, names the key or the file')
        failures += [f'{kind}, {names}: {"; ".join(faults)}'] * bool(faults)
    assert not failures, '\n'.join(failures)
