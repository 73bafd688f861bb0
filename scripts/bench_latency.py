"""Print what networks cost: parameters, MACs, and time side by side with KDFSRNet's student and SPARNet.

    python scripts/bench_latency.py --networks PKDNStudent KDFSRNetStudent SPARNet --threads 1 --batch 1 8

Networks are built with their default arguments and must take the low-resolution face alone.
"""

import argparse

from pkdn_basicsr import archs  # isort: skip  # noqa: F401  (first: makes `import basicsr` work, fills the registry)

import torch
from basicsr.utils.registry import ARCH_REGISTRY

from pkdn_basicsr.report.latency import format_costs, measure_networks

REFERENCES = ['KDFSRNetStudent', 'SPARNet']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--networks',
        nargs='+',
        default=['KDFSRNetStudent', 'SPARNet', 'SPARNetLight', 'PKDNStudent'],
        help='names in the arch registry',
    )
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--repeats', type=int, default=20, help='timed rounds')
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 8], help='batch sizes')
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    args = parser.parse_args()
    unknown = [name for name in args.networks if name not in ARCH_REGISTRY]
    if unknown:
        parser.error(f'not in the arch registry: {", ".join(unknown)}')

    torch.set_num_threads(args.threads)
    nets = {name: ARCH_REGISTRY.get(name)().to(args.device) for name in args.networks}
    costs = measure_networks(nets, args.batch, args.repeats)
    print(f'torch {torch.__version__}, {args.device}, {args.threads} thread(s), {args.repeats} rounds, 16x16 input')
    print(format_costs(costs, REFERENCES))


if __name__ == '__main__':
    main()
