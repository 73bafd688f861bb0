"""The training step as one would write it in a script, to measure the model's beside it."""

import copy
from collections.abc import Mapping

import torch
from basicsr.losses import build_loss
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pkdn_basicsr.models.loss_dict_model import LossDictModel

_MODELS = ('FaceSRModel', 'PKDNTeacherModel', 'DistillationModel')
_TRAIN_OPTIONS = ('total_iter', 'warmup_iter', 'scheduler', 'ema_decay', 'optim_g', 'pixel_opt', 'feature_opt',
                  'soft_opt', 'channels_last', 'begin_as_teacher')  # the last is in the copied weights
_NOT_ARGUMENTS = ('levels', 'schedule')


def why_no_bare_loop(opt: Mapping) -> str | None:
    """Say what of an option file the bare loop does not do, or return None where it does all of it."""
    if opt['model_type'] not in _MODELS:
        return f'no bare loop is written for {opt["model_type"]}'
    others = [f'train.{key}' for key, value in opt['train'].items()
              if value and key not in _TRAIN_OPTIONS and not (key == 'amp' and value == 'bf16')]
    return f'the bare loop has no {", ".join(others)}' if others else None


class BareLoop:
    """Forward, losses, backward, optimizer and moving average over copies of a model's networks.

    It shares no code with the models: only networks, losses and what torch has.

    Args:
        opt: Options for which `why_no_bare_loop` is None, with losses that count from the first iteration on.
        model: The model, of which networks, adapters and pairs of features are copied.
    """

    def __init__(self, opt: Mapping, model: LossDictModel) -> None:
        train_opt, self.device = opt['train'], model.device
        self.precision = torch.bfloat16 if train_opt.get('amp') else None
        self.memory_format = torch.channels_last if train_opt.get('channels_last') else torch.preserve_format
        self.student = copy.deepcopy(model.get_bare_model(model.net_g))
        self.pixel_loss = build_loss(train_opt['pixel_opt']).to(self.device)
        self.teacher, self.adapters, self.levels = None, nn.ModuleDict(), {}
        self.feature_loss = self.soft_loss = None
        if opt['model_type'] == 'DistillationModel':
            self._copy_distillation(train_opt, model)
        optim_opt = dict(train_opt['optim_g'])
        parameters = [*self.student.parameters(), *self.adapters.parameters()]
        self.optimizer = getattr(torch.optim, optim_opt.pop('type'))(parameters, **optim_opt)
        decay = train_opt.get('ema_decay')
        self.average = AveragedModel(self.student, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None

    def step(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Do one step on a batch in the processor's memory; return its loss."""
        lq, gt = (batch[name].to(self.device, non_blocking=True, memory_format=self.memory_format)
                  for name in ('lq', 'gt'))
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, self.precision, enabled=self.precision is not None):
            loss = self._loss(lq, gt, batch)
        loss.backward()
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.student)
        return loss.detach()

    def _loss(self, lq: Tensor, gt: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        if not (self.feature_loss or self.soft_loss):
            return self.pixel_loss(self.student(lq, *self._maps(self.student, batch)), gt)
        sr, features = self.student.forward_features(lq)
        with torch.no_grad():
            taught_sr, taught = self.teacher.forward_features(lq, *self._maps(self.teacher, batch))
        loss = self.pixel_loss(sr, gt)
        if self.feature_loss:
            features = {name: self.adapters[name](feature) if name in self.adapters else feature
                        for name, feature in features.items()}
            loss = loss + sum(self.feature_loss(features[own], taught[teachers])
                              for own, teachers in self.levels.items()) / len(self.levels)
        return loss + self.soft_loss(sr, taught_sr) if self.soft_loss else loss

    def _maps(self, net: nn.Module, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the one-hot map where the network takes one."""
        if not hasattr(net, 'num_classes'):
            return []
        classes = torch.arange(net.num_classes, dtype=torch.uint8, device=self.device)
        parsing = batch['parsing'].to(self.device, non_blocking=True)
        return [(parsing[:, None] == classes[None, :, None, None]).float()]

    def _copy_distillation(self, train_opt: Mapping, model: LossDictModel) -> None:
        self.teacher, self.levels = copy.deepcopy(model.net_t), model.levels
        self.adapters = copy.deepcopy(model.get_bare_model(model.trained_module()).adapters)
        self.feature_loss, self.soft_loss = (
            build_loss({name: value for name, value in train_opt[key].items() if name not in _NOT_ARGUMENTS})
            .to(self.device) if train_opt.get(key) else None for key in ('feature_opt', 'soft_opt'))
