"""Comparing methods: from an option file to a folder of tables and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from basicsr.utils.dist_util import get_dist_info
from tqdm import tqdm

import pkdn_basicsr
from pkdn_basicsr.data.dataset_options import sample_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import write_whole
from pkdn_basicsr.host.option_check.metrics import drop_missing_metrics
from pkdn_basicsr.host.shards import from_first, my_share
from pkdn_basicsr.models.prior import check_maps
from pkdn_basicsr.report.comparison import Comparison, MethodResult
from pkdn_basicsr.report.cost import LatencyRule, measure_costs
from pkdn_basicsr.report.cost_plot import save_cost_plot
from pkdn_basicsr.report.entry import MissingCheckpointError
from pkdn_basicsr.report.evaluate import Values, evaluate
from pkdn_basicsr.report.face_grid import save_face_grid
from pkdn_basicsr.report.faces import FaceSet
from pkdn_basicsr.report.finished import FinishedMethods
from pkdn_basicsr.report.latex import comparison_latex
from pkdn_basicsr.report.method import Method, load_method
from pkdn_basicsr.report.options import sets_to_compare_on
from pkdn_basicsr.report.provenance import Run, record_files_in, record_run
from pkdn_basicsr.report.summary import write_summary
from pkdn_basicsr.report.table import comparison_csv, comparison_markdown


@dataclass(frozen=True)
class Plan:
    """A comparison's option file, checked and loaded.

    Attributes:
        name: Its name.
        scale: Enlargement.
        datasets: Its `datasets.test_*`.
        methods: The networks.
        metrics: `val.metrics` that can be computed.
        missing: The others: name -> reason.
        reference: The method that differences are to.
        latency: How to measure time.
        run: The present run.
    """

    name: str
    scale: int
    datasets: Sequence[dict]
    methods: Sequence[Method]
    metrics: Mapping[str, dict]
    missing: Mapping[str, str]
    reference: str
    latency: LatencyRule
    run: Run


def make_plan(opt: dict, file: str, reference: str | None = None, allow_missing: bool = False) -> Plan:
    """Load the methods of an option file.

    Args:
        opt: The option file, see `read_compare_options`.
        file: Its path.
        reference: The method that differences are to. Default: the first.
        allow_missing: Leave out, with a line that says so, methods that have no checkpoint yet.

    Raises:
        UsageError: Something is missing or does not fit.
    """
    datasets = sets_to_compare_on(opt)
    metrics = {str(name): options for name, options in opt['val']['metrics'].items()}
    missing = drop_missing_metrics(metrics)
    if not metrics:
        raise UsageError(f'{file}: none of val.metrics can be computed: {"; ".join(missing.values())}')
    methods = _load_methods(opt['methods'], allow_missing)
    names = [method.name for method in methods]
    if reference not in (None, *names):
        raise UsageError(f"--reference: there is no method '{reference}'; the file has {', '.join(names)}")
    for dataset in datasets:
        if dataset.get('dataroot_parsing'):
            _check_maps(methods, dataset)
    return Plan(opt['name'], opt['scale'], datasets, methods, metrics, missing, reference or names[0],
                LatencyRule.from_options(opt.get('latency')), record_run(file))


def compare(plan: Plan, faces: FaceSet, folder: Path) -> Comparison | None:
    """Run every method on every face of a test set, and write all about it.

    Every process of `torchrun` must call it. Methods that were finished before an interruption are not run again.

    Args:
        plan: What to compare. A method that needs maps is left out where the test set has none.
        faces: One of its test sets.
        folder: Where to write.

    Returns:
        The outcome in process 0, None in the others.

    Raises:
        UsageError: A result that cannot be compared, or maps of another scheme than a method knows.
    """
    methods = _methods_for(plan.methods, faces)
    metrics = {name: record_files_in(options) for name, options in plan.metrics.items()}
    finished = FinishedMethods(folder / 'finished', {
        'faces': faces.sha256, 'metrics': metrics, 'version': pkdn_basicsr.__version__})
    values = _values(plan, methods, faces, finished)
    if get_dist_info()[0] != 0:
        return None
    costs = measure_costs(methods, faces, plan.latency)
    results = {method.name: MethodResult(
        method.network_opt, method.option_file, method.checkpoint, method.recipe['param_key'],
        method.prior and method.prior.description, method.recipe['maps'], method.sees_truth, cost, *values[method.name])
        for method, cost in zip(methods, costs, strict=True)}
    reference = plan.reference if plan.reference in results else methods[0].name
    comparison = Comparison(plan.name, faces.options['name'], plan.scale, faces.lq_size, faces.images, faces.sha256,
                            metrics, plan.missing, plan.latency, reference, results)
    write_tables(comparison, folder)
    save_face_grid(folder / 'faces.png', comparison, methods, faces, plan.metrics)
    return comparison


def write_tables(comparison: Comparison, folder: Path) -> None:
    """Write `table.md`, `table.tex`, `table.csv`, `per_image.csv`, `summary.json` and `cost.png`."""
    write_whole(folder / 'table.md', comparison_markdown(comparison))
    write_whole(folder / 'table.tex', comparison_latex(comparison))
    write_whole(folder / 'table.csv', comparison_csv(comparison))
    write_summary(comparison, folder)
    save_cost_plot(folder / 'cost.png', comparison)


def _values(plan: Plan, methods: Sequence[Method], faces: FaceSet,
            finished: FinishedMethods) -> dict[str, tuple[Run, Values]]:
    """Return every method's values, and the run in which they were computed; of use in process 0 only."""
    rank, _ = get_dist_info()
    values = from_first({method.name: finished.find(method.recipe) for method in methods})
    todo = [method for method in methods if values[method.name] is None]
    for method in methods if rank == 0 else ():
        if method not in todo:
            print(f'{method.name}: finished in an earlier run')
    with tqdm(total=len(todo) * len(my_share(len(faces.images))), unit='face', disable=rank != 0) as progress:
        for method in todo:
            progress.set_description(method.name)
            found = evaluate(method, faces, plan.metrics, progress)
            if found is not None:
                finished.keep(method.name, method.recipe, found, plan.run)
                values[method.name] = plan.run, found
    return values


def _load_methods(entries: Mapping, allow_missing: bool) -> list[Method]:
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    methods: dict[str, Method] = {}
    for name, entry in entries.items():
        try:
            methods[str(name)] = load_method(str(name), entry, device, methods)
        except MissingCheckpointError as error:
            if not allow_missing:
                raise
            _say(f'left out: {error}')
    if not methods:
        raise UsageError('methods: no method is left')
    return list(methods.values())


def _methods_for(methods: Sequence[Method], faces: FaceSet) -> list[Method]:
    """Return the methods that can run on a test set: those that need maps only where it has them."""
    name, chosen = faces.options['name'], []
    for method in methods:
        if method.needs_maps and not faces.has_maps:
            _say(f"left out on {name}: '{method.name}' sees the true parsing map; the data set has no dataroot_parsing")
        else:
            chosen.append(method)
    if not chosen:
        raise UsageError(f'data set {name}: every method needs parsing maps; give dataroot_parsing')
    return chosen


def _check_maps(methods: Sequence[Method], dataset_opt: dict) -> None:
    scheme = sample_scheme(dataset_opt).name
    for method in methods:
        if method.needs_maps:
            check_maps(method.net, {'test': dataset_opt})
            if method.scheme != scheme:
                raise UsageError(f"method '{method.name}' was trained with maps of the scheme {method.scheme}, "
                                 f"{dataset_opt['name']} has {scheme}")


def _say(line: str) -> None:
    if get_dist_info()[0] == 0:
        print(line, flush=True)
