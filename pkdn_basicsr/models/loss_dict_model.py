"""The training step shared by our models: a dict of named losses, summed."""

from collections import OrderedDict

import torch
from basicsr.models.sr_model import SRModel
from torch import Tensor, nn

from pkdn_basicsr.models.activation_checkpointing import recompute_blocks
from pkdn_basicsr.models.loss_watch import LossWatch
from pkdn_basicsr.models.training_step import StepOptions, TrainingStep, cut


class LossDictModel(SRModel):
    """`SRModel` whose step is `compute_losses`, sum, backward; a subclass may say which losses there are.

    Without options of its own it trains as `SRModel` does, bit by bit. Beyond `SRModel`'s there are `train.amp`,
    `channels_last`, `compile`, `grad_clip`, `accumulate` and `activation_checkpointing`; see `StepOptions`.
    """

    def __init__(self, opt: dict) -> None:
        self.step_options = StepOptions.from_options(opt)
        super().__init__(opt)

    @staticmethod
    def check(opt: dict) -> None:
        """Check before a run the options of the step.

        Raises:
            UsageError: An option does not fit.
        """
        StepOptions.from_options(opt)

    def init_training_settings(self) -> None:
        """Build what the host builds, and the step around it."""
        super().init_training_settings()
        if hasattr(self, 'net_g_ema'):
            self.net_g_ema.to(memory_format=self.step_options.memory_format)
        if self.step_options.activation_checkpointing:
            recompute_blocks(self.get_bare_model(self.net_g))
        net = self.trained_module()
        self.step = TrainingStep(self.step_options, net, self.device)
        self.loss_watch = LossWatch(self.opt, self.device)
        if self.step_options.compile is not None:
            # in place, so that state dicts keep their keys, and within DDP, which takes its module as it is
            self.get_bare_model(net).compile(**self.step_options.compile)

    def trained_module(self) -> nn.Module:
        """Return what `compute_losses` calls, as it is wrapped in DDP."""
        return self.net_g

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move and wrap a network; DDP takes over the memory format, hence it is set before."""
        return super().model_to_device(net.to(memory_format=self.step_options.memory_format))

    def feed_data(self, data: dict) -> None:
        """Take a batch; copies from pinned memory do not wait for the device."""
        self.keep(data)
        self.lq = self.image_to_device(data['lq'])
        if 'gt' in data:
            self.gt = self.image_to_device(data['gt'])

    def keep(self, data: dict) -> None:
        """Remember the batch where a training step will need more of it, or parts of it; every `feed_data` does."""
        self.data = data if self.is_train else None

    def image_to_device(self, images: Tensor) -> Tensor:
        """Move (B, C, H, W) to the device."""
        return images.to(self.device, non_blocking=True, memory_format=self.step_options.memory_format)

    def network_inputs(self) -> tuple[Tensor, ...]:
        """Return what `network_g` is given of the fed batch."""
        return (self.lq,)

    def test(self) -> None:
        """Set `self.output` for the fed batch, with the averaged weights where there are some."""
        net = getattr(self, 'net_g_ema', self.net_g)
        was_training = net.training
        net.eval()
        with torch.no_grad():
            self.output = net(*self.network_inputs())
        net.train(was_training)

    def compute_losses(self, current_iter: int) -> dict[str, Tensor]:
        """Run the networks on the fed batch, set `self.output`, and return the weighted losses by name (`l_...`).

        Args:
            current_iter: Iteration, from 1.

        Returns:
            Scalars on the device. Every rank must return the same names in one iteration.
        """
        self.output = self.net_g(*self.network_inputs())
        return self.reconstruction_losses()

    def optimize_parameters(self, current_iter: int) -> None:
        """Do one step of the optimizer."""
        self.optimizer_g.zero_grad()
        losses = self._backward(current_iter)
        has_stepped, log = self.step.update(self.optimizer_g)
        self.log_dict = {**losses, **log}
        # a gradient that overflows in half precision is skipped and no fault
        watched = losses if self.step.scaler.is_enabled() else self.log_dict
        self.loss_watch.keep(current_iter, watched, self.get_current_learning_rate())
        if has_stepped and self.ema_decay > 0:
            self.model_ema(decay=self.ema_decay)

    def get_current_log(self) -> dict[str, float]:
        """Return the last step's losses, averaged over the processes in process 0; every process must call it.

        The host asks at `logger.print_freq` only. In between nothing is fetched from the device, which would wait.

        Raises:
            UsageError: A loss was NaN or Inf since the last time.
        """
        self.loss_watch.check()
        log = self.reduce_loss_dict(self.log_dict)
        if self.step.scaler.is_enabled():
            log['skipped_steps'] = self.step.skipped_steps
        return log

    def reconstruction_losses(self) -> dict[str, Tensor]:
        """Return the host's losses between `self.output` and `self.gt`: `pixel_opt` and `perceptual_opt`."""
        losses = OrderedDict()
        if self.cri_pix:
            losses['l_pix'] = self.cri_pix(self.output, self.gt)
        if self.cri_perceptual:
            l_percep, l_style = self._perceptual_losses()
            losses.update({name: loss for name, loss in (('l_percep', l_percep), ('l_style', l_style))
                           if loss is not None})
        return losses

    def extra_state(self) -> dict:
        """Return what a resumed run needs beyond the host's training state."""
        return {'grad_scaler': self.step.scaler.state_dict()} if self.step.scaler.is_enabled() else {}

    def load_extra_state(self, extra: dict) -> None:
        """Take over `extra_state`; a run that was begun in another precision starts with a new scale."""
        if self.step.scaler.is_enabled() and 'grad_scaler' in extra:
            self.step.scaler.load_state_dict(extra['grad_scaler'])

    def validation(self, *arguments, **named) -> None:
        """Validate as the host does, in float32 and with the networks uncompiled."""
        if self.is_train:
            self.loss_watch.check()
        with self.step_options.uncompiled():
            super().validation(*arguments, **named)

    def save(self, epoch: int, current_iter: int) -> None:
        """Save as the host does, unless a loss was NaN or Inf."""
        self.loss_watch.check()
        super().save(epoch, current_iter)

    def _backward(self, current_iter: int) -> dict[str, Tensor]:
        """Compute the gradient of the fed batch, part by part; return the losses, averaged over the parts."""
        parts = self.step_options.accumulate
        if parts == 1:
            return self._backward_of_part(current_iter)
        by_part = []
        for number, part in enumerate(cut(self.data, parts), start=1):
            self.feed_data(part)
            with self.step.synchronise(is_last_part=number == parts):
                by_part.append(self._backward_of_part(current_iter))
        return {name: sum(losses[name] for losses in by_part) / parts for name in by_part[0]}

    def _backward_of_part(self, current_iter: int) -> dict[str, Tensor]:
        with self.step.autocast():
            losses = self.compute_losses(current_iter)
            total = sum(losses.values())
        self.step.backward(total)
        return {name: loss.detach() for name, loss in losses.items()}

    def _perceptual_losses(self) -> tuple[Tensor | None, Tensor | None]:
        """Ask the host's loss; the sums over all positions in a style loss overflow in half precision."""
        if not getattr(self.cri_perceptual, 'style_weight', 0):
            return self.cri_perceptual(self.output, self.gt)
        with torch.autocast(self.device.type, enabled=False):
            return self.cri_perceptual(self.output.to(self.gt.dtype), self.gt)
