"""Compare what has been trained, on the validation faces, the test set and another domain."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from faces import MAPPED, TEST
from plan import Run
from seeds import common_seeds, method_name, seed_table

BICUBIC = 'options/baselines/bicubic.yml'
SETS = {
    'val': {'name': 'CelebAMask-HQ-val', 'dataroot_gt': f'{MAPPED}/images', 'dataroot_parsing': f'{MAPPED}/parsing',
            'split_file': f'{MAPPED}/split_val.txt'},
    'dic': {'name': 'CelebA-DIC-1000', 'dataroot_gt': f'{TEST}/HR', 'dataroot_lq': f'{TEST}/LR',
            'dataroot_parsing': 'datasets/reproduce/test_maps/parsing'},
    'officials': {'name': 'US-officials', 'dataroot_gt': 'datasets/reproduce/officials/images',
                  'dataroot_parsing': 'datasets/reproduce/officials_maps/parsing'},
}
_METRICS = {f'{metric}_{protocol}': {'type': f'calculate_protocol_{metric}', 'protocol': protocol}
            for protocol in ('dic', 'sparnet', 'rgb') for metric in ('psnr', 'ssim')}


def compare(runs: Sequence[Run], folder: Path) -> None:
    """Compare all networks on every set of faces, and then the seeds of those that have several.

    Differences are to the first run.

    Args:
        runs: What has been trained or is shipped.
        folder: Where their option files lie and the comparisons' go; its name begins those of the result folders.
    """
    for faces in SETS:
        _compare([run for run in runs if run.seed == 0], faces, folder, f'{folder.name}_{faces}')
    if len(common_seeds(runs)) < 2:
        return  # shipped weights are of one seed
    several = {run.network for run in runs if run.seed}
    of_seeds = [run for run in runs if run.network in several]
    results = {faces: _compare(of_seeds, faces, folder, f'{folder.name}_{faces}_seeds') for faces in SETS}
    table = seed_table(of_seeds, results)
    (folder / 'seeds.md').write_text(table)
    print(f'\nWhat teaching gains:\n\n{table}\nWritten to {folder.absolute()}: seeds.md')


def compare_variants(kind: str, groups: Mapping[str, Sequence[Run]], folder: Path) -> None:
    """Compare each network of the plan with its variants of a kind, on the validation faces; see `compare`."""
    for network, group in groups.items():
        runs = [run for run in group if run.is_compared]
        if len(runs) < 2 or runs[0].network != network:
            continue  # nothing to hold against each other yet
        _compare(runs, 'val', folder, f'{folder.name}_{kind}_of_{network.replace(" ", "_")}')


def _compare(runs: Sequence[Run], faces: str, folder: Path, name: str) -> Path:
    methods = {_name(run, faces): {'opt': f'{folder}/options/{run.name}.yml', 'checkpoint': run.tested}
               for run in runs}
    path = folder / f'compare_{name.removeprefix(f"{folder.name}_")}.yml'
    opt = _comparison(name, methods | {'bicubic': BICUBIC}, SETS[faces])
    path.write_text(yaml.safe_dump(opt, sort_keys=False, width=120))
    subprocess.run(['basicsr', 'compare', '-opt', path], check=True)
    return Path('results', name)


def _name(run: Run, faces: str) -> str:
    if run.network == 'teacher' and faces != 'val':  # only the validation faces have true maps
        return f'{method_name(run)}, maps parsed from the truth'
    return method_name(run)


def _comparison(name: str, methods: Mapping, faces: Mapping) -> dict:
    test = {'type': 'ParsingMapDataset', 'parsing_scheme': 'celebamask_hq', 'io_backend': {'type': 'disk'},
            'gt_size': 128, **faces}
    return {'name': name, 'scale': 8, 'methods': dict(methods), 'datasets': {'test': test},
            'val': {'metrics': _METRICS}}
