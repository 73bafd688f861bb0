"""What the option file of a comparison must and may say."""

from collections.abc import Mapping

from basicsr.utils.registry import DATASET_REGISTRY

from pkdn_basicsr.data.pairing import check_set_names
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.check import prepared
from pkdn_basicsr.host.option_check.files import check_data_files
from pkdn_basicsr.host.option_check.keys import check_dataset, check_names
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile

_KEYS = {'name', 'scale', 'methods', 'datasets', 'val', 'latency'}


def read_compare_options(path: str) -> dict:
    """Read a comparison's option file: `name`, `scale`, `methods`, `datasets.test*`, `val.metrics`, maybe `latency`.

    Raises:
        UsageError: No such file, something is missing, or a section is none.
        OptionFileError: Keys that nothing reads, or folders and lists that do not exist: all of them, with their lines.
    """
    file = OptionFile(path)
    file.refuse_faults()
    _check_frame(file.opt, path)
    problems = Problems(file)
    check_names('', file.opt, _KEYS, problems, 'a comparison has no such option')
    check_names('val', file.opt['val'], {'metrics'}, problems, 'a comparison has no such option')
    opt = prepared(file.opt, is_train=False)
    for phase in opt['datasets']:
        if _is_test_set(phase):
            check_dataset(opt, str(phase), problems)
        else:
            problems.error(f'datasets.{phase}', 'a comparison runs on datasets.test, datasets.test_2 and so on')
    check_data_files(opt, problems)
    problems.refuse()
    return file.opt


def sets_to_compare_on(opt: Mapping) -> list[dict]:
    """Return the `datasets.test*`."""
    return [dataset for phase, dataset in opt['datasets'].items() if _is_test_set(phase)]


def _is_test_set(phase: object) -> bool:
    return str(phase).split('_')[0] == 'test'


def _check_frame(opt: Mapping, file: str) -> None:
    """Check that all sections are there, and are sections."""
    val_opt = opt.get('val')
    sections = {'methods': opt.get('methods'), 'datasets': opt.get('datasets'), 'val': val_opt,
                'val.metrics': val_opt.get('metrics') if isinstance(val_opt, dict) else None}
    for key, section in sections.items():
        if not isinstance(section, dict) or not section:
            raise UsageError(f'{file}: {key}: expected names and values, found {section!r}; a comparison needs name, '
                             'scale, methods, datasets.test and val.metrics')
    if not opt.get('name') or not isinstance(opt.get('scale'), int):
        raise UsageError(f'{file}: expected a name and a whole number as scale, found name: {opt.get("name")!r}, '
                         f'scale: {opt.get("scale")!r}')
    if not isinstance(opt.get('latency') or {}, dict):
        raise UsageError(f'{file}: latency: expected batch, repeats and warmup, found {opt["latency"]!r}')
    datasets = sets_to_compare_on(opt)
    if not datasets:
        raise UsageError(f'{file}: found no datasets.test')
    for dataset in datasets:
        if not isinstance(dataset, dict) or 'name' not in dataset or dataset.get('type') not in DATASET_REGISTRY:
            raise UsageError(f'{file}: datasets.test: expected a name and a type (one of '
                             f'{", ".join(sorted(DATASET_REGISTRY.keys()))}), found {dataset!r}')
    check_set_names([dataset['name'] for dataset in datasets])
