"""The wheel in use, outside the repository."""

from PIL import Image
from safetensors import safe_open


def test_the_option_files_lie_in_the_environment(basicsr, environment):
    assert f'in {environment}' in basicsr('options').splitlines()[0]


def test_from_an_empty_folder_to_an_exported_student(basicsr, tmp_path):
    basicsr('options', '-o', 'options')
    basicsr('prepare', 'toy', '--dst', 'datasets/toy_faces', '--num', '8', '--seed', '0', '--workers', '1')
    basicsr('train', '-opt', 'options/quickstart/pkdn_student_alone.yml', '--force_yml', 'train:total_iter=2',
            'datasets:train:batch_size_per_gpu=2', 'datasets:train:num_worker_per_gpu=0', 'num_gpu=0')
    weights = 'experiments/quickstart_pkdn_student_alone/models/net_g_latest.pth'
    basicsr('infer', '-i', 'datasets/toy_faces/images', '--shrink', '16', '-o', 'large', '--weights', weights)
    assert {Image.open(path).size for path in (tmp_path / 'large').iterdir()} == {(128, 128)}
    basicsr('export', '--weights', weights, '-o', 'student.safetensors')
    with safe_open(tmp_path / 'student.safetensors', 'np') as file:
        assert '"PKDNStudent"' in str(file.metadata())


def test_the_shipped_student_is_there(basicsr, tmp_path):
    Image.effect_mandelbrot((16, 16), (-2, -1.5, 1, 1.5), 50).convert('RGB').save(tmp_path / 'a.png')
    basicsr('infer', '-i', 'a.png', '-o', 'large')
    assert [Image.open(path).size for path in (tmp_path / 'large').iterdir()] == [(128, 128)]


def test_the_shipped_parser_is_there(basicsr, tmp_path):
    (tmp_path / 'faces').mkdir()
    Image.effect_mandelbrot((128, 128), (-2, -1.5, 1, 1.5), 50).convert('RGB').save(tmp_path / 'faces' / 'a.png')
    basicsr('prepare', 'parse', '--src', 'faces', '--dst', 'maps', '--workers', '1')
    assert Image.open(tmp_path / 'maps' / 'parsing' / 'a.png').size == (128, 128)
