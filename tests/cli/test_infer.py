import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from students import save_student

from pkdn_basicsr.cli.infer import run
from pkdn_basicsr.infer.run import Enlarger
from pkdn_basicsr.infer.upscaler import FaceUpscaler


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with two faces and a student."""
    monkeypatch.chdir(tmp_path)
    save_student(tmp_path / 'student.pth')
    rng = np.random.default_rng(0)
    for name, shape in (('faces/a.png', (16, 16, 3)), ('faces/sub/b.png', (20, 24, 4))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def _infer(*arguments):
    return run(['--weights', 'student.pth', '-o', 'out', '--device', 'cpu', *arguments])


def test_a_folder_is_enlarged(project, capsys):
    assert _infer('-i', 'faces') == 0
    assert f'2 of 2 pictures enlarged x8, in {project / "out"}' in capsys.readouterr().out
    assert sorted(path.relative_to(project).as_posix() for path in (project / 'out').rglob('*.*')) == [
        'out/a.png', 'out/sub/b.png']
    expected = np.array(FaceUpscaler('student.pth').upscale(Image.open('faces/a.png')))
    assert np.array_equal(np.array(Image.open('out/a.png')), expected)
    assert Image.open('out/sub/b.png').size == (192, 160)
    assert Image.open('out/sub/b.png').mode == 'RGBA'


def test_every_option_arrives(project, monkeypatch):
    seen = []
    monkeypatch.setattr(Enlarger, 'run', lambda self, tasks, outcome: seen.append((self, tasks)))
    (project / 'net.yml').write_text('{name: x, scale: 8, network_g: {type: PKDNStudent, num_feat: 4, num_enc_blocks: '
                                     '[1, 1], num_neck_blocks: 1, num_dec_blocks: [1, 1]}}')
    _infer('-i', 'faces/*.png', 'faces/sub', '--opt', 'net.yml', '--scale', '8', '--self-ensemble', '--batch', '3',
           '--shrink', '40', '--format', 'webp', '--compare')
    (enlarger, tasks), = seen
    assert (enlarger.batch, enlarger.shrink, enlarger.file_format, enlarger.detector) == (3, 40, 'webp', None)
    assert enlarger.upscaler.self_ensemble
    assert 'num_neck_blocks' in enlarger.upscaler.card.network
    assert [task.panel.as_posix() for task in tasks] == ['out/a_compare.webp', 'out/b_compare.webp']


def test_a_broken_picture_is_listed_at_the_end_with_status_1(project, capsys):
    (project / 'faces' / 'c.jpg').write_text('no picture')
    assert _infer('-i', 'faces') == 1
    said = capsys.readouterr()
    assert '2 of 3 pictures' in said.out
    assert '1 picture gave no result' in said.err
    assert 'faces/c.jpg: not a picture' in said.err


def test_a_second_run_needs_overwrite(project, usage_error):
    _infer('-i', 'faces')
    with usage_error('2 of 2', '--overwrite'):
        _infer('-i', 'faces')
    Image.new('RGB', (16, 16)).save('faces/a.png')
    assert _infer('-i', 'faces', '--overwrite') == 0
    assert np.array(Image.open('out/a.png')).mean() < 60


def test_without_weights_the_way_out_is_told(project, monkeypatch, usage_error):
    monkeypatch.setattr('pkdn_basicsr.weights.shipped.STUDENTS', {})
    with usage_error('--weights FILE'):
        run(['-i', 'faces', '-o', 'out'])
    assert not (project / 'out').exists()


def test_photographs(project, shared_weights, capsys):
    astronaut = Image.fromarray(skimage.data.astronaut()).resize((80, 80))
    (project / 'photos').mkdir()
    astronaut.save('photos/astronaut.jpg')
    Image.new('RGB', (40, 40)).save('photos/black.png')
    assert _infer('-i', 'photos', '--photo', '--detector', str(shared_weights / 'yunet_n_640_640.onnx')) == 0
    out = capsys.readouterr().out
    assert '1 face super-resolved, 0 too large' in out
    assert 'no face found: photos/black.png' in out
    assert cv2.imread('out/astronaut.png').shape == (640, 640, 3)


@pytest.mark.parametrize('arguments', [['--photo'], ['--detector', 'a.onnx'], ['--batch', '0'], ['--shrink', 'x']],
                         ids=str)
def test_wrong_usage(project, arguments, capsys):
    with pytest.raises(SystemExit) as leave:
        _infer('-i', 'faces', *arguments)
    assert leave.value.code == 2


def test_interruption_says_what_is_there(project, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Enlarger, 'run', stop)
    assert _infer('-i', 'faces') == 130
    assert f'whole in {project / "out"}: 0 results' in capsys.readouterr().err
