"""Training and validation of a network that sees the true parsing map."""

from basicsr.utils.registry import MODEL_REGISTRY
from torch import Tensor

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.prior import check_maps, one_hot_prior, takes_parsing


@MODEL_REGISTRY.register()
class PKDNTeacherModel(FaceSRModel):
    """`FaceSRModel` for networks that are `forward(lq, parsing)`: same options, same losses.

    The paper trains the teacher with L1 (`pixel_opt: {type: L1Loss}`).
    """

    def __init__(self, opt: dict) -> None:
        super().__init__(opt)
        net = self.get_bare_model(self.net_g)
        if not takes_parsing(net):
            raise UsageError(f'PKDNTeacherModel: {type(net).__name__} takes no parsing map; train it by SRModel or '
                             'DistillationModel')
        check_maps(net, opt['datasets'])

    def feed_data(self, data: dict) -> None:
        """Move a batch of `lq`, `gt` and `parsing` to the device."""
        super().feed_data(data)
        self.prior = one_hot_prior(data, self.get_bare_model(self.net_g), self.device)

    def network_inputs(self) -> tuple[Tensor, ...]:
        """Return the low-resolution face and its one-hot map."""
        return self.lq, self.prior
