"""What the networks of option files cost, as a table: parameters, multiply-accumulates, time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.components import check_components
from pkdn_basicsr.host.option_check.problems import section
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.models.prior import takes_parsing
from pkdn_basicsr.report.complexity import count_macs, count_parameters
from pkdn_basicsr.report.cost import LatencyRule
from pkdn_basicsr.report.latency import network_latency
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.report.operator_time import time_over_operators
from pkdn_basicsr.report.table import markdown_table


def network_table(files: Sequence[Path], rule: LatencyRule | None, references: Sequence[str] = (),
                  device: torch.device | str = 'cpu', operators: bool = False) -> str:
    """Count and time the untrained `network_g` of option files, on random faces of the size that they ask for.

    Args:
        files: Option files.
        rule: How to measure time; None: do not.
        references: File names without `.yml`; times are also given as multiples of theirs.
        device: Where the networks run.
        operators: Also give times as multiples of those of the network's heavy operators (see `operator_time`).

    Returns:
        A Markdown table.

    Raises:
        UsageError: No such file, or a network or argument that there is not.
    """
    nets, inputs, rows = {}, {}, []
    for file in files:
        opt = read_option_file(str(file))
        check_components(opt)
        net = nets[str(file)] = build_untrained(opt['network_g']).to(device).eval()
        tensors = inputs[str(file)] = face_inputs(net, opt, rule.batch if rule else 1, device)
        rows.append([file.stem, type(net).__name__, f'{count_parameters(net):,}', f'{_macs(net, tensors) / 1e9:.2f}'])
    header = ['option file', 'network', 'parameters', 'MACs G']
    if rule:
        seconds = network_latency(nets, inputs, rule.repeats, rule.warmup)
        compared = {file.stem: seconds[str(file)] for file in files if file.stem in references}
        header += ['ms', *(f'/ {name}' for name in compared)]
        for row, own in zip(rows, seconds.values(), strict=True):
            row += [f'{1e3 * own:.1f}', *(f'{own / other:.2f}' for other in compared.values())]
    if rule and operators:
        header.append('/ operators')
        for row, (file, net) in zip(rows, nets.items(), strict=True):
            row.append(f'{time_over_operators(net, inputs[file], rule.repeats, rule.warmup):.2f}')
    return markdown_table(header, rows)


def face_inputs(net: nn.Module, opt: Mapping, batch: int = 1, device: torch.device | str = 'cpu') -> list[Tensor]:
    """Return what a network is called with in the runs of its option file: random faces, and maps if it takes them.

    Args:
        net: The network.
        opt: Its option file, of which `scale` and the first `gt_size` decide on the size.
        batch: Number of faces.
        device: Where they lie.

    Raises:
        UsageError: There is no `scale` or `gt_size`.
    """
    sizes = [dataset['gt_size'] for dataset in section(opt, 'datasets').values() if dataset.get('gt_size')]
    if not (sizes and opt.get('scale')):
        raise UsageError('scale or datasets.train.gt_size is missing; the size of a face is read from them')
    size = sizes[0]
    side = size // opt['scale']
    inputs = [torch.rand(batch, 3, side, side, device=device)]
    if takes_parsing(net):
        inputs.append(torch.rand(batch, net.num_classes, size, size, device=device))
    return inputs


def _macs(net: nn.Module, inputs: Sequence[Tensor]) -> int:
    lq, *maps = (tensor[:1] for tensor in inputs)
    return count_macs(net, tuple(lq.shape[2:]), maps).total
