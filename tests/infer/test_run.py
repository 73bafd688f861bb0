from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from students import save_student

from pkdn_basicsr.infer import run as run_module
from pkdn_basicsr.infer.inputs import Task
from pkdn_basicsr.infer.photo import EnlargedPhoto
from pkdn_basicsr.infer.run import Enlarger, Outcome
from pkdn_basicsr.infer.upscaler import FaceUpscaler

RNG = np.random.default_rng(0)


@pytest.fixture
def upscaler(tmp_path):
    return FaceUpscaler(save_student(tmp_path / 'a.pth'))


def _tasks(folder, *sizes):
    tasks = []
    for index, (height, width) in enumerate(sizes):
        source = folder / f'{index}.png'
        Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(source)
        tasks.append(Task(source, folder / 'out' / f'{index}.png', folder / 'out' / f'{index}_compare.png'))
    return tasks


def _run(enlarger, tasks):
    outcome = Outcome()
    enlarger.run(tasks, outcome)
    return outcome


def test_pictures_of_one_size_go_together(upscaler, tmp_path, monkeypatch):
    batches = []
    enlarge = FaceUpscaler.upscale_pictures
    monkeypatch.setattr(FaceUpscaler, 'upscale_pictures', lambda self, pictures: batches.append(len(pictures))
                        or enlarge(self, pictures))
    tasks = _tasks(tmp_path, (8, 8), (8, 8), (8, 8), (8, 9), (8, 8))
    assert _run(Enlarger(upscaler, batch=2), tasks).written == 5
    assert batches == [2, 1, 1, 1]
    for task in tasks:
        alone = np.array(upscaler.upscale(Image.open(task.source)))
        assert np.abs(np.array(Image.open(task.target)).astype(int) - alone).max() <= 1
        height, width = alone.shape[:2]
        assert Image.open(task.panel).size == (3 * width + 8, height)


def test_errors_are_gathered_and_the_others_go_on(upscaler, tmp_path):
    tasks = _tasks(tmp_path, (8, 8), (8, 8), (8, 8), (200, 200), (8, 8))
    tasks[1].source.write_text('no picture')
    tasks[2].target.mkdir(parents=True)
    outcome = _run(Enlarger(upscaler, batch=8), tasks)
    assert outcome.written == 2
    assert list(outcome.errors) == [tasks[1].source, tasks[3].source, tasks[2].source]
    assert 'not a picture' in outcome.errors[tasks[1].source]
    assert '128x128' in outcome.errors[tasks[3].source]
    assert tasks[0].target.is_file()
    assert tasks[4].target.is_file()
    assert not [path for path in (tmp_path / 'out').iterdir() if path.name.startswith('.')]


def test_larger_pictures_are_shrunk_on_request(upscaler, tmp_path):
    tasks = _tasks(tmp_path, (300, 150), (10, 20))
    assert _run(Enlarger(upscaler, shrink=32), tasks).written == 2
    assert [Image.open(task.target).size for task in tasks] == [(128, 256), (160, 80)]


def test_photographs_go_one_by_one_and_their_faces_are_counted(upscaler, tmp_path, monkeypatch):
    answers = iter([(2, 1), (0, 0), (0, 1)])
    detector = object()

    def enlarge_photo(given, its_detector, picture):
        assert (given, its_detector) == (upscaler, detector)
        return EnlargedPhoto(picture.resized(8 * picture.size[0], 8 * picture.size[1]), *next(answers))

    monkeypatch.setattr(run_module, 'enlarge_photo', enlarge_photo)
    tasks = _tasks(tmp_path, (8, 8), (8, 8), (200, 8))
    outcome = _run(Enlarger(upscaler, detector=detector), tasks)
    assert (outcome.written, outcome.faces, outcome.too_large) == (3, 2, 2)
    assert outcome.without_face == [tasks[1].source]
    assert not outcome.errors


def test_what_was_done_before_an_interruption_is_known(upscaler, tmp_path, monkeypatch):
    tasks = _tasks(tmp_path, (8, 8), (8, 8))

    def read(path):
        if Path(path).stem == '1':
            raise KeyboardInterrupt
        return original(path)

    original = run_module.read_picture_file
    monkeypatch.setattr(run_module, 'read_picture_file', read)
    outcome = Outcome()
    with pytest.raises(KeyboardInterrupt):
        Enlarger(upscaler, batch=1).run(tasks, outcome)
    assert outcome.written == len(list((tmp_path / 'out').glob('?.png')))
