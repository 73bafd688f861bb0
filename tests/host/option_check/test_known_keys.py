"""The tables of keys against the sources that read them."""

import inspect
import re

import basicsr.data
import basicsr.train
import basicsr.utils.logger
import basicsr.utils.misc
import basicsr.utils.options
import pytest
from basicsr.models.base_model import BaseModel
from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

from pkdn_basicsr.data import dataset_options
from pkdn_basicsr.host.option_check.frame import find
from pkdn_basicsr.host.option_check.known_keys import DATASETS, FILE, LOADER, MODELS, of_class

HOST_MODELS = [name for name in MODELS if find(MODEL_REGISTRY, name) and find(MODEL_REGISTRY, name).__module__[:8]
               == 'basicsr.']
HOST_DATASETS = [name for name in DATASETS if find(DATASET_REGISTRY, name).__module__.startswith('basicsr.')]
SET_BY_THE_HOST = {'is_train', 'auto_resume', 'dist', 'rank', 'world_size', 'root_path'}
READ_BY_NOTHING = {  # but published
    'StyleGAN2Model': {'train.net_d_iters', 'train.net_d_init_iters'},
    'HiFaceGANModel': {'train.ldl_opt'}, 'VideoRecurrentGANModel': {'train.flow_lr_mul'},
    'REDSRecurrentDataset': {'dataroot_flow'}, 'Vimeo90KRecurrentDataset': {'interval_list'},
    'VideoTestVimeo90KDataset': {'padding'}, 'VideoRecurrentTestDataset': {'padding'},
    'RealESRGANDataset': {'gt_size'},
}


def sources(cls, last):
    """The text of a class and of its ancestors up to `last`."""
    return '\n'.join(inspect.getsource(ancestor) for ancestor in cls.__mro__
                     if ancestor.__module__.startswith('basicsr.') and ancestor is not last)


def keys_in(text):
    """What a source reads of a whole option file, as `section.key`."""
    key = r"""(?:\[|\.get\()['"](\w+)['"]"""
    found = {f'{section}.{name}' for section, name in re.findall(
        r"""opt\[['"](train|val|logger)['"]\]""" + key, text)}
    found |= {f'train.{name}' for name in re.findall(r'train_opt' + key, text)}
    return found | {name for name in re.findall(r'(?<!\w)(?:self\.)?opt' + key, text)
                    if name not in ('suffix', 'phase', 'type')}


def keys_of_dataset(text):
    read = set(re.findall(r"""(?<!_)opt(?:\[|\.get\()['"](\w+)['"]""", text))
    return read | set(re.findall(r"""'(\w+)' in (?:self\.)?opt""", text))


@pytest.mark.parametrize('name', HOST_MODELS)
def test_all_that_a_model_of_the_host_reads_is_known(name):
    read = keys_in(sources(find(MODEL_REGISTRY, name), object)) - SET_BY_THE_HOST
    assert len(read) > 5
    assert read - {'path', 'name'} <= FILE.all | MODELS[name].all


@pytest.mark.parametrize('name', HOST_MODELS)
def test_nothing_is_known_that_no_model_of_the_host_reads(name):
    read = keys_in(sources(find(MODEL_REGISTRY, name), object))
    assert MODELS[name].all - read - {'scale'} - READ_BY_NOTHING.get(name, set()) == set()


def test_all_that_the_pipelines_read_is_known():
    modules = basicsr.train, basicsr.test, basicsr.utils.options, basicsr.utils.logger, basicsr.utils.misc
    read = set().union(*(keys_in(inspect.getsource(module)) for module in modules))
    assert {'name', 'train.total_iter', 'logger.use_tb_logger', 'val.val_freq', 'num_gpu'} <= read
    assert read - SET_BY_THE_HOST <= FILE.all


def test_all_that_the_loaders_read_is_known():
    read = set(re.findall(r"""dataset_opt(?:\[|\.get\()['"](\w+)['"]""", inspect.getsource(basicsr.data)))
    assert 'pin_memory' in read
    assert read <= LOADER.all


@pytest.mark.parametrize('name', HOST_DATASETS)
def test_a_data_set_of_the_host_reads_what_is_known_and_no_more(name):
    read = keys_of_dataset(sources(find(DATASET_REGISTRY, name), object)) - {'type', 'scale', 'phase', 'name'}
    written = {'db_paths', 'client_keys'}  # into io_backend
    if name == 'VideoRecurrentTestDataset':
        read.discard('padding')
    assert read - written - DATASETS[name].all == set()
    assert DATASETS[name].all - read - READ_BY_NOTHING.get(name, set()) == set()


def test_every_class_has_its_keys():
    ours = [name for name, cls in MODEL_REGISTRY if cls.__module__.startswith(('basicsr.', 'pkdn_basicsr.'))]
    assert {name.removesuffix('_basicsr') for name in ours} <= set(MODELS)
    ours = [name for name, cls in DATASET_REGISTRY if cls.__module__.startswith(('basicsr.', 'pkdn_basicsr.'))]
    assert {name.removesuffix('_basicsr') for name in ours} == set(DATASETS)


def test_our_data_set_knows_the_same_keys_itself():
    own = set(dataset_options._OWN + dataset_options._HOST)
    assert own == DATASETS['ParsingMapDataset'].all | (LOADER.all - {'use_shuffle'})


def test_the_keys_of_an_own_class_are_all_and_those_of_a_strangers_are_not():
    class Stranger(SRModel):
        pass

    class Loner(BaseModel):
        pass

    Stranger.__module__ = Loner.__module__ = 'faces_plugin'
    assert of_class(MODELS, SRModel) == (MODELS['SRModel'], True)
    assert of_class(MODELS, Stranger) == (MODELS['SRModel'], False)
    assert of_class(MODELS, Loner)[1] is False
