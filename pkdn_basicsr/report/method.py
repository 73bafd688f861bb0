"""One network of a comparison, with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from basicsr.utils import img2tensor, tensor2img
from numpy import ndarray
from torch import Tensor, nn

from pkdn_basicsr.archs.layers import BicubicUpsample
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.components import check_components
from pkdn_basicsr.models.prior import one_hot_prior, takes_parsing
from pkdn_basicsr.report.entry import MissingCheckpointError, load_checkpoint, read_entry
from pkdn_basicsr.report.maps import Batch, MapSource, map_source
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.report.provenance import FileRecord, record_file, record_files_in
from pkdn_basicsr.weights.face_parser import SHIPPED_FACE_PARSER


@dataclass(frozen=True)
class Method:
    """A network ready to be run.

    Attributes:
        name: What tables and figures call it.
        net: The network, in eval mode, with its weights.
        network_opt: Its class and arguments.
        option_file: The file that they are from; None where its weights tell them.
        checkpoint: Its weights; None for a network that has none.
        prior: Where its parsing maps come from; None for a network that sees the low-resolution face alone.
        scheme: Class scheme of the maps it was trained with.
        recipe: All that its results depend on, to know them again.
    """

    name: str
    net: nn.Module
    network_opt: Mapping
    option_file: FileRecord | None
    checkpoint: FileRecord | None
    prior: MapSource | None
    scheme: str
    recipe: Mapping

    @property
    def sees_truth(self) -> bool:
        """Whether it sees what is not there in use, so that it is no fair rival of networks that do not."""
        return self.prior is not None and self.prior.from_truth

    @property
    def needs_maps(self) -> bool:
        """Whether the data set must have maps."""
        return self.sees_truth and 'predicted_from' not in (self.recipe['maps'] or {})

    def inputs(self, batch: Batch) -> list[Tensor]:
        """Return what the network is called with, on its device."""
        device = next((parameter.device for parameter in self.net.parameters()), torch.device('cpu'))
        inputs = [batch['lq'].to(device)]
        if self.prior:
            inputs.append(one_hot_prior({'parsing': self.prior.maps(batch)}, self.net, device))
        return inputs

    @torch.no_grad()
    def super_resolve(self, batch: Batch) -> ndarray:
        """Run the network on a batch of one.

        Args:
            batch: `lq` (1, 3, h, w), `gt` (1, 3, H, W) and, where the data set has maps, `parsing` (1, H, W).

        Returns:
            uint8 (H, W, 3), BGR, as BasicSR's metrics take it.

        Raises:
            UsageError: The network cannot take a face of this size.
        """
        try:
            return tensor2img([self.net(*self.inputs(batch))])
        except (AssertionError, RuntimeError, ValueError) as error:  # sizes that a network cannot take
            height, width = batch['lq'].shape[-2:]
            raise UsageError(f"method '{self.name}': {type(self.net).__name__} cannot take a face of {width}x{height}: "
                             f'{" ".join(str(error).split())[:300]}') from error


def load_method(name: str, entry: str | dict, device: torch.device, earlier: Mapping[str, Method]) -> Method:
    """Build the network of a `methods:` entry and load its weights.

    Args:
        name: The entry's key.
        entry: See `read_entry`; `map_source` for the maps.
        device: Where the network shall lie.
        earlier: The methods above, whose results its maps may be predicted from.

    Raises:
        UsageError: As `read_entry`; an unknown network, weights of another network, or maps for a network that takes
            none.
        MissingCheckpointError: No checkpoint.
    """
    entry = read_entry(name, entry)
    check_components({'network_g': entry.opt['network_g']})  # an option file or a file of weights could name anything
    recipe = {'network': dict(entry.opt['network_g']), 'checkpoint': None, 'param_key': None,
              'maps': _traceable(entry.maps)}
    net = build_untrained(entry.opt['network_g'])
    checkpoint = None
    if any(True for _ in net.parameters()):
        checkpoint, recipe['param_key'] = load_checkpoint(name, net, entry)
        recipe['checkpoint'] = checkpoint.sha256
    net = net.to(device).eval()
    scheme = _scheme(entry.opt)
    return Method(name, net, entry.opt['network_g'], entry.option_file and record_file(entry.option_file), checkpoint,
                  _prior(name, net, entry.maps, scheme, earlier, recipe), scheme, recipe)


def _prior(name: str, net: nn.Module, maps: dict | None, scheme: str, earlier: Mapping[str, Method],
           recipe: dict) -> MapSource | None:
    if not takes_parsing(net):
        if maps is not None:
            raise UsageError(f"method '{name}': {type(net).__name__} takes no parsing map; leave out maps")
        return None

    def picture(batch: Batch, what: str) -> Tensor:
        if what == 'gt':
            return batch['gt']
        if what == 'lq':
            return BicubicUpsample(batch['gt'].shape[-1] // batch['lq'].shape[-1])(batch['lq'])
        return img2tensor(earlier[what].super_resolve(batch) / 255., float32=True)[None]

    what = maps.get('predicted_from') if isinstance(maps, dict) else None
    if what not in (None, 'gt', 'lq', *earlier):
        # --allow-missing may have left it out, and then leaves out this one too
        raise MissingCheckpointError(f"method '{name}': maps.predicted_from: there is no method '{what}' above it; "
                                     f'expected gt, lq or one of {", ".join(earlier)}')
    if what in earlier:
        recipe['source'] = earlier[what].recipe
    try:
        return map_source(maps, scheme, picture, ['gt', *(each for each in earlier if earlier[each].sees_truth)])
    except UsageError as error:
        raise UsageError(f"method '{name}': {error}") from None


def _traceable(maps: dict | None) -> dict | None:
    """Return `maps:` with the hash of the parser's file, also of the shipped one."""
    if not isinstance(maps, dict) or 'predicted_from' not in maps:
        return maps
    return record_files_in({**maps, 'parser': maps.get('parser') or str(SHIPPED_FACE_PARSER)})


def _scheme(opt: dict) -> str:
    """Class scheme of the maps that the network was trained with, as far as its option file tells."""
    schemes = [dataset_opt.get('convert_parsing_to') or dataset_opt.get('parsing_scheme')
               for dataset_opt in (opt.get('datasets') or {}).values()]
    return next(filter(None, schemes), 'celebamask_hq')
