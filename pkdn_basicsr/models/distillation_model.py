"""Knowledge distillation: a frozen teacher teaches a student by its features and its result."""

import os
import re

import torch
from basicsr.archs import build_network
from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor, nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.feature_levels import make_adapters, pair_levels
from pkdn_basicsr.models.prior import check_maps, one_hot_prior, takes_parsing
from pkdn_basicsr.models.scheduled_loss import ScheduledLoss, check_gives_one_value, read_schedule
from pkdn_basicsr.models.student_with_adapters import StudentWithAdapters


@MODEL_REGISTRY.register()
class DistillationModel(FaceSRModel):
    """`FaceSRModel` whose `network_g` is the student and whose `network_t` is a frozen, trained teacher.

    Works for any two networks that offer `forward_features`; the teacher may take the parsing map or not. The losses
    are KDFSRNet's (Wang et al., IEEE TCSVT 2022), since PKDN's own are not known; any of them may be left out:

        l_pix  = pixel_opt(sr, gt)
        l_feat = feature_opt, averaged over the feature levels, between student and teacher
        l_soft = soft_opt(sr, sr of the teacher)

    Options beyond `FaceSRModel`'s: `network_t`, `path.pretrain_network_t` (with `param_key_t`, `strict_load_t`),
    `train.feature_opt` (a distillation loss, `levels`, `schedule`), `train.soft_opt` (a loss, `schedule`),
    `train.begin_as_teacher` (the student begins as what the teacher is without a map). A loss that is left out, or
    whose schedule has ended, costs nothing: the teacher then does not run.
    """

    @staticmethod
    def check(opt: dict) -> None:
        """Check before a run the options of `FaceSRModel`, losses and schedules, and that there is a trained teacher.

        Raises:
            UsageError: An option does not fit, or there is no teacher; the message says how to train one.
        """
        FaceSRModel.check(opt)
        if not opt['is_train']:
            return
        for key in ('feature_opt', 'soft_opt'):
            read_schedule(opt['train'], key)
            check_gives_one_value(f'train.{key}', (opt['train'].get(key) or {}).get('type'))
        if opt['train'].get('begin_as_teacher') and opt['path'].get('pretrain_network_g') \
                and not opt['path'].get('resume_state'):  # with one, the host has set pretrain_network_g
            raise UsageError('train.begin_as_teacher and path.pretrain_network_g: the student can begin with one of '
                             'them; leave out the other')
        path = os.path.expanduser(opt['path'].get('pretrain_network_t') or '')
        if 'network_t' not in opt:
            raise UsageError('DistillationModel needs the teacher: give network_t and path.pretrain_network_t')
        if not path:
            raise UsageError('path.pretrain_network_t is not set: DistillationModel needs a trained teacher; train one '
                             '(basicsr train -opt options/pkdn_teacher.yml) and give its '
                             'experiments/<name>/models/net_g_latest.pth')
        if not os.path.isfile(path):
            run = re.search(r'([^/]+)/models/', path)
            raise UsageError(f'path.pretrain_network_t: no such file: {os.path.abspath(path)}; train the teacher '
                             'first: basicsr train -opt with the option file that has '
                             f'name: {run.group(1) if run else "..."} (like options/pkdn_teacher.yml)')

    def init_training_settings(self) -> None:
        """Build teacher, distillation losses and adapters, then what the host builds."""
        train_opt = self.opt['train']
        self.feature_loss = ScheduledLoss.from_options(train_opt, 'feature_opt', self.device)
        self.soft_loss = ScheduledLoss.from_options(train_opt, 'soft_opt', self.device)
        self.net_t = self._build_teacher()
        for key, net in (('network_g', self.net_g), ('network_t', self.net_t)):
            if not hasattr(net, 'forward_features'):
                raise UsageError(f'{key}: {type(net).__name__} cannot take part in distillation: it has no '
                                 'forward_features')
        if train_opt.get('begin_as_teacher') and not self.opt['path'].get('resume_state'):
            self._begin_as_teacher()
        self.levels, adapters = self._match_features() if self.feature_loss else ({}, {})
        # this module, not net_g, is what DDP wraps: calling around the wrapper would skip gradient reduction
        self.trained = super().model_to_device(StudentWithAdapters(self.net_g, adapters))
        super().init_training_settings()

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move the student only; it is wrapped together with its adapters."""
        return net.to(self.device)

    def trained_module(self) -> nn.Module:
        """Return student and adapters."""
        return self.trained

    def setup_optimizers(self) -> None:
        """Let the optimizer of the student train the adapters too."""
        super().setup_optimizers()
        adapters = list(self._adapters().parameters())
        if adapters:
            self.optimizer_g.add_param_group({'params': adapters})

    def compute_losses(self, current_iter: int) -> dict[str, Tensor]:
        """Return reconstruction and, while their schedules last, distillation losses."""
        feature_factor = self.feature_loss.schedule(current_iter) if self.feature_loss else 0.
        soft_factor = self.soft_loss.schedule(current_iter) if self.soft_loss else 0.

        if feature_factor or soft_factor:  # first: its insides are gone before the student's take up memory
            teacher_output, teacher_features = self._ask_teacher(self.lq, self.data)
        self.output, features = self.trained(self.lq)
        losses = self.reconstruction_losses()
        if feature_factor:
            per_level = [self.feature_loss.loss(features[student], teacher_features[teacher])
                         for student, teacher in self.levels.items()]
            losses['l_feat'] = feature_factor * sum(per_level) / len(per_level)
        elif self._adapters():
            losses['l_feat'] = 0. * sum(features[name].sum() for name in self._adapters())  # DDP waits for every one
        if soft_factor:
            losses['l_soft'] = soft_factor * self.soft_loss.loss(self.output, teacher_output)
        return losses

    def extra_state(self) -> dict:
        """Return what a resumed run needs beyond the host's training state; the adapters, where there are any."""
        adapters = self._adapters().state_dict()
        return {**super().extra_state(), **({'adapters': adapters} if adapters else {})}

    def load_extra_state(self, extra: dict) -> None:
        """Take over `extra_state`.

        Raises:
            UsageError: It is that of a run with other adapters.
        """
        super().load_extra_state(extra)
        try:
            self._adapters().load_state_dict(extra.get('adapters', {}))
        except RuntimeError as error:
            raise UsageError('the training state does not fit: its adapters are not those of this student and teacher; '
                             'resume with the feature_opt and the networks that it was trained with '
                             f'({" ".join(str(error).split())[:200]})') from None

    def _build_teacher(self) -> nn.Module:
        self.check(self.opt)
        path_opt = self.opt['path']
        teacher = build_network(self.opt['network_t']).to(self.device, memory_format=self.step_options.memory_format)
        self.load_network(teacher, os.path.expanduser(path_opt['pretrain_network_t']),
                          path_opt.get('strict_load_t', True), path_opt.get('param_key_t', 'params'))
        if takes_parsing(teacher):
            check_maps(teacher, {'train': self.opt['datasets']['train']})
        return teacher.eval().requires_grad_(False)

    def _begin_as_teacher(self) -> None:
        if not hasattr(self.net_g, 'begin_as'):
            raise UsageError(f'train.begin_as_teacher: {type(self.net_g).__name__} has no begin_as(teacher), as '
                             'PKDNStudent has; begin with path.pretrain_network_g')
        try:
            self.net_g.begin_as(self.net_t)
        except ValueError as error:
            raise UsageError(f'train.begin_as_teacher: {error}') from None

    @torch.no_grad()
    def _ask_teacher(self, lq: Tensor, data: dict) -> tuple[Tensor, dict[str, Tensor]]:
        if takes_parsing(self.net_t):
            return self.net_t.forward_features(lq, one_hot_prior(data, self.net_t, self.device))
        return self.net_t.forward_features(lq)

    @torch.no_grad()
    def _match_features(self) -> tuple[dict[str, str], dict[str, nn.Module]]:
        """Run both networks once on an empty image to learn names and shapes of their features."""
        scale = self.opt['scale']
        size = (self.opt['datasets']['train'].get('gt_size') or 128) // scale
        lq = torch.zeros(1, 3, size, size, device=self.device)
        student = self.net_g.eval().forward_features(lq)[1]
        teacher = self._ask_teacher(lq, {'parsing': torch.zeros(1, scale * size, scale * size, dtype=torch.uint8)})[1]
        pairs = pair_levels(self.opt['train']['feature_opt'].get('levels'), student, teacher)
        if not getattr(self.feature_loss.loss, 'needs_equal_widths', True):
            return pairs, {}
        return pairs, make_adapters(pairs, student, teacher)

    def _adapters(self) -> nn.ModuleDict:
        return self.get_bare_model(self.trained).adapters
