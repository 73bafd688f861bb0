"""The model of an option file as `basicsr train` builds it, without its data and its trained teacher."""

import copy
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from basicsr.models import build_model
from torch import Tensor

from pkdn_basicsr.data.dataset_options import sample_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.check import prepared
from pkdn_basicsr.host.option_check.components import look_at_components
from pkdn_basicsr.host.option_check.frame import check_frame
from pkdn_basicsr.host.option_check.keys import check_keys
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.models.loss_dict_model import LossDictModel
from pkdn_basicsr.report.network import build_untrained

ITERATION = 1
"""Steps are those of the first iteration: all losses count, whenever their schedules end."""


def read_training_options(file: str, forced: Sequence[str], batch: int | None, folder: Path) -> dict:
    """Read an option file for measuring: nothing is validated, all losses count for ever, missing weights are random.

    Args:
        file: Option file of a training run.
        forced: As after `--force_yml`.
        batch: Images in a batch; None: as the file says.
        folder: For the weights of an untrained teacher.

    Returns:
        Options as they are in the file, which may be written to a file again.

    Raises:
        UsageError: A section is missing, or a network or loss that there is not.
    """
    opt = json.loads(json.dumps(_read(file, forced)))  # plain dictionaries, which YAML can write
    if 'train' not in opt['datasets']:
        raise UsageError(f'{file}: datasets.train is missing, of which a step takes its sizes')
    opt['datasets'] = {'train': opt['datasets']['train']}
    opt.pop('val', None)
    if batch is not None:
        opt['datasets']['train']['batch_size_per_gpu'] = batch
    for key in ('feature_opt', 'soft_opt'):
        if opt['train'].get(key):
            opt['train'][key].pop('schedule', None)
    opt['path'] = {key: value for key, value in opt['path'].items()
                   if value is not None and key not in ('resume_state', 'experiments_root', 'results_root')}
    _lend_weights(opt, folder)
    return opt


def write_options(opt: dict, file: Path) -> None:
    """Write options to a file that the host reads."""
    file.write_text(yaml.safe_dump(opt, sort_keys=False), encoding='utf-8')


def has_trained_teacher(opt: dict, folder: Path) -> bool:
    """Whether the weights of the teacher are a run's, not random ones that `read_training_options` has left."""
    return 'network_t' in opt and Path(opt['path']['pretrain_network_t']).parent != folder


def build_training_model(opt: dict, rank: int = 0, world_size: int = 1) -> LossDictModel:
    """Build the model as the host does, on one GPU where there is one.

    Args:
        opt: What `read_training_options` returned.
        rank: This process.
        world_size: How many processes there are; with more than one, torch.distributed is running.

    Raises:
        UsageError: The model is none of ours, whose parts can be told apart.
    """
    num_gpu = torch.cuda.device_count() if opt['num_gpu'] == 'auto' else opt['num_gpu']
    opt = {**copy.deepcopy(opt), 'is_train': True, 'dist': world_size > 1, 'rank': rank, 'world_size': world_size,
           'num_gpu': min(num_gpu, 1), 'auto_resume': False}
    opt['datasets']['train'].update(phase='train', scale=opt['scale'])
    model = build_model(opt)
    if not isinstance(model, LossDictModel):
        raise UsageError(f'model_type: the parts of a step of {type(model).__name__} cannot be told apart; '
                         'FaceSRModel, which trains as SRModel does, can be measured (--force_yml '
                         'model_type=FaceSRModel)')
    return model


def synthetic_batch(opt: dict) -> dict[str, Tensor]:
    """Return random faces with maps in the processor's memory, of the sizes and classes of the file's training set.

    Where the file asks for pinned memory and there is a GPU, it is pinned, as a loader's batches are.
    """
    dataset_opt = opt['datasets']['train']
    size, batch = dataset_opt['gt_size'], dataset_opt['batch_size_per_gpu']
    generator = torch.Generator().manual_seed(0)
    classes = sample_scheme(dataset_opt).num_classes
    gt = torch.rand(batch, 3, size, size, generator=generator)
    tensors = {'lq': torch.nn.functional.avg_pool2d(gt, opt['scale']), 'gt': gt,
               'parsing': torch.randint(classes, (batch, size, size), generator=generator, dtype=torch.uint8)}
    if dataset_opt.get('pin_memory') and torch.cuda.is_available():
        return {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return tensors


def _read(file: str, forced: Sequence[str]) -> dict:
    """Read options and check what has nothing to do with data and weights."""
    read = OptionFile(file)
    read.force(list(forced))
    problems = Problems(read)
    for check in (check_frame, check_keys, look_at_components):
        check(prepared(read.opt, is_train=True), problems)
    problems.refuse()
    return read.opt


def _lend_weights(opt: dict, folder: Path) -> None:
    """Let a teacher that is not trained yet be a random one, which takes as long; the student starts from nothing."""
    path_opt = opt['path']
    if not os.path.isfile(os.path.expanduser(path_opt.get('pretrain_network_g', ''))):
        path_opt.pop('pretrain_network_g', None)
    if 'network_t' not in opt or os.path.isfile(os.path.expanduser(path_opt.get('pretrain_network_t', ''))):
        return
    file = folder / f'untrained_teacher_{opt["name"]}.pth'
    net = build_untrained(opt['network_t'])  # the host's function would open its log, and that of a run is named later
    torch.save({path_opt.get('param_key_t', 'params'): net.state_dict()}, file)
    path_opt['pretrain_network_t'] = str(file)
