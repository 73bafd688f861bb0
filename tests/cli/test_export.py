import pytest
import torch
from safetensors.torch import load_file
from students import ARGUMENTS, make_student, save_student

from pkdn_basicsr.cli import export as cli
from pkdn_basicsr.cli.export import run
from pkdn_basicsr.export.export import Exported
from pkdn_basicsr.weights.card import Card
from pkdn_basicsr.weights.trained_network import load_trained


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_student(tmp_path / 'student.pth')
    return tmp_path


def test_a_checkpoint_becomes_a_file_that_says_all(project, capsys):
    assert run(['--weights', 'student.pth', '-o', 'sub/a.safetensors', '--licence', 'research only', '--protocol',
                'CelebA-HQ crops']) == 0
    net, card = load_trained('sub/a.safetensors')
    assert card == Card({'type': 'PKDNStudent', **ARGUMENTS}, 8, 16, 'CelebA-HQ crops', 'research only')
    lq = torch.rand(1, 3, 8, 8)
    assert torch.equal(net(lq), make_student()(lq))
    out = capsys.readouterr().out
    for word in (str(project / 'sub' / 'a.safetensors'), 'at most 0.0e+00', 'PKDNStudent, x8', 'research only'):
        assert word in out


def test_the_card_is_handed_on(project):
    run(['--weights', 'student.pth', '-o', 'a.safetensors', '--licence', 'research only', '--half'])
    run(['--weights', 'a.safetensors', '-o', 'b.safetensors', '--format', 'safetensors', '--protocol', 'crops'])
    assert load_trained('a.safetensors')[1].licence == 'research only'
    card = load_trained('b.safetensors')[1]
    assert (card.licence, card.protocol) == ('research only', 'crops')


def test_half_halves(project):
    for name, more in (('a', []), ('b', ['--half'])):
        run(['--weights', 'student.pth', '-o', f'{name}.safetensors', *more])
    full, half = (sum(value.nbytes for value in _tensors(name).values()) for name in ('a', 'b'))
    assert half < 0.51 * full


def _tensors(name):
    return load_file(f'{name}.safetensors')


def test_onnx_says_its_opset(project, monkeypatch, capsys):
    monkeypatch.setattr(cli, 'export', lambda *_: Exported(2**20, 2e-7, 'abc'))
    assert run(['--weights', 'student.pth', '-o', 'a.onnx']) == 0
    assert '1.00 MiB, opset 18; read again, it differs from the network by at most 2.0e-07' in capsys.readouterr().out


def test_what_is_there_stays_unless_told(project, usage_error):
    (project / 'a.safetensors').write_text('older')
    with usage_error('a.safetensors exists already', '--overwrite'):
        run(['--weights', 'student.pth', '-o', 'a.safetensors'])
    assert (project / 'a.safetensors').read_text() == 'older'
    assert run(['--weights', 'student.pth', '-o', 'a.safetensors', '--overwrite']) == 0
    assert load_trained('a.safetensors')


def test_unknown_formats_and_missing_weights(project, usage_error):
    with usage_error('.onnx or .safetensors or .pt2', 'found a.trt'):
        run(['--weights', 'student.pth', '-o', 'a.trt'])
    with usage_error('ends with .onnx, found a.safetensors'):
        run(['--weights', 'student.pth', '-o', 'a.safetensors', '--format', 'onnx'])
    with usage_error('no such file', 'none.pth'):
        run(['--weights', 'none.pth', '-o', 'a.onnx'])
