import json

import pytest
import tiny


@pytest.fixture
def bench(basicsr_command, tmp_path):
    """Run `basicsr bench ...` in an empty folder; return its output and the one record that it left."""
    def run(*arguments):
        status, out, err = basicsr_command(tmp_path, 'bench', *arguments)
        assert status == 0, err
        record, = tmp_path.glob('results/bench/*/*.json')
        assert record.with_suffix('.png').is_file()
        return out, json.loads(record.read_text()), record
    return run


@pytest.fixture
def options(tmp_path, tiny_faces):
    opt = tiny.train_options(tiny_faces)
    opt['model_type'] = 'FaceSRModel'
    return tiny.write_options(opt, tmp_path / 'tiny.yml')


def test_step(bench, options):
    out, record, file = bench('step', '-opt', options, '--repeats', '2', '--warmup', '0', '--batch', '3')
    assert file.parent.name == 'step_tiny'
    found = record['results']['steps']['tiny']
    assert set(found['parts']) == {'copy', 'student forward', 'losses', 'backward', 'optimizer', 'rest'}
    assert (found['batch'], found['step']['count'], found['over_bare_loop']['count']) == (3, 2, 2)
    assert set(record['results']['rates']['macs']) == {'fp32', 'bf16'}
    for words in ('sum of the parts', 'undivided step', 'step / bare loop', 'GMAC/s', 'of the rate of fp32'):
        assert words in out


def test_the_parts_add_up(bench, options):
    _, record, _ = bench('step', '-opt', options, '--repeats', '1', '--warmup', '0')
    found = record['results']['steps']['tiny']
    assert sum(part['median'] for part in found['parts'].values()) == pytest.approx(found['parts_together']['median'])


def test_train(bench, options):
    out, record, file = bench('step', '--train', '-opt', options, '--rounds', '1', '--repeats', '2', '--warmup', '1')
    assert file.parent.name == 'train_tiny'
    assert 'data' in record['results']['parts']
    assert record['results']['iteration']['count'] == 2
    assert 'share of data' in out


def test_infer(bench, options):
    out, record, _ = bench('infer', '-opt', options, '--networks', 'Bicubic', '--batch', '1', '2', '--repeats', '1',
                           '--warmup', '0', '--device', 'cpu')
    assert [(found['network'], found['batch'], found['mode']) for found in record['results']['latencies']] == [
        ('tiny', 1, 'eager'), ('Bicubic', 1, 'eager'), ('tiny', 2, 'eager'), ('Bicubic', 2, 'eager')]
    assert record['results']['networks']['Bicubic']['parameters'] == 0
    assert '/ tiny' in out


def test_data(bench, options):
    out, record, _ = bench('data', '-opt', options, '--workers', '0', '--images', '4', '--rounds', '1', '--force_yml',
                           'datasets:train:batch_size_per_gpu=4')
    assert [found['workers'] for found in record['results']] == [0]
    assert 'batch 4' in out


def test_growth(bench):
    _, record, file = bench('growth', '--files', '64', '65', '--samples', '1', '--rounds', '1')
    assert file.parent.name == 'growth_folder'
    assert [found['files'] for found in record['results']] == [64, 65]


def test_scale(bench, options):
    _, record, _ = bench('scale', '-opt', options, '--ranks', '1', '--rounds', '1', '--repeats', '1', '--warmup', '0')
    assert [found['ranks'] for found in record['results']] == [1]


def test_own_folder_and_what_is_replaced(bench, options, basicsr_command, tmp_path):
    arguments = ['infer', '--networks', 'Bicubic', '--batch', '1', '--repeats', '1', '-o', 'results/bench/mine']
    out, _, file = bench(*arguments)
    assert file.parent.name == 'mine'
    assert 'replaced' not in out
    assert 'replaced' in basicsr_command(tmp_path, 'bench', *arguments)[1]


@pytest.mark.parametrize(('arguments', 'words'), [
    (['step', '-opt', 'no.yml'], ['no such option file', 'no.yml']),
    (['step', '--train', '-opt', 'tiny.yml', 'tiny.yml'], ['--train', 'one option file']),
    (['infer'], ['-opt', '--networks']),
    (['infer', '--networks', 'SPARNe'], ['SPARNe', 'SPARNet']),
    (['infer', '--networks', 'Bicubic', '-o', '/proc/here'], ['-o', '/proc/here']),
    (['infer', '-opt', 'empty.yml'], ['empty: network_g is missing']),
    (['data', '-opt', 'empty.yml'], ['empty.yml', 'datasets.train']),
    (['data', '-opt', 'no.yml'], ['no such option file'])])
def test_wrong_usage_is_one_line(basicsr_command, tmp_path, options, arguments, words):
    (tmp_path / 'empty.yml').write_text('name: empty')
    status, _, err = basicsr_command(tmp_path, 'bench', *arguments)
    assert status == 2
    assert not (tmp_path / 'results').exists()
    line = err.strip().splitlines()[-1]
    assert line.startswith('basicsr bench: error: ')
    assert all(word in line for word in words)


def test_interrupted(basicsr_command, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('pkdn_basicsr.cli.bench.measure_growth', interrupt)
    status, _, err = basicsr_command(tmp_path, 'bench', 'growth')
    assert status == 130
    assert 'nothing was written' in err
