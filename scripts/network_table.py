"""Print what networks cost: parameters, MACs, and time side by side with KDFSRNet's student and SPARNet.

    python scripts/network_table.py                    # every baseline and PKDN
    python scripts/network_table.py --no-latency       # the counts alone
    python scripts/network_table.py options/pkdn_student.yml options/baselines/sparnet.yml --batch 8
    python scripts/network_table.py --operators        # beside their convolutions, products and transforms alone

Networks are built from the option files, without weights. As in every `basicsr` command, glibc keeps large blocks.
"""

import argparse
from pathlib import Path

import torch

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.allocator import keep_large_blocks
from pkdn_basicsr.report.cost import LatencyRule
from pkdn_basicsr.report.network_table import network_table

OPTIONS = Path(__file__).resolve().parents[1] / 'options'
FILES = [*sorted(OPTIONS.glob('baselines/*.yml')), OPTIONS / 'pkdn_student.yml', OPTIONS / 'pkdn_teacher.yml']
REFERENCES = ['kdfsrnet_student', 'sparnet']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='*', type=Path, default=FILES, help='option files')
    parser.add_argument('--no-latency', action='store_true', help='count only')
    parser.add_argument('--operators', action='store_true', help='times as multiples of the heavy operators alone')
    parser.add_argument('--batch', type=int, default=1, help='faces in a pass')
    parser.add_argument('--repeats', type=int, default=11, help='timed passes, of which the median counts')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    keep_large_blocks()
    try:
        rule = None if args.no_latency else LatencyRule.from_options({'batch': args.batch, 'repeats': args.repeats})
        table = network_table(args.files, rule, REFERENCES, args.device, args.operators)
    except UsageError as error:
        parser.error(str(error))
    print(table)
    if rule:
        print(f'ms: torch {torch.__version__}, {args.device}, {args.threads} thread(s), batch {rule.batch}, median of '
              f'{rule.repeats} passes')


if __name__ == '__main__':
    main()
