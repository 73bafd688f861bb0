"""scripts/reproduce: what is trained on what, and how runs follow each other."""

import csv
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import yaml
from safetensors.torch import load_file
from scipy import stats

from pkdn_basicsr.host.checkpoint.weights_file import read_weights
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.options import check_option_file
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.weights.card import card_of_file, read_metadata
from pkdn_basicsr.weights.shipped import STUDENTS
from pkdn_basicsr.weights.trained_network import load_trained

ROOT = Path(__file__).resolve().parents[2]
MODULES = ('comparison', 'faces', 'plan', 'seeds', 'ship', 'training')


@pytest.fixture
def reproduce(monkeypatch):
    """The modules of scripts/reproduce, by name, in the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT / 'scripts' / 'reproduce'))
    monkeypatch.chdir(ROOT)
    yield {name: __import__(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name)


@pytest.mark.parametrize('small', [False, True])
def test_every_run_of_the_plan_has_a_right_option_file(reproduce, tmp_path, small):
    plan = reproduce['plan']
    variants = [run for kind in plan.VARIANTS for group in plan.read_variants(kind, small).values() for run in group]
    for run in plan.with_needed(plan.read_plan(small) + variants):
        path = reproduce['plan'].write_option_file(run, tmp_path)
        found = check_option_file(OptionFile(str(path)), is_train=True).error_lines()
        # faces and teachers are made on the way
        assert [text for text in found if 'datasets/' not in text and 'experiments/' not in text] == []


@pytest.mark.parametrize('small', [False, True])
def test_all_runs_have_the_same_faces_and_iterations(reproduce, small):
    runs = [run for run in reproduce['plan'].read_plan(small) if run.network != 'student alone, twice as long']
    about_maps = ('dataroot_parsing', 'parsing_scheme', 'convert_parsing_to', 'map_dropout', 'name')
    trains = [{key: value for key, value in run.opt['datasets']['train'].items() if key not in about_maps}
              for run in runs]
    assert all(train == trains[0] for train in trains)
    assert len({run.opt['train']['total_iter'] for run in runs}) == 1
    assert all(run.opt['train']['scheduler']['periods'] == [run.opt['train']['total_iter']] for run in runs)
    assert len({run.name for run in runs}) == len(runs)


def test_a_run_follows_what_it_needs(reproduce):
    runs = reproduce['plan'].read_plan(True)
    position = {run.name: index for index, run in enumerate(runs)}
    needing = [run for run in runs if run.needs]
    assert needing
    for run in needing:
        assert position[run.needs.name] < position[run.name]
        assert f'experiments/{run.needs.name}/models/' in yaml.safe_dump(run.opt['path']) + str(run.opt['network_g'])
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


@pytest.mark.parametrize('kind', ['trials', 'ablation'])
@pytest.mark.parametrize('small', [False, True])
def test_a_variant_differs_from_what_it_is_held_against_in_what_it_says_alone(reproduce, small, kind):
    variants = OptionFile(str(reproduce['plan'].VARIANTS[kind])).opt
    for network, runs in reproduce['plan'].read_variants(kind, small).items():
        assert [run.network for run in runs] == [network, *variants[network]]
        reference = dict(_flat(runs[0].opt))
        for run in runs[1:]:
            entry = variants[network][run.network]
            said = {key for part in ('change', 'small') for key, _ in _flat(entry.get(part, {}))}
            said |= {('train', 'optim_g', 'lr')} if 'rate' in entry else set()
            differ = {key for key, value in _flat(run.opt) if reference.get(key, 'absent') != value}
            if not {'opt', 'needs'} & set(entry):
                assert differ <= said | {('name',)}
            assert run.opt['datasets']['val'] == runs[0].opt['datasets']['val'] or not run.is_compared
            assert run.seed == 0


@pytest.mark.parametrize('small', [False, True])
def test_every_run_has_an_experiment_of_its_own(reproduce, small):
    plan = reproduce['plan']
    runs = plan.read_plan(small) + [run for kind in plan.VARIANTS for group in plan.read_variants(kind, small).values()
                                    for run in group[1:]]
    assert len({run.name for run in runs}) == len(runs)


def test_a_rate_is_a_multiple_of_the_protocols(reproduce):
    small = _rates(reproduce, small=True)
    assert [small[name] for name in ('SPARNet', 'SPARNet, half the rate', 'SPARNet, the rate of the protocol')] == [
        0.002, 0.0005, 0.001]
    full, own = _rates(reproduce, small=False), _own_rate('options/baselines/sparnet.yml')
    assert [full[name] for name in ('SPARNet', 'SPARNet, half the rate')] == [own, own / 2]  # tuned narrow ones alone


def _rates(reproduce, small):
    return {run.network: run.opt['train']['optim_g']['lr']
            for runs in reproduce['plan'].read_variants('trials', small).values() for run in runs}


def _own_rate(file):
    return OptionFile(file).opt['train']['optim_g']['lr']


def _flat(opt, place=()):
    for key, value in opt.items():
        yield from _flat(value, (*place, key)) if isinstance(value, dict) else [((*place, key), value)]


def test_what_a_run_needs_comes_with_it(reproduce):
    runs = {run.network: run for run in reproduce['plan'].read_plan(True)}
    taught = runs['student taught']
    assert reproduce['plan'].with_needed([taught, runs['teacher'], taught]) == [runs['teacher'], taught]


def test_training_faces_show_nobody_of_the_test(reproduce, tmp_path, shared_data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('datasets').mkdir()
    for name in ('celebamask_hq_1000', 'celeba_hq_extra_1400', 'celeba_test_dic_1000', 'us_officials_512'):
        Path('datasets', name).symlink_to(shared_data / name)
    maps = tmp_path / 'maps'
    maps.mkdir()
    for path in (shared_data / 'celeba_hq_extra_1400' / 'images').iterdir():
        (maps / f'{path.stem}.png').touch()
    count = reproduce['faces'].join_training_faces(maps, tmp_path / 'joined')
    names = (tmp_path / 'split_train.txt').read_text().split()
    assert count == len(names) == len(set(names)) == len(list((tmp_path / 'joined' / 'images').iterdir()))
    left_out = ['celebamask_hq_1000/split_val.txt', 'celebamask_hq_1000/split_test.txt',
                'celebamask_hq_1000/same_identity_as_celeba_dic_or_fsrnet_test.txt',
                'celeba_hq_extra_1400/same_identity_as_celeba_dic_or_fsrnet_test.txt',
                'celeba_hq_extra_1400/same_identity_as_celebamask_hq_1000.txt']
    for listed in left_out:
        assert not set(names) & set((shared_data / listed).read_text().split())
    assert count > 1500
    assert reproduce['faces'].join_training_faces(maps, tmp_path / 'joined') == count  # again, as after an interruption


def test_a_missing_set_is_named(reproduce, tmp_path, monkeypatch, usage_error):
    monkeypatch.chdir(tmp_path)
    with usage_error('datasets/celebamask_hq_1000', 'scripts/README.md'):
        reproduce['faces'].check_there(for_training=False)


def test_a_comparison_needs_no_further_training_faces(reproduce, tmp_path, shared_data, monkeypatch, usage_error):
    monkeypatch.chdir(tmp_path)
    Path('datasets').mkdir()
    for name in ('celebamask_hq_1000', 'celeba_test_dic_1000', 'us_officials_512'):
        Path('datasets', name).symlink_to(shared_data / name)
    reproduce['faces'].check_there(for_training=False)
    with usage_error('datasets/celeba_hq_extra_1400/images', 'same_image_as_celebamask_hq_1000.tsv'):
        reproduce['faces'].check_there(for_training=True)


@pytest.fixture
def tiny_runs(reproduce, tmp_path, tiny_faces, monkeypatch):
    """Two runs in a folder of their own, the second of which begins with the weights of the first."""
    monkeypatch.chdir(tmp_path)

    def make(name, needs=None):
        opt = tiny.train_options(tiny_faces)
        opt.update(name=name, model_type='FaceSRModel')
        opt['val']['save_best'] = 'psnr'
        if needs:
            opt['path']['pretrain_network_g'] = str(needs.checkpoint)
        return reproduce['plan'].Run(name, 0, name, opt, needs, True)

    first = make('first')
    return [first, make('second', first)]


def test_runs_follow_each_other_and_are_not_repeated(reproduce, tiny_runs, tmp_path):
    train = reproduce['training'].Trainings
    assert not train(tiny_runs, tmp_path / 'results', 2).go_on(seconds=.001)
    assert not any(run.is_finished for run in tiny_runs)
    assert train(tiny_runs, tmp_path / 'results', 2).go_on()
    assert all(run.is_finished and run.checkpoint.is_file() for run in tiny_runs)
    assert 'Loading PKDNStudent model from experiments/first' in (tmp_path / 'results' / 'second.log').read_text()
    written = tiny_runs[0].checkpoint.stat().st_mtime_ns
    assert train(tiny_runs, tmp_path / 'results', 2).go_on()
    assert tiny_runs[0].checkpoint.stat().st_mtime_ns == written


def test_a_run_of_other_options_is_not_taken_for_this_one(reproduce, tiny_runs, tmp_path, usage_error):
    reproduce['training'].Trainings(tiny_runs[:1], tmp_path / 'results', 1).go_on()
    tiny_runs[0].opt['train']['optim_g']['lr'] = .002
    with usage_error('experiments/first', 'other options', 'move it away'):
        reproduce['training'].Trainings(tiny_runs, tmp_path / 'results', 1)


@pytest.fixture
def trained(tiny_runs):
    """A run as its training leaves it, that shall be shipped as `tiny_x8`."""
    run = replace(tiny_runs[0], weights='tiny_x8')
    run.checkpoint.parent.mkdir(parents=True)
    net = build_untrained(run.opt['network_g']).eval()
    for path in (run.checkpoint, run.checkpoint.with_name('net_g_latest.pth')):
        torch.save({'params': net.state_dict()}, path)
    return run, net


def test_shipped_weights_are_compared_where_nothing_is_trained(reproduce, trained):
    run, _ = trained
    assert run.tested == str(run.checkpoint)
    elsewhere = replace(run, name='elsewhere')
    assert elsewhere.tested is None
    assert replace(elsewhere, weights=next(iter(STUDENTS))).tested == next(iter(STUDENTS))


def test_what_is_shipped_has_its_hash_in_its_name_and_is_what_was_trained(reproduce, trained, tmp_path, capsys,
                                                                          monkeypatch):
    run, net = trained
    monkeypatch.setattr(reproduce['ship'], '_FOLDER', tmp_path)
    reproduce['plan'].write_option_file(run, tmp_path / 'options')
    reproduce['ship'].ship([run, replace(run, name='elsewhere'), replace(run, weights=None),
                            replace(run, weights=next(iter(STUDENTS)))], tmp_path)
    (file,) = tmp_path.glob('*.safetensors')
    assert file.stem == f'tiny_x8-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}'
    assert capsys.readouterr().out == f"    'tiny_x8': '{file.name}',\n"
    shipped, card = load_trained(file)
    assert 'non-commercial' in card.licence
    lq = torch.rand(1, 3, card.lq_size, card.lq_size)
    assert torch.allclose(shipped(lq), net(lq), atol=1e-2)


def test_what_half_precision_would_change_is_shipped_in_full(reproduce, trained, tmp_path, monkeypatch):
    run, net = trained
    with torch.no_grad():
        next(net.parameters()).mul_(1e6)  # above what float16 can hold
    torch.save({'params': net.state_dict()}, run.checkpoint)
    monkeypatch.setattr(reproduce['ship'], '_FOLDER', tmp_path)
    reproduce['plan'].write_option_file(run, tmp_path / 'options')
    reproduce['ship'].ship([run], tmp_path)
    (file,) = tmp_path.glob('*.safetensors')
    assert torch.equal(load_file(file)[next(iter(dict(net.named_parameters())))], next(net.parameters()))


def test_a_teacher_is_shipped_as_compare_reads_it(reproduce, trained, tmp_path, monkeypatch):
    run, _ = trained
    run.opt['network_g'] = {**run.opt['network_g'], 'type': 'PKDNTeacher', 'num_classes': 19}
    net = build_untrained(run.opt['network_g'])
    torch.save({'params_ema': net.state_dict()}, run.checkpoint)
    monkeypatch.setattr(reproduce['ship'], '_FOLDER', tmp_path)
    reproduce['ship'].ship([run], tmp_path)
    file = next(tmp_path.glob('tiny_x8-*.safetensors'))
    assert 'one-hot parsing (B, 19, 4 h, 4 w)' in read_metadata(str(file))['layout']
    card = card_of_file(str(file))
    assert (card.network, card.scale, card.lq_size) == (run.opt['network_g'], 4, 8)
    shipped = read_weights(str(file))[0]
    assert all(torch.allclose(shipped[name].to(value), value, atol=1e-3) for name, value in net.state_dict().items())


def test_a_run_that_fails_is_named(reproduce, tiny_runs, tmp_path, usage_error):
    tiny_runs[0].opt['datasets']['train']['dataroot_gt'] = 'nowhere'
    with usage_error('first failed', 'first.log'):
        reproduce['training'].Trainings(tiny_runs, tmp_path / 'results', 1).go_on()
    assert 'nowhere' in (tmp_path / 'results' / 'first.log').read_text()


def test_seeds_are_compared_apart_from_the_networks(reproduce, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = reproduce['plan'].Run
    runs = [run(network, seed, f'{network}{seed}', {}, None, True)
            for network, seeds in (('student alone', 2), ('student taught', 2), ('EDSR', 1)) for seed in range(seeds)]
    compared = {}

    def compare(command, check):
        opt = yaml.safe_load(command[-1].read_text())
        compared[opt['name']] = list(opt['methods'])
        folder = Path('results', opt['name'])
        folder.mkdir(parents=True)
        rows = [f'{face},"{name}",{face}' for name in opt['methods'] for face in range(4)]
        (folder / 'per_image.csv').write_text('\n'.join(['image,method,psnr_dic', *rows]))

    monkeypatch.setattr(reproduce['comparison'].subprocess, 'run', compare)
    Path('r').mkdir()
    reproduce['comparison'].compare(runs, Path('r'))
    assert compared['r_val'] == ['student alone', 'student taught', 'EDSR', 'bicubic']
    assert compared['r_val_seeds'] == ['student alone', 'student alone, seed 1', 'student taught',
                                       'student taught, seed 1', 'bicubic']
    assert compared.keys() == {f'r_{faces}{kind}' for faces in ('val', 'dic', 'officials') for kind in ('', '_seeds')}
    assert '| +0.000 | +0.000 |' in Path('r', 'seeds.md').read_text()


def test_the_table_of_seeds(reproduce, tmp_path):
    rng = np.random.default_rng(0)
    runs, values = [], {}
    for network, gain in (('student alone', 0.), ('student taught', .1)):
        for seed in range(3):
            run = reproduce['plan'].Run(network, seed, '', {}, None, True)
            values[reproduce['seeds'].method_name(run)] = 25 + gain + rng.normal(0, .05, 40)
            runs.append(run)
    with open(tmp_path / 'per_image.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'method', 'psnr_dic'])
        writer.writerows([face, name, value[face]] for face in range(40) for name, value in values.items())
    assert reproduce['seeds'].common_seeds(runs[:5]) == [0, 1]
    table = reproduce['seeds'].seed_table(runs, {'test': tmp_path}).splitlines()
    cells = [cell.strip() for cell in table[2].strip('|').split('|')]
    means = [(values[taught] - values[alone]).mean() for alone, taught in
             (('student alone', 'student taught'), ('student alone, seed 1', 'student taught, seed 1'),
              ('student alone, seed 2', 'student taught, seed 2'))]
    assert cells[:5] == ['test', *(f'{mean:+.3f}' for mean in means), f'{np.mean(means):+.3f}']
    half = stats.t.ppf(.975, 2) * np.std(means, ddof=1) / np.sqrt(3)
    assert cells[6] == f'[{np.mean(means) - half:+.3f}, {np.mean(means) + half:+.3f}]'
    low, high = (float(number) for number in cells[5].strip('[]').split(','))
    assert low < np.mean(means) < high
