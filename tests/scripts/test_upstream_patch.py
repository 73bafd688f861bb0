"""scripts/upstream_patch.py, against the source distribution of basicsr 1.4.2 and the linters that BasicSR names."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
import yaml

from pkdn_basicsr.archs.pkdn_arch import PKDNStudent

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'scripts' / 'upstream_patch.py'
TOOLS = ['flake8==3.8.3', 'isort==5.1.4', 'yapf==0.30.0']  # .pre-commit-config.yaml of BasicSR
SITE = """
import importlib.util
import sys


class NotHere:

    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'pkdn_basicsr':
            raise ImportError('pkdn_basicsr is not to be imported here')


sys.meta_path.insert(0, NotHere())
spec = importlib.util.spec_from_file_location('torchvision_compat', {compat!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
compat.import_torchvision()
compat.provide_functional_tensor()
"""
NETWORK = {'scale': 4, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


def pip(*arguments):
    done = subprocess.run([sys.executable, '-m', 'pip', '--disable-pip-version-check', *map(str, arguments)],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'pip cannot get what this test needs: {done.stderr.strip().splitlines()[-1]}')


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
    """The source distribution of the host."""
    folder = tmp_path_factory.mktemp('sdist')
    pip('download', '--no-deps', '--no-binary', ':all:', '--no-build-isolation', '-d', folder, 'basicsr==1.4.2')
    return folder / 'basicsr-1.4.2.tar.gz'


@pytest.fixture(scope='module')
def tools(tmp_path_factory):
    """A folder with the linters, and with what tells the oldest Python that can run a file."""
    if sys.version_info >= (3, 12):
        pytest.skip('flake8 3.8.3, which BasicSR names, does not run on Python 3.12')
    folder = tmp_path_factory.mktemp('tools')
    pip('install', '--target', folder, *TOOLS, 'vermin==1.9.2')
    return folder


@pytest.fixture(scope='module')
def patch(sdist, tools, tmp_path_factory):
    """The patch that the script makes; it needs the linters, too."""
    path = tmp_path_factory.mktemp('patch') / 'pkdn.patch'
    done = tiny.run_python(SCRIPT, path, '--basicsr', sdist, cwd=path.parent)
    assert done.returncode == 0, done.stderr
    return path


def unpack(sdist, folder):
    folder.mkdir(exist_ok=True)
    subprocess.run(['tar', '-xzf', str(sdist), '--no-same-owner'], cwd=folder, check=True)
    return folder / 'basicsr-1.4.2'


@pytest.fixture(scope='module')
def tree(sdist, patch, tmp_path_factory):
    """The patched source, and beside it a `sitecustomize` that hides this package."""
    folder = tmp_path_factory.mktemp('tree')
    (folder / 'site').mkdir()
    compat = ROOT / 'pkdn_basicsr' / 'host' / 'torchvision_compat.py'
    (folder / 'site' / 'sitecustomize.py').write_text(SITE.format(compat=str(compat)))
    tree = unpack(sdist, folder)
    subprocess.run(['patch', '-p1', '-s', '-i', str(patch)], cwd=tree, check=True)
    return tree


def run_in(tree, *arguments):
    """Run Python in the patched tree, which comes first on its path, without this package."""
    return tiny.run_process(['env', f'PYTHONPATH={tree.parent / "site"}:{tree}', sys.executable, *arguments], cwd=tree)


def read_tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*')
            if path.is_file() and '__pycache__' not in path.parts}


def test_the_patch_applies_by_patch_and_by_git_and_changes_no_file(sdist, patch, tree, tmp_path):
    before = read_tree(unpack(sdist, tmp_path / 'untouched'))
    by_git = unpack(sdist, tmp_path / 'git')
    subprocess.run(['git', 'apply', '--check', patch], cwd=by_git, check=True)
    subprocess.run(['git', 'apply', '--whitespace=error-all', patch], cwd=by_git, check=True)
    after = read_tree(by_git)
    added = {path: content for path, content in after.items() if path not in before}
    assert {path: after[path] for path in before} == before
    assert {str(path) for path in added} == set(re.findall(r'^\+\+\+ b/(.*?)\s*$', patch.read_text(), re.MULTILINE))
    by_patch = read_tree(tree)
    assert {path: by_patch[path] for path in added} == added
    assert {path.parts[0] for path in added} == {'basicsr', 'docs', 'options', 'tests'}


@pytest.mark.parametrize('check', [('flake8',), ('isort', '--check-only'), ('yapf', '--diff')], ids=' '.join)
def test_added_code_passes_the_linters_as_setup_cfg_has_them(check, patch, tree, tools):
    code = re.findall(r'^\+\+\+ b/(.*\.py)', patch.read_text(), re.MULTILINE)
    command = ['env', f'PYTHONPATH={tools}', sys.executable, '-m', *check]
    assert tiny.run_process([*command, *code], cwd=tree).returncode == 0
    ugly = tree.parent / 'ugly.py'  # the check can fail, and by the options of BasicSR's own file
    ugly.write_text(f'import basicsr, torch\n\nx = {{"a":1}}  # {"x" * 110}\n')
    shutil.copy(tree / 'setup.cfg', ugly.parent)
    assert tiny.run_process([*command, ugly.name], cwd=ugly.parent).returncode


def test_added_code_runs_on_python_3_8(patch, tree, tools):
    code = re.findall(r'^\+\+\+ b/(.*\.py)', patch.read_text(), re.MULTILINE)
    ours = ROOT / 'pkdn_basicsr' / 'data' / 'parsing_labels.py'
    vermin = ['env', f'PYTHONPATH={tools}', sys.executable, '-c', 'from vermin import main; main()', '--target=3.8-',
              '--violations']
    assert '3.9' in tiny.run_process([*vermin, ours], cwd=tree).stdout
    done = tiny.run_process([*vermin, *code], cwd=tree)
    assert done.returncode == 0, done.stdout


def test_what_only_this_package_needs_stays_here(patch):
    text = patch.read_text()
    assert 'class RCAB' in text
    assert 'class PKDNStudent' in text
    for left in ('Hourglass', 'write_lmdb', 'voc_palette', 'FaceSRModel', 'UsageError', 'pkdn_basicsr'):
        assert left not in text


def test_the_tests_of_the_pull_request_pass(tree):
    done = run_in(tree, '-m', 'pytest', '-p', 'no:cacheprovider')
    assert done.returncode == 0, done.stdout
    assert '8 passed' in done.stdout


def test_the_copied_student_is_ours(tree, tmp_path):
    torch.manual_seed(0)
    net, lq = PKDNStudent(**NETWORK), torch.rand(1, 3, 8, 8)
    torch.save({'weights': net.state_dict(), 'lq': lq, 'sr': net(lq).detach()}, tmp_path / 'ours.pth')
    done = run_in(tree, '-c', f"""
import basicsr, torch
from basicsr.archs import build_network
assert basicsr.__file__ == {str(tree / 'basicsr' / '__init__.py')!r}
ours = torch.load({str(tmp_path / 'ours.pth')!r})
net = build_network({dict(NETWORK, type='PKDNStudent')!r})
net.load_state_dict(ours['weights'])
assert torch.equal(net(ours['lq']), ours['sr'])
""")
    assert done.returncode == 0, done.stderr


def shrink(opt, faces, teacher):
    """Make options of the pull request small; what they are about stays."""
    opt = {**opt, 'name': 'tiny_teacher' if teacher else 'tiny_student', 'scale': 4}
    for phase, dataset in opt['datasets'].items():
        for key in ('crop_range', 'split_file'):
            dataset.pop(key, None)
        dataset.update(dataroot_gt=str(faces / 'gt'), gt_size=32)
        if 'dataroot_parsing' in dataset:
            dataset['dataroot_parsing'] = str(faces / 'parsing')
        if phase == 'train':
            dataset.update(batch_size_per_gpu=2, num_worker_per_gpu=1)
    opt['network_g'].update(NETWORK)
    if not teacher:
        opt['network_t'].update(NETWORK)
        opt['path']['pretrain_network_t'] = 'experiments/tiny_teacher/models/net_g_latest.pth'
    opt['train']['total_iter'] = 6
    opt['val']['val_freq'] = opt['logger']['save_checkpoint_freq'] = 3
    opt['logger'].update(print_freq=1, use_tb_logger=False)
    return opt


def test_teacher_and_student_train_without_this_package(tree, tiny_faces, tmp_path):
    assert 'not to be imported' in run_in(tree, '-c', 'import pkdn_basicsr').stderr
    for role in ('teacher', 'student'):
        opt = yaml.safe_load((tree / f'options/train/PKDN/train_pkdn_{role}.yml').read_text())
        path = tiny.write_options(shrink(opt, tiny_faces, role == 'teacher'), tmp_path / f'{role}.yml')
        done = run_in(tree, 'basicsr/train.py', '-opt', path)
        log = done.stdout + done.stderr
        assert done.returncode == 0, log
        assert re.search(r'# psnr: \d+\.\d+\tBest: ', log)
        for name in ('l_pix', 'l_soft'):
            assert (f'{name}: ' in log) == (role == 'student' or name == 'l_pix')
    student = torch.load(tree / 'experiments' / 'tiny_student' / 'models' / 'net_g_latest.pth')['params_ema']
    PKDNStudent(**NETWORK).load_state_dict(student)

    opt = yaml.safe_load((tmp_path / 'student.yml').read_text())
    opt['name'] = 'narrow_student'
    opt['network_g']['num_feat'] = 2
    del opt['train']['begin_as_teacher']
    opt['train']['feature_opt'] = {'type': 'FeatureL1Loss', 'levels': ['enc1', 'neck', 'dec1']}
    done = run_in(tree, 'basicsr/train.py', '-opt', tiny.write_options(opt, tmp_path / 'narrow.yml'))
    assert 'l_feat: ' in done.stdout + done.stderr
    folder = tree / 'experiments' / 'narrow_student'
    assert {file.name for file in (folder / 'training_states').iterdir()} == {'3.state', '3_extra.pth', '6.state',
                                                                              '6_extra.pth'}
    student = torch.load(folder / 'models' / 'net_g_latest.pth')['params_ema']
    PKDNStudent(**{**NETWORK, 'num_feat': 2}).load_state_dict(student)  # and nothing of adapters


@pytest.mark.parametrize(('file', 'old', 'new', 'words'), [
    ('data/parsing_map_dataset.py', 'rng = self.rng(index)', 'rng = self.draw(index)',
     ['data.parsing_map_dataset', 'adapt']),
    ('models/prior.py', 'data.parsing_labels', 'host.labels', ['models.prior', 'host.labels', 'no place']),
    ('archs/pkdn_arch.py', '    """The teacher:', '    """As in `pkdn_basicsr`:', ['pkdn_arch.py', 'means nothing']),
    ('losses/loss_schedule.py', 'LossSchedule', 'Schedule', ['LossSchedule', 'no place']),
], ids=['rule', 'name', 'word', 'definition'])
def test_sources_that_no_longer_fit_the_table_are_named(file, old, new, words, tmp_path):
    for folder in ('pkdn_basicsr', 'options', 'scripts'):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns('__pycache__', '*.safetensors'))
    source = tmp_path / 'pkdn_basicsr' / file
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    done = tiny.run_python(tmp_path / 'scripts' / 'upstream_patch.py', 'pkdn.patch', cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr
