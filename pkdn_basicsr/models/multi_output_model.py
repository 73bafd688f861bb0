"""Training of a network that has several supervised outputs."""

from collections.abc import Mapping

import torch
from basicsr.losses import build_loss
from basicsr.utils.registry import ARCH_REGISTRY, MODEL_REGISTRY
from torch import Tensor, nn

from pkdn_basicsr.data.dataset_options import sample_scheme
from pkdn_basicsr.data.parsing_labels import parsing_to_one_hot
from pkdn_basicsr.data.parsing_map_dataset import is_parsing_map_dataset
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.output_losses import OutputLoss, read_output_losses
from pkdn_basicsr.models.targets import mix_classes, target_matrix


class AllOutputs(nn.Module):
    """A network's `forward_outputs` as a `forward`, so that DDP and torch.compile wrap it.

    Args:
        net: A network with `forward_outputs(lq) -> {name: output}`.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, lq: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name."""
        return self.net.forward_outputs(lq)


@MODEL_REGISTRY.register()
class MultiOutputModel(FaceSRModel):
    """`FaceSRModel` for networks with `forward_outputs(lq) -> {name: output}`; validation takes their `forward`.

    `train.output_losses` gives the losses by output, each with its `target`: the high-resolution image (`gt`, the
    default) or something made of the parsing map (`models/targets.py`), in its data set's classes or in those of
    `parsing_scheme`:

        output_losses:
          sr: {type: L1Loss}
          prior: {type: MSELoss, loss_weight: 0.1, target: parsing, parsing_scheme: fsrnet}
          frequency: [{type: L1Loss}, {type: MSELoss, loss_weight: 0.1}]

    `pixel_opt` and `perceptual_opt` may be given too; they are applied to 'sr'. An output without a loss leaves the
    layers that only it needs as they are; several processes then want `find_unused_parameters: true`.
    """

    @staticmethod
    def check(opt: dict) -> None:
        """Check before a run what `val` asks for, and that network, losses and data set go together.

        Raises:
            UsageError: A wrong option, a network of one output, or a target that needs maps which are not there.
        """
        FaceSRModel.check(opt)
        if not opt['is_train']:
            return
        network = opt['network_g']['type']
        if not hasattr(ARCH_REGISTRY.get(network), 'forward_outputs'):
            raise UsageError(f'network_g: {network} has no forward_outputs, hence one output alone; train it with '
                             'model_type: FaceSRModel')
        dataset_opt = opt['datasets']['train']
        # a data set of another type may have maps of its own
        no_maps = is_parsing_map_dataset(dataset_opt) and not dataset_opt.get('dataroot_parsing')
        for loss in read_output_losses(opt['train']):
            if loss.needs_map and no_maps:
                raise UsageError(f"train.output_losses.{loss.output}: the target '{loss.target}' needs the parsing map "
                                 'of every face: set datasets.train.dataroot_parsing')

    def init_training_settings(self) -> None:
        """Build the losses and their targets' matrices, then what the host builds."""
        self.check(self.opt)
        train_opt = self.opt['train']
        self.scheme = sample_scheme(self.opt['datasets']['train'])
        self.output_losses = read_output_losses(train_opt)
        self.criteria = {loss.name: build_loss(loss.loss_opt).to(self.device) for loss in self.output_losses}
        self.matrices = {
            loss.name: target_matrix(loss.target, self.scheme, loss.scheme or self.scheme).to(self.device)
            for loss in self.output_losses if loss.needs_map
        }
        # this module, not net_g, is what DDP wraps: calling around the wrapper would skip gradient reduction
        self.trained = super().model_to_device(AllOutputs(self.net_g))
        self._init_host_settings()

    def model_to_device(self, net: nn.Module) -> nn.Module:
        """Move the network only; it is wrapped as `trained`."""
        return net.to(self.device)

    def trained_module(self) -> nn.Module:
        """Return the network with all its outputs."""
        return self.trained

    def compute_losses(self, current_iter: int) -> dict[str, Tensor]:
        """Return the reconstruction losses, where there are some, and those of the outputs."""
        outputs = self.trained(self.lq)
        self._check_names(outputs)
        self.output = outputs.get('sr')
        one_hot = self._one_hot_map() if self.matrices else None
        losses = self.reconstruction_losses()
        for loss in self.output_losses:
            output = outputs[loss.output]
            losses[loss.name] = self.criteria[loss.name](output, self._target(loss, output, one_hot))
        return losses

    def _init_host_settings(self) -> None:
        """Let the host go on without a loss on 'sr': it insists on one, so it is lent one of ours."""
        train_opt = self.opt['train']
        pixel_opt = train_opt.get('pixel_opt')
        self.opt['train'] = {**train_opt, 'pixel_opt': pixel_opt or self.output_losses[0].loss_opt}
        super().init_training_settings()
        self.opt['train'] = train_opt
        if not pixel_opt:
            self.cri_pix = None

    def _check_names(self, outputs: Mapping[str, Tensor]) -> None:
        names = [loss.output for loss in self.output_losses]
        if self.cri_pix or self.cri_perceptual:
            names.append('sr')
        for name in names:
            if name not in outputs:
                raise UsageError(f"train: a loss needs the output '{name}', which {self.opt['network_g']['type']} does "
                                 f'not have; it has {", ".join(outputs)}')

    def _one_hot_map(self) -> Tensor:
        if 'parsing' not in self.data:
            raise UsageError('train.output_losses: a target needs the parsing map of every face: set '
                             "dataroot_parsing in the data set's options")
        return parsing_to_one_hot(self.data['parsing'].to(self.device, non_blocking=True), self.scheme.num_classes)

    @torch.no_grad()
    def _target(self, loss: OutputLoss, output: Tensor, one_hot: Tensor | None) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):  # a target is not rounded to half precision
            target = mix_classes(one_hot, self.matrices[loss.name], output.shape[-2:]) if loss.needs_map else self.gt
        if target.shape != output.shape:
            raise UsageError(f"train.output_losses.{loss.output}: the output is {tuple(output.shape)}, its target "
                             f"'{loss.target}' {tuple(target.shape)}; they must be equal")
        return target
