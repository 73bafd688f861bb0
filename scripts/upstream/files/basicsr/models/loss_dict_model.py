import os
from collections import OrderedDict

import torch
from basicsr.models.sr_model import SRModel
from basicsr.utils.dist_util import master_only


class LossDictModel(SRModel):
    """SRModel whose training step is: compute a dict of named losses, sum them up, go backward.

    A subclass says what the network is given (`network_inputs`), which losses there are (`compute_losses`) and what a
    resumed run needs beyond the state of optimizers and schedulers (`extra_state`, `load_extra_state`).
    """

    def feed_data(self, data):
        super().feed_data(data)
        self.data = data

    def network_inputs(self):
        """Return what `network_g` is given of the fed batch."""
        return (self.lq, )

    def test(self):
        net = getattr(self, 'net_g_ema', self.net_g)
        was_training = net.training
        net.eval()
        with torch.no_grad():
            self.output = net(*self.network_inputs())
        net.train(was_training)

    def compute_losses(self, current_iter):
        """Run the networks on the fed batch, set `self.output` and return the weighted losses by name."""
        self.output = self.net_g(*self.network_inputs())
        return self.reconstruction_losses()

    def reconstruction_losses(self):
        """Return pixel_opt and perceptual_opt between `self.output` and `self.gt`."""
        losses = OrderedDict()
        if self.cri_pix:
            losses['l_pix'] = self.cri_pix(self.output, self.gt)
        if self.cri_perceptual:
            l_percep, l_style = self.cri_perceptual(self.output, self.gt)
            if l_percep is not None:
                losses['l_percep'] = l_percep
            if l_style is not None:
                losses['l_style'] = l_style
        return losses

    def optimize_parameters(self, current_iter):
        self.optimizer_g.zero_grad()
        losses = self.compute_losses(current_iter)
        sum(losses.values()).backward()
        self.optimizer_g.step()

        self.log_dict = self.reduce_loss_dict(losses)

        if self.ema_decay > 0:
            self.model_ema(decay=self.ema_decay)

    def extra_state(self):
        """Return what a resumed run needs beyond the state of optimizers and schedulers."""
        return {}

    def load_extra_state(self, extra):
        """Take over `extra_state`."""

    @master_only
    def save_training_state(self, epoch, current_iter):
        super().save_training_state(epoch, current_iter)
        extra = self.extra_state()
        if extra and current_iter != -1:
            torch.save(extra, os.path.join(self.opt['path']['training_states'], f'{current_iter}_extra.pth'))

    def resume_training(self, resume_state):
        super().resume_training(resume_state)
        path = os.path.splitext(self.opt['path']['resume_state'])[0] + '_extra.pth'
        self.load_extra_state(torch.load(path, map_location=self.device) if os.path.isfile(path) else {})
