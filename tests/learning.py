"""Can a network of an option file learn? `python tests/learning.py FACES OPTION_FILE[:RATE] ...` on four real faces.

FACES has `images` and `parsing`; the maps, of 19 classes, are for networks that take one. A network should bring its
L1 below half of bicubic's in 300 iterations on one batch. Gradients are clipped and Adam forgets soon, and the matrices
of transformers are trained by Muon: networks without a global residual begin at seven to nine times bicubic's L1, and
deep ones need more iterations without that.
"""

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pkdn_basicsr  # noqa: F401
from pkdn_basicsr.archs.layers import BicubicUpsample
from pkdn_basicsr.data import ParsingMapDataset
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.models.prior import one_hot_prior, takes_parsing
from pkdn_basicsr.report.network import build_untrained


def four_faces(folder: Path) -> dict[str, Tensor]:
    """`lq` (4, 3, 16, 16), `gt` (4, 3, 128, 128) and `parsing` (4, 128, 128) of the first pictures in a folder."""
    faces = ParsingMapDataset({
        'name': 'faces', 'phase': 'val', 'scale': 8, 'gt_size': 128, 'parsing_scheme': 'celebamask_hq',
        'dataroot_gt': str(folder / 'images'), 'dataroot_parsing': str(folder / 'parsing')})
    samples = [faces[index] for index in range(4)]
    return {key: torch.stack([sample[key] for sample in samples]) for key in ('lq', 'gt', 'parsing')}


def learn(net: nn.Module, faces: dict[str, Tensor], lr: float, iterations: int = 300) -> tuple[float, int]:
    """Train on one batch until L1 is below half of bicubic's; return L1 / bicubic's and the iterations it took."""
    lq, gt = faces['lq'], faces['gt']
    inputs = (lq, one_hot_prior(faces, net, lq.device)) if takes_parsing(net) else (lq,)
    bicubic = F.l1_loss(BicubicUpsample(8)(lq), gt).item()
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizers = optimizers_for(parameters, lr)
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / iterations))
                 for optimizer in optimizers]
    ratio = 1.
    for iteration in range(1, iterations + 1):
        loss = F.l1_loss(net(*inputs), gt)
        ratio = loss.item() / bicubic
        if ratio < 0.5:
            return ratio, iteration
        net.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        for step in (*optimizers, *schedules):
            step.step()
    return ratio, iterations


def _rate(progress: float) -> float:
    """Up in the first tenth, down in the last third."""
    return min(1., 10 * progress + 0.03, 3 * (1 - progress) + 0.1)


def optimizers_for(parameters: list[nn.Parameter], lr: float) -> list[torch.optim.Optimizer]:
    """Return Adam, and Muon for the matrices of linear layers where there are any."""
    matrices = [parameter for parameter in parameters if parameter.ndim == 2 and min(parameter.shape) > 8]
    others = [parameter for parameter in parameters if all(parameter is not matrix for matrix in matrices)]
    muon = [torch.optim.Muon(matrices, 0.02, weight_decay=0)] if matrices else []
    return [torch.optim.Adam(others, lr, betas=(0.9, 0.95)), *muon]


def main() -> None:
    torch.set_num_threads(1)
    faces = four_faces(Path(sys.argv[1]))
    for file in sys.argv[2:]:
        torch.manual_seed(0)
        name, _, rate = file.partition(':')
        lr = float(rate or 1e-3)
        start = time.monotonic()
        ratio, iterations = learn(build_untrained(read_option_file(name)['network_g']), faces, lr)
        print(f"{Path(name).stem}: lr {lr:g}: {ratio:.3f} of bicubic's L1 after {iterations} iterations, "
              f'{time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
    main()
