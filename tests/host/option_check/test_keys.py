import pytest
from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY
from torch.utils.data import Dataset


@pytest.fixture(scope='module', autouse=True)
def plugin():
    """A model and a data set of somebody else."""
    model, dataset = type('TheirModel', (SRModel,), {}), type('TheirDataset', (Dataset,), {})
    model.__module__ = dataset.__module__ = 'their_faces'
    MODEL_REGISTRY.register(model)
    DATASET_REGISTRY.register(dataset)
    yield
    del MODEL_REGISTRY._obj_map['TheirModel'], DATASET_REGISTRY._obj_map['TheirDataset']


@pytest.mark.parametrize(('place', 'key', 'words'), [
    ('', 'manual_sed', ["SRModel has no such option; did you mean 'manual_seed'?"]),
    ('train', 'warmup_iters', ["did you mean 'warmup_iter'?", 'total_iter']),
    ('val', 'metric', ["did you mean 'metrics'?"]),
    ('logger', 'save_checkpoint_frq', ["did you mean 'save_checkpoint_freq'?"]),
    ('path', 'strict_load', ["did you mean 'strict_load_g'?", 'folder']),
    ('datasets.train', 'use_flip', ["ParsingMapDataset has no such option; did you mean 'use_hflip'?"]),
    ('train', 'gan_opt', ['SRModel does not know it and would pass over it; known to SRGANModel, ESRGANModel']),
    ('train', 'soft_opt', ['known to DistillationModel']),
    ('val', 'save_best', ['known to FaceSRModel']),
])
def test_a_key_that_nothing_reads_is_an_error(check, run_options, place, key, words):
    outer = run_options
    for name in place.split('.') if place else ():
        outer = outer[name]
    outer[key] = {'type': 'L1Loss'} if key.endswith('_opt') else 'psnr'
    result = check(run_options)
    assert len(result.errors) == 1
    for word in words:
        assert word in result.by_key[f'{place}.{key}' if place else key]


@pytest.mark.parametrize(('place', 'key', 'value'), [
    ('val', 'save_best', 'miou'), ('val', 'panels', 2), ('val', 'pbar', True),
    ('train', 'perceptual_opt', {'type': 'L1Loss'})])
def test_a_face_parser_does_not_read_all_that_its_base_reads(check, run_options, tiny_faces, place, key, value):
    for dataset in run_options['datasets'].values():
        dataset['dataroot_parsing'] = str(tiny_faces / 'parsing')
    run_options.update(model_type='FaceParserModel', scale=1, network_g={'type': 'FaceParser'})
    del run_options['val']['metrics']
    assert check(run_options).errors == []
    run_options[place][key] = value
    error, = check(run_options).errors
    assert f'{place}.{key}: FaceParserModel does not know it' in error


@pytest.mark.parametrize(('place', 'key', 'value'), [
    ('train', 'gan_opt', None), ('train', 'soft_opt', None), ('train', 'amp', False),
    ('path', 'pretrain_network_d', None),
    ('datasets.val', 'on_bad_file', 'stop'), ('train', 'activation_checkpointing', False)])
def test_a_key_of_another_model_that_says_nothing_is_none(check, run_options, place, key, value):
    outer = run_options
    for name in place.split('.'):
        outer = outer[name]
    outer[key] = value
    result = check(run_options)
    assert (result.errors, result.warnings) == ([], [])


def test_in_testing_what_training_needed_may_be_left_over(check, run_options):
    run_options.update(network_d={'type': 'UNetDiscriminatorSN', 'num_in_ch': 3},
                       network_g={'type': 'Bicubic', 'scale': 4})
    run_options['train'].update(net_d_iters=1, gan_opt={'type': 'GANLoss', 'gan_type': 'vanilla'})
    assert check(run_options, is_train=False).errors == []


def test_what_somebody_else_s_model_reads_is_not_known(check, run_options):
    run_options.update(model_type='TheirModel', number_of_rounds=3)
    run_options['train'].update(gan_opt=None, net_d_iters=1)
    del run_options['train']['optim_g']
    result = check(run_options)
    assert result.errors == []
    warning, = result.warnings
    assert 'number_of_rounds: TheirModel has no such option' in warning


def test_what_somebody_else_s_data_set_reads_is_not_known(check, run_options):
    run_options['datasets']['train'] = {'name': 'a', 'type': 'TheirDataset', 'gt_size': [64, 32], 'dataroot_gt': 'web:',
                                        'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0, 'colour': 'red'}
    run_options['network_g'] = {'type': 'MSRResNet', 'upscale': 4}
    result = check(run_options)
    assert result.errors == []
    warning, = result.warnings
    assert 'datasets.train.colour: TheirDataset has no such option' in warning
    run_options['datasets']['train'].update(num_worker_per_gpu='many')
    assert check(run_options).by_key.keys() == {'datasets.train.num_worker_per_gpu'}


def test_one_typo_is_one_problem(check, run_options):
    run_options['datasets']['train']['gt_sise'] = run_options['datasets']['train'].pop('gt_size')
    run_options['trian'] = run_options.pop('train')
    assert check(run_options).by_key.keys() == {'datasets.train.gt_sise', 'trian'}


@pytest.mark.parametrize(('backend', 'key'), [
    ({'type': 'lmbd'}, 'type'), ({'typ': 'disk'}, 'type'), ({'type': ['disk']}, 'type'),
    ({'type': 'disk', 'db_paths': 'x'}, 'db_paths')])
def test_storage(check, run_options, backend, key):
    run_options['datasets']['train']['io_backend'] = backend
    assert f'datasets.train.io_backend.{key}' in check(run_options).by_key


def test_wandb_needs_tensorboard(check, run_options):
    run_options['logger']['wandb'] = {'project': 'faces', 'resum_id': None}
    assert check(run_options).by_key.keys() == {'logger.wandb.resum_id', 'logger.use_tb_logger'}
