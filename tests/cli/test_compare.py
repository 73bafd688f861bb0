import csv
import json
import re

import numpy as np
import pytest
import tiny
import torch
import yaml
from PIL import Image

from pkdn_basicsr.archs import PKDNTeacher
from pkdn_basicsr.cli.compare import run
from pkdn_basicsr.errors import OptionFileError, UsageError
from pkdn_basicsr.weights.face_parser import SHIPPED_FACE_PARSER

TINY = {'scale': 8, 'num_feat': 4, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with three faces, bicubic, a teacher with weights and a student without."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, shape in (('images', (32, 32, 3)), ('parsing', (32, 32))):
        (tmp_path / folder).mkdir()
        for name in 'abc':
            Image.fromarray(rng.integers(0, 19, shape, dtype=np.uint8)).save(tmp_path / folder / f'{name}.png')
    torch.save({'params': PKDNTeacher(19, **TINY).state_dict()}, 'teacher.pth')
    networks = {'bicubic': {'type': 'Bicubic'}, 'teacher': {'type': 'PKDNTeacher', **TINY},
                'student': {'type': 'PKDNStudent', **TINY}}
    for name, network in networks.items():
        (tmp_path / f'{name}.yml').write_text(yaml.safe_dump({'name': name, 'network_g': network}))
    (tmp_path / 'compare.yml').write_text(yaml.safe_dump({
        'name': 'tiny',
        'scale': 8,
        'methods': {'bicubic': 'bicubic.yml', 'student': 'student.yml',
                    'teacher': {'opt': 'teacher.yml', 'checkpoint': 'teacher.pth'}},
        'datasets': {'test': {'name': 'faces', 'type': 'ParsingMapDataset', 'dataroot_gt': 'images',
                              'dataroot_parsing': 'parsing', 'gt_size': 32}},
        'val': {'metrics': {'psnr': {'type': 'calculate_psnr', 'crop_border': 0, 'test_y_channel': True}}},
    }, sort_keys=False))
    return tmp_path


def test_table_values_and_picture_are_written(project, capsys):
    assert run(['-opt', 'compare.yml', '--allow-missing', '-o', 'out']) == 0
    printed = capsys.readouterr().out
    assert (project / 'out' / 'table.md').read_text() in printed
    assert "method 'student': no such checkpoint" in printed
    assert str(project / 'out') in printed
    rows = list(csv.DictReader((project / 'out' / 'per_image.csv').open()))
    assert [row['method'] for row in rows] == ['bicubic', 'teacher'] * 3
    assert Image.open(project / 'out' / 'faces.png').size[0] > 100
    assert sorted(path.name for path in (project / 'out').iterdir()) == [
        'cost.png', 'faces.png', 'finished', 'per_image.csv', 'summary.json', 'table.csv', 'table.md', 'table.tex']


def test_limit_takes_the_first_faces_and_results_go_to_the_default_folder(project):
    run(['-opt', 'compare.yml', '--allow-missing', '--limit', '1'])
    rows = list(csv.DictReader((project / 'results' / 'tiny' / 'per_image.csv').open()))
    assert [row['image'] for row in rows] == ['a.png'] * 2


def test_a_missing_checkpoint_stops_before_anything_is_written(project):
    with pytest.raises(UsageError, match="method 'student'"):
        run(['-opt', 'compare.yml'])
    assert not (project / 'results').exists()


def test_the_reference_must_be_a_method(project):
    with pytest.raises(UsageError, match="no method 'bicubicc'; the file has bicubic, teacher"):
        run(['-opt', 'compare.yml', '--allow-missing', '--reference', 'bicubicc'])


@pytest.mark.parametrize(('change', 'message'), [
    ({'methods': None}, 'methods: expected names and values'),
    ({'datasets': {'val': {}}}, 'found no datasets.test'),
    ({'val': {}}, 'val: expected names and values'),
    ({'methods': {'teacher': {'checkpoint': 'teacher.pth'}}},
     "method 'teacher': teacher.pth: expected a .safetensors file"),
    ({'methods': {'teacher': {'opt': 'teacher.yml', 'chekpoint': 'x'}}}, 'chekpoint'),
    ({'methods': {'teacher': None}}, "method 'teacher': expected"),
])
def test_an_incomplete_option_file_is_refused(project, change, message):
    opt = yaml.safe_load((project / 'compare.yml').read_text())
    (project / 'compare.yml').write_text(yaml.safe_dump({**opt, **change}, sort_keys=False))
    with pytest.raises(UsageError, match=message):
        run(['-opt', 'compare.yml', '--allow-missing'])


def test_what_nothing_reads_is_refused_with_its_line(project):
    edit(project, lambda opt: (opt.update(reference='teacher', latncy={'batch': 4}), opt['val'].update(suffix='x'),
                               opt['datasets']['test'].update(gt_sise=64), opt['datasets'].update(val={'name': 'x'})))
    with pytest.raises(OptionFileError) as caught:
        run(['-opt', 'compare.yml', '--allow-missing'])
    for words in (r'compare.yml:\d+: reference: a comparison has no such option', "latncy: .* did you mean 'latency'",
                  'val.suffix: a comparison has no such', "datasets.test.gt_sise: .* did you mean 'gt_size'",
                  'datasets.val: a comparison runs on datasets.test'):
        assert any(re.search(words, line) for line in caught.value.lines), words
    assert len(caught.value.lines) == 5


def test_a_data_set_of_the_host_is_checked_as_for_a_test(project):
    edit(project, lambda opt: opt.update(datasets={'test': {
        'name': 'pairs', 'type': 'PairedImageDataset', 'dataroot_gt': 'images', 'dataroot_lq': 'nowhere'}}))
    with pytest.raises(OptionFileError, match='io_backend: is missing; PairedImageDataset needs it') as caught:
        run(['-opt', 'compare.yml', '--allow-missing'])
    assert any('dataroot_lq' in line and 'nowhere' in line for line in caught.value.lines)


@pytest.mark.parametrize(('scheme', 'message'), [
    ('fsrnet', 'num_classes 19'), ('face_parsing', 'trained with maps of the scheme celebamask_hq')])
def test_a_teacher_gets_maps_of_its_own_scheme_only(project, scheme, message):
    teacher = yaml.safe_load((project / 'teacher.yml').read_text())
    teacher['datasets'] = {'train': {'parsing_scheme': 'celebamask_hq'}}
    (project / 'teacher.yml').write_text(yaml.safe_dump(teacher))
    opt = yaml.safe_load((project / 'compare.yml').read_text())
    opt['datasets']['test']['parsing_scheme'] = scheme
    (project / 'compare.yml').write_text(yaml.safe_dump(opt, sort_keys=False))
    with pytest.raises(UsageError, match=message):
        run(['-opt', 'compare.yml', '--allow-missing'])


@pytest.mark.parametrize('limit', ['0', '-1', 'x'])
def test_a_limit_is_a_number_of_faces(project, limit, capsys):
    with pytest.raises(SystemExit):
        run(['-opt', 'compare.yml', '--limit', limit])
    assert 'expected a whole number above 0' in capsys.readouterr().err


def edit(project, change):
    """Change the option file of the comparison by a function."""
    opt = yaml.safe_load((project / 'compare.yml').read_text())
    change(opt)
    (project / 'compare.yml').write_text(yaml.safe_dump(opt, sort_keys=False))


COMPARE = ['-opt', 'compare.yml', '--allow-missing', '-o', 'out']


def test_finished_methods_survive_an_interruption(project, capsys, monkeypatch):
    from pkdn_basicsr.report import compare
    evaluate, done = compare.evaluate, []

    def interrupted(method, *others):
        done.append(method.name)
        if method.name == 'teacher':
            raise KeyboardInterrupt
        return evaluate(method, *others)

    monkeypatch.setattr(compare, 'evaluate', interrupted)
    assert run(COMPARE) == 130
    assert str(project / 'out') in capsys.readouterr().out
    monkeypatch.setattr(compare, 'evaluate', lambda method, *others: (done.append(method.name), evaluate(
        method, *others))[1])
    assert run(COMPARE) == 0
    assert done == ['bicubic', 'teacher', 'teacher']
    assert 'bicubic: finished in an earlier run' in capsys.readouterr().out
    resumed = (project / 'out' / 'per_image.csv').read_bytes()
    assert run([*COMPARE[:-1], 'fresh']) == 0
    assert (project / 'fresh' / 'per_image.csv').read_bytes() == resumed


@pytest.mark.parametrize('change', [
    lambda project: torch.save({'params': PKDNTeacher(19, **TINY).state_dict()}, 'teacher.pth'),
    lambda project: edit(project, lambda opt: opt['val']['metrics']['psnr'].update(crop_border=1)),
    lambda project: edit(project, lambda opt: opt['methods']['teacher'].update(maps={'shift': 1})),
    lambda project: Image.new('RGB', (32, 32)).save(project / 'images' / 'a.png'),
])
def test_what_depends_on_something_that_changed_is_computed_again(project, change):
    run(COMPARE)
    first = (project / 'out' / 'per_image.csv').read_bytes()
    change(project)
    run(COMPARE)
    assert (project / 'out' / 'per_image.csv').read_bytes() != first


def test_raw_and_averaged_weights_of_a_checkpoint_keep_their_values(project):
    weights = {key: PKDNTeacher(19, **TINY).state_dict() for key in ('params', 'params_ema')}
    torch.save(weights, 'teacher.pth')
    teacher = yaml.safe_load((project / 'teacher.yml').read_text())
    for key in weights:
        path = {'pretrain_network_g': 'teacher.pth', 'param_key_g': key}
        (project / f'{key}.yml').write_text(yaml.safe_dump({**teacher, 'path': path}))
    edit(project, lambda opt: opt.update(methods={key: f'{key}.yml' for key in weights}))
    tables = []
    for _ in range(2):
        run(COMPARE)
        tables.append((project / 'out' / 'per_image.csv').read_bytes())
    assert tables[0] == tables[1]
    methods = json.loads((project / 'out' / 'summary.json').read_text())['methods']
    assert {name: method['param_key'] for name, method in methods.items()} == {key: key for key in weights}


def test_several_test_sets_have_a_folder_each(project):
    edit(project, lambda opt: opt['datasets'].update(test_2={**opt['datasets']['test'], 'name': 'again'}))
    run(COMPARE)
    assert sorted(path.name for path in (project / 'out').iterdir()) == ['again', 'faces']
    assert (project / 'out' / 'again' / 'per_image.csv').read_bytes() == (
        project / 'out' / 'faces' / 'per_image.csv').read_bytes()


def test_earlier_comparisons_are_put_together_without_running_anything(project, capsys, monkeypatch):
    for name in ('bicubic', 'teacher'):
        opt = yaml.safe_load((project / 'compare.yml').read_text())
        opt['methods'] = {name: opt['methods'][name]}
        (project / f'{name}_alone.yml').write_text(yaml.safe_dump(opt))
        run(['-opt', f'{name}_alone.yml', '-o', name])
    run(COMPARE)
    monkeypatch.setattr('pkdn_basicsr.report.method.load_method', None)
    capsys.readouterr()
    assert run(['--from', 'bicubic/summary.json', 'teacher/summary.json', '-o', 'merged']) == 0
    assert (project / 'merged' / 'per_image.csv').read_bytes() == (project / 'out' / 'per_image.csv').read_bytes()
    merged, whole = (json.loads((project / folder / 'summary.json').read_text()) for folder in ('merged', 'out'))
    for name in ('bicubic', 'teacher'):
        assert merged['methods'][name]['metrics'] == whole['methods'][name]['metrics']
        assert merged['methods'][name]['checkpoint'] == whole['methods'][name]['checkpoint']
    assert len(merged['runs']) == 2
    assert 'times do not compare' in capsys.readouterr().out


def test_a_merge_does_not_overwrite_what_it_reads(project, usage_error):
    run(COMPARE)
    with usage_error('-o', 'another folder'):
        run(['--from', 'out/summary.json', '-o', 'out'])


def test_two_ranks_write_the_values_of_one(project):
    tables = []
    for folder, torchrun in (('one', []), ('two', ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node',
                                                   '2'])):
        done = tiny.run_python(*torchrun, '-m', 'pkdn_basicsr', 'compare', *COMPARE[:-1], folder,
                               *(['--launcher', 'pytorch'] if torchrun else []), cwd=project)
        assert done.returncode == 0, done.stderr
        tables.append((project / folder / 'per_image.csv').read_bytes())
        assert done.stdout.count('Written to') == 1
    assert tables[0] == tables[1]


def test_a_plugin_s_network_takes_part(project):
    body = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 3 * 8**2, 3))
    weights = {f'body.{name}': tensor for name, tensor in body.state_dict().items()}
    torch.save({'params': {**weights, 'noise': torch.zeros(3, 1, 1)}}, 'plugin.pth')
    (project / 'plugin.yml').write_text(yaml.safe_dump({
        'name': 'plugin', 'network_g': {'type': 'PluginNet', 'scale': 8},
        'path': {'pretrain_network_g': 'plugin.pth'}}))
    site = tiny.write_plugin(project / 'site')
    edit(project, lambda opt: opt.update(methods={'theirs': 'plugin.yml'}))
    done = tiny.run_python('-m', 'pkdn_basicsr', 'compare', *COMPARE, cwd=project, python_path=site)
    assert done.returncode == 0, done.stderr
    assert '| theirs |' in (project / 'out' / 'table.md').read_text()


def test_a_metric_that_takes_a_file_may_come_first(project):
    metrics = {'parsing': {'type': 'calculate_parsing_miou', 'parser': str(SHIPPED_FACE_PARSER), 'size': 32}}
    edit(project, lambda opt: opt.update(val={'metrics': metrics}))
    assert run(COMPARE) == 0
    assert (project / 'out' / 'faces.png').is_file()
    parser = json.loads((project / 'out' / 'summary.json').read_text())['metrics']['parsing']['parser']
    assert SHIPPED_FACE_PARSER.name.endswith(f"-{parser['sha256'][:8]}.safetensors")


def test_a_teacher_takes_part_where_there_are_maps(project, capsys):
    edit(project, lambda opt: opt['datasets'].update(test_2={
        **opt['datasets']['test'], 'name': 'mapless', 'dataroot_parsing': None}))
    assert run(COMPARE) == 0
    assert "left out on mapless: 'teacher'" in capsys.readouterr().out
    assert '| teacher' in (project / 'out' / 'faces' / 'table.md').read_text()
    assert '| teacher' not in (project / 'out' / 'mapless' / 'table.md').read_text()
    edit(project, lambda opt: opt.update(methods={'teacher': opt['methods']['teacher']}))
    with pytest.raises(UsageError, match='mapless: every method needs parsing maps'):
        run(COMPARE)


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_computed(project, usage_error, monkeypatch):
    (project / 'file').write_text('')
    monkeypatch.setattr('pkdn_basicsr.report.compare.evaluate', None)
    for folder in ('file', 'file/below'):
        with usage_error('-o', folder):
            run([*COMPARE[:-1], folder])


@pytest.mark.parametrize(('change', 'words'), [
    (lambda opt: opt.update(methods=['bicubic.yml']), ['methods', 'bicubic.yml']),
    (lambda opt: opt['val'].update(metrics=['psnr']), ['val.metrics', 'psnr']),
    (lambda opt: opt.update(latency=5), ['latency', '5']),
    (lambda opt: opt.update(scale='8'), ['scale', "'8'"]),
    (lambda opt: opt['datasets'].update(test=None), ['datasets.test', 'None']),
    (lambda opt: opt['datasets']['test'].update(type='ParsingMapDatase'), ['datasets.test', 'ParsingMapDatase']),
    (lambda opt: opt['datasets'].update(test_2=opt['datasets']['test']), ['2 data sets', 'faces']),
    (lambda opt: opt['datasets']['test'].update(name='../faces'), ['../faces']),
    (lambda opt: opt['val']['metrics']['psnr'].update(type='calculate_psnrr'), ['calculate_psnrr', 'calculate_psnr']),
    (lambda opt: opt['methods'].update(teacher={'opt': 'student.yml', 'checkpoint': 'teacher.pth'}),
     ["method 'teacher'", 'teacher.pth', 'PKDNStudent']),
    (lambda opt: opt['datasets']['test'].update(dataroot_gt='none'), ['dataroot_gt', 'none']),
    (lambda opt: opt['datasets']['test'].update(gt_size=None), ['b.png', '16x32', '32x32']),
    (lambda opt: opt['datasets']['test'].update(dataroot_gt='grey', dataroot_parsing=None, gt_size=None) or opt.update(
        methods={'bicubic': 'bicubic.yml'}), ['a.png', 'grey']),
    (lambda opt: opt.update(latency={'batch': 0}), ['latency.batch', '0']),
    (lambda opt: opt['val'].update(metrics={'lpips': {'type': 'calculate_lpips', 'weights': 'w',
                                                      'on_missing': 'skip'}}), ['none of val.metrics', 'w']),
])
def test_wrong_input_is_one_line_that_names_it(project, change, words, usage_error):
    for folder in ('none', 'grey'):
        (project / folder).mkdir()
    Image.new('L', (32, 32)).save(project / 'grey' / 'a.png')
    edit(project, change)
    if 'b.png' in words:
        Image.new('RGB', (16, 32)).save(project / 'images' / 'b.png')
    with usage_error(*words):
        run(COMPARE)
    assert not (project / 'out').exists()
