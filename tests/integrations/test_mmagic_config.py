"""The file for MMagic, as far as MMEngine alone can tell."""

from pathlib import Path

import pytest
import yaml

from pkdn_basicsr import PKDNStudent

pytest.importorskip('mmengine')
OPTIONS = Path(__file__).resolve().parents[2] / 'options'


@pytest.fixture(scope='module')
def config():
    from mmengine.config import Config
    return Config.fromfile(OPTIONS / 'mmagic' / 'pkdn_student_x8.py')


@pytest.fixture(scope='module')
def options():
    return yaml.safe_load((OPTIONS / 'pkdn_student.yml').read_text())


def test_generator_is_the_student_of_the_option_file(config, options):
    from mmengine.registry import MODELS
    generator = config.model.generator.to_dict()
    assert generator == {**options['network_g'], 'type': 'pkdn_basicsr.PKDNStudent'}
    assert type(MODELS.build(generator)) is PKDNStudent


def test_the_network_gets_zero_to_one(config):
    preprocessor = config.model.data_preprocessor
    assert [(0 - mean) / std for mean, std in zip(preprocessor.mean, preprocessor.std, strict=True)] == [0] * 3
    assert [(255 - mean) / std for mean, std in zip(preprocessor.mean, preprocessor.std, strict=True)] == [1] * 3
    assert {step.channel_order for step in _steps(config, 'LoadImageFromFile')} == {'rgb'}


def test_faces_are_shrunk_by_pil(config, options):
    resizes = _steps(config, 'Resize')
    assert {(step.interpolation, step.backend) for step in resizes} == {('bicubic', 'pillow')}
    size = options['datasets']['train']['gt_size']
    assert {step.scale for step in resizes} == {(size, size), 1 / options['scale']}


def test_the_low_resolution_face_is_made_after_the_flip(config):
    names = [step.type for step in config.train_dataloader.dataset.pipeline]
    assert names == ['LoadImageFromFile', 'Resize', 'Flip', 'Resize', 'PackInputs']


def test_training_is_that_of_the_option_file(config, options):
    train = options['train']
    assert config.train_cfg.max_iters == config.param_scheduler.T_max == train['total_iter']
    assert config.train_dataloader.batch_size == options['datasets']['train']['batch_size_per_gpu']
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, list(optimizer.betas)) == ('Adam', train['optim_g']['lr'],
                                                                     train['optim_g']['betas'])


def _steps(config, name):
    return [step for loader in (config.train_dataloader, config.val_dataloader) for step in loader.dataset.pipeline
            if step.type == name]
