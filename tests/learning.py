"""Can a network of an option file learn? `python tests/learning.py IMAGES OPTION_FILE ...` on four real faces."""

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
from pkdn_basicsr.report.network import build_untrained


def four_faces(folder: Path) -> tuple[Tensor, Tensor]:
    """Low-resolution and true faces, (4, 3, 16, 16) and (4, 3, 128, 128), of the first pictures in a folder."""
    faces = ParsingMapDataset({'name': 'faces', 'phase': 'val', 'scale': 8, 'gt_size': 128, 'dataroot_gt': str(folder)})
    samples = [faces[index] for index in range(4)]
    return torch.stack([sample['lq'] for sample in samples]), torch.stack([sample['gt'] for sample in samples])


def learn(net: nn.Module, lq: Tensor, gt: Tensor, lr: float, iterations: int = 300) -> tuple[float, int]:
    """Train on one batch until L1 is below half of bicubic's; return L1 / bicubic's and the iterations it took."""
    bicubic = F.l1_loss(BicubicUpsample(8)(lq), gt).item()
    optimizer = torch.optim.Adam([parameter for parameter in net.parameters() if parameter.requires_grad], lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=iterations, pct_start=0.1)
    ratio = 1.
    for iteration in range(1, iterations + 1):
        loss = F.l1_loss(net(lq), gt)
        ratio = loss.item() / bicubic
        if ratio < 0.5:
            return ratio, iteration
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return ratio, iterations


def main() -> None:
    torch.set_num_threads(1)
    lq, gt = four_faces(Path(sys.argv[1]))
    for file in sys.argv[2:]:
        torch.manual_seed(0)
        name, _, rate = file.partition(':')
        lr = float(rate or 1e-3)
        start = time.monotonic()
        ratio, iterations = learn(build_untrained(read_option_file(name)['network_g']), lq, gt, lr)
        print(f"{Path(name).stem}: lr {lr:g}: {ratio:.3f} of bicubic's L1 after {iterations} iterations, "
              f'{time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
    main()
