"""`basicsr compare -opt FILE`: several networks on the same faces, as a table and a picture."""

import argparse
from pathlib import Path

import torch
from basicsr.data import build_dataset
from torch.utils.data import Subset

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.metric_check import drop_missing_metrics
from pkdn_basicsr.host.options import read_option_file
from pkdn_basicsr.host.plugins import import_plugins
from pkdn_basicsr.models.prior import check_maps
from pkdn_basicsr.report.complexity import count_parameters
from pkdn_basicsr.report.evaluate import evaluate
from pkdn_basicsr.report.figures import save_face_grid
from pkdn_basicsr.report.method import Method, MissingCheckpointError, load_method
from pkdn_basicsr.report.table import comparison_table, per_image_csv


def run(arguments: list[str]) -> int:
    """Compare the `methods` of an option file on its `datasets.test`.

    Writes `table.md`, `per_image.csv` and `faces.png`, and prints the table.
    """
    args = _parse(arguments)
    import_plugins()
    opt = read_option_file(args.opt)
    _check_frame(opt, args.opt)
    metrics = opt['val']['metrics']
    missing = drop_missing_metrics(metrics)
    methods = _load_methods(opt, args.allow_missing)
    reference = args.reference or methods[0].name
    if reference not in [method.name for method in methods]:
        raise UsageError(f"--reference: there is no method '{reference}'; the file has {', '.join(opt['methods'])}")
    dataset_opt = opt['datasets']['test']
    _check_maps(methods, dataset_opt)
    faces = build_dataset({**dataset_opt, 'phase': 'test', 'scale': opt['scale']})
    if args.limit:
        faces = Subset(faces, range(min(args.limit, len(faces))))

    evaluation = evaluate(methods, faces, metrics)
    table = comparison_table(evaluation, {method.name: count_parameters(method.net) for method in methods},
                             {method.name: method.uses_prior for method in methods}, reference, missing)
    folder = args.output or Path('results') / opt['name']
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'table.md').write_text(table, encoding='utf-8')
    (folder / 'per_image.csv').write_text(per_image_csv(evaluation), encoding='utf-8')
    save_face_grid(folder / 'faces.png', methods, faces, evaluation, next(iter(metrics)))
    print(f"\n{dataset_opt['name']}, {len(faces)} faces, x{opt['scale']}\n\n{table}\n"
          f'Written to {folder.absolute()}: table.md, per_image.csv, faces.png')
    return 0


def _check_frame(opt: dict, file: str) -> None:
    for section, key in ((opt, 'name'), (opt, 'scale'), (opt, 'methods'), (opt.get('datasets') or {}, 'test'),
                         (opt.get('val') or {}, 'metrics')):
        if not section.get(key):
            raise UsageError(f'{file}: found no {key}; a comparison needs name, scale, methods, datasets.test and '
                             'val.metrics')


def _check_maps(methods: list[Method], dataset_opt: dict) -> None:
    scheme = dataset_opt.get('parsing_scheme') or 'celebamask_hq'
    for method in methods:
        if method.uses_prior:
            check_maps(method.net, {'test': dataset_opt})
            if method.parsing_scheme not in (None, scheme):
                raise UsageError(f"method '{method.name}' was trained with maps of the scheme {method.parsing_scheme}, "
                                 f'datasets.test has {scheme}')


def _load_methods(opt: dict, allow_missing: bool) -> list[Method]:
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    methods = []
    for name, entry in opt['methods'].items():
        try:
            methods.append(load_method(name, entry, device))
        except MissingCheckpointError as error:
            if not allow_missing:
                raise
            print(f'left out: {error}')
    if not methods:
        raise UsageError('methods: no method is left')
    return methods


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f'expected a whole number above 0, found {text}')
    return int(text)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr compare', description=__doc__)
    parser.add_argument('-opt', required=True, help='option file with datasets.test, val.metrics and methods')
    parser.add_argument('-o', '--output', type=Path, help='result folder (default: results/<name>)')
    parser.add_argument('--limit', type=_positive, help='use the first N faces only')
    parser.add_argument('--reference', help='method that the intervals are against (default: the first)')
    parser.add_argument('--allow-missing', action='store_true', help='leave out methods without a checkpoint')
    return parser.parse_args(arguments)
