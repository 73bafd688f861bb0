"""`basicsr bench WHAT ...`: how long things take here and now."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from basicsr.utils import get_root_logger
from matplotlib.figure import Figure

from pkdn_basicsr.bench import picture, table
from pkdn_basicsr.bench.growth import measure_growth
from pkdn_basicsr.bench.infer import MODES, Subject, measure_inference, options_of_network
from pkdn_basicsr.bench.loader import measure_loader, open_training_set
from pkdn_basicsr.bench.result import write_result
from pkdn_basicsr.bench.roofline import measure_rates
from pkdn_basicsr.bench.scale import measure_scaling
from pkdn_basicsr.bench.step import measure_steps, training_device
from pkdn_basicsr.bench.training import has_trained_teacher, read_training_options, write_options
from pkdn_basicsr.bench.whole_run import Rounds, batches_ahead, measure_whole_run
from pkdn_basicsr.cli.bench_arguments import bench_parser
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import make_result_folder
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.options import read_option_file

_CPU = torch.device('cpu')


def run(arguments: list[str]) -> int:
    """Measure what the command line names; print a table, and write JSON and a picture.

    Returns:
        0, or 130 when interrupted.
    """
    args = bench_parser({'step': _step, 'infer': _infer, 'data': _data, 'growth': _growth, 'scale': _scale}
                        ).parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        args.measure(args, ['basicsr', 'bench', *arguments])
    except KeyboardInterrupt:
        print('\ninterrupted; nothing was written', file=sys.stderr)
        return 130
    return 0


def _step(args: argparse.Namespace, command: Sequence[str]) -> None:
    if args.train:
        _train(args, command)
        return
    names = _names(args.opt)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        options = {name: read_training_options(file, args.force_yml, args.batch, scratch)
                   for name, file in names.items()}
        untrained = [name for name, opt in options.items() if 'network_t' in opt and not has_trained_teacher(
            opt, scratch)]
        device = training_device(next(iter(options.values())))
        folder = _folder(args, 'step', *names)
        get_root_logger(log_level=logging.WARNING)  # the host would print every network
        rates = measure_rates(device)
        results = measure_steps(options, args.repeats, args.warmup, rates)
    bars = {f'{name}{kind}': value for name, found in results.items() for kind, value in (
        ('', found.parts), (', undivided', found.step), (', bare loop', found.bare_loop)) if value}
    text = table.step_table(results, rates, untrained)
    _keep(args, folder, 'step', command, device, {'rates': rates, 'steps': results}, text, picture.split_picture(bars))


def _train(args: argparse.Namespace, command: Sequence[str]) -> None:
    if len(args.opt) > 1:
        raise UsageError(f'bench step --train: expected one option file, found {len(args.opt)}; measure one after the '
                         'other')
    with tempfile.TemporaryDirectory() as scratch:
        opt = read_training_options(args.opt[0], args.force_yml, args.batch, Path(scratch))
        folder = _folder(args, 'train', Path(args.opt[0]).stem)
        rounds = Rounds(args.rounds, args.repeats, args.warmup + batches_ahead(opt))
        found = measure_whole_run(opt, rounds, Path(scratch))
    bars = {'basicsr train': found.parts, 'bare loop': found.bare_loop}
    _keep(args, folder, 'train', command, training_device(opt), found, table.whole_run_table(found),
          picture.split_picture(bars))


def _infer(args: argparse.Namespace, command: Sequence[str]) -> None:
    device = _device(args.device)
    names = _names(args.opt)
    options = {**{name: read_option_file(file) for name, file in names.items()},
               **{name: options_of_network(name) for name in args.networks}}
    if not options:
        raise UsageError('bench infer: name option files (-opt) or networks (--networks)')
    subjects = {name: _subject(name, opt, device) for name, opt in options.items()}
    folder = _folder(args, 'infer', *options)
    modes = [mode for mode in MODES if mode == 'eager' or getattr(args, mode)]
    latencies = measure_inference(subjects, args.batch, modes, args.repeats, args.warmup)
    counts = {name: {'parameters': subject.parameters, 'macs': subject.macs} for name, subject in subjects.items()}
    _keep(args, folder, 'infer', command, device, {'networks': counts, 'latencies': latencies},
          table.inference_table(subjects, latencies), picture.inference_picture(latencies))


def _subject(name: str, opt: Mapping, device: torch.device) -> Subject:
    try:
        return Subject.of(opt, device)
    except UsageError as error:
        raise UsageError(f'{name}: {error}') from None


def _data(args: argparse.Namespace, command: Sequence[str]) -> None:
    file = OptionFile(*args.opt)
    file.refuse_faults()
    file.force(args.force_yml)
    get_root_logger(log_level=logging.WARNING)
    dataset, dataset_opt = open_training_set(file)
    folder = _folder(args, 'data', Path(file.path).stem)
    speeds = measure_loader(dataset, dataset_opt, args.workers, args.images, args.rounds)
    _keep(args, folder, 'data', command, _CPU, speeds, table.loader_table(speeds, dataset_opt),
          picture.loader_picture(speeds))


def _growth(args: argparse.Namespace, command: Sequence[str]) -> None:
    folder = _folder(args, 'growth', 'lmdb' if args.lmdb else 'folder')
    with tempfile.TemporaryDirectory() as scratch:
        points = measure_growth(args.files, args.samples, args.rounds, Path(scratch), args.lmdb)
    _keep(args, folder, 'growth', command, _CPU, points, table.growth_table(points), picture.growth_picture(points))


def _scale(args: argparse.Namespace, command: Sequence[str]) -> None:
    file, = args.opt
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        opt = read_training_options(file, args.force_yml, args.batch, scratch)
        folder = _folder(args, 'scale', Path(file).stem)
        written = scratch / 'options.yml'
        write_options(opt, written)
        points = measure_scaling(written, opt['datasets']['train']['batch_size_per_gpu'], args.ranks, args.repeats,
                                 args.warmup, args.rounds, scratch)
    _keep(args, folder, 'scale', command, training_device(opt), points, table.scaling_table(points),
          picture.scaling_picture(points))


def _keep(args: argparse.Namespace, folder: Path, kind: str, command: Sequence[str], device: torch.device,
          results: object, text: str, figure: Figure) -> None:
    written = write_result(folder, kind, command, getattr(args, 'opt', []), device, results, figure)
    print(f'\n{text}\n{written}', flush=True)


def _folder(args: argparse.Namespace, kind: str, *names: str) -> Path:
    folder = args.output or Path('results') / 'bench' / '_'.join([kind, *names])[:100]
    make_result_folder(folder, '-o')
    return folder


def _names(files: Sequence[str]) -> dict[str, str]:
    """Return option files by the shortest names that tell them apart."""
    stems = [Path(file).stem for file in files]
    return {stem if stems.count(stem) == 1 else file: file for stem, file in zip(stems, files, strict=True)}


def _device(name: str) -> torch.device:
    if name == 'cuda' and not torch.cuda.is_available():
        raise UsageError('--device cuda: torch finds no GPU; use --device cpu')
    return torch.device(name)
