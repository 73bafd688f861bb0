"""The training step shared by our models: a dict of named losses, summed."""

from collections import OrderedDict

from torch import Tensor

from pkdn_basicsr.models.face_sr_model import FaceSRModel


class LossDictModel(FaceSRModel):
    """`FaceSRModel` whose step is `compute_losses`, sum, backward; a subclass says which losses there are."""

    def compute_losses(self, current_iter: int) -> dict[str, Tensor]:
        """Run the networks on the fed batch, set `self.output`, and return the weighted losses by name (`l_...`).

        Args:
            current_iter: Iteration, from 1.

        Returns:
            Scalars on the device. Every rank must return the same names in one iteration.
        """
        raise NotImplementedError

    def optimize_parameters(self, current_iter: int) -> None:
        """Do one step of the optimizer."""
        self.optimizer_g.zero_grad()
        losses = self.compute_losses(current_iter)
        sum(losses.values()).backward()
        self.optimizer_g.step()
        self.log_dict = self.reduce_loss_dict(losses)
        if self.ema_decay > 0:
            self.model_ema(decay=self.ema_decay)

    def reconstruction_losses(self) -> dict[str, Tensor]:
        """Return the host's losses between `self.output` and `self.gt`: `pixel_opt` and `perceptual_opt`."""
        losses = OrderedDict()
        if self.cri_pix:
            losses['l_pix'] = self.cri_pix(self.output, self.gt)
        if self.cri_perceptual:
            l_percep, l_style = self.cri_perceptual(self.output, self.gt)
            losses.update({name: loss for name, loss in (('l_percep', l_percep), ('l_style', l_style))
                           if loss is not None})
        return losses
