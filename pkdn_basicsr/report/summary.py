"""`summary.json`: a comparison with all that is needed to trace its numbers, and to put it beside others.

Schema `pkdn_basicsr.compare/1`; numbers that do not exist are null.

    schema, name
    dataset        {name, scale, lq_size: [h, w], faces: number, sha256: of names and pictures}
    metrics        {<metric>: its options as in the option file, `better`, the protocol or type; files with hash}
    missing        {<metric>: why it could not be computed}
    latency        {batch, repeats, warmup}
    reference      the method that differences are to
    interval       {level, resamples, kind}
    per_image      {path, sha256}: the values of all faces, beside this file
    runs           [{date, option_file: {path, sha256}, device, threads, versions: {package: version}}]
    methods        {<name>: {
                       network: {type, ...}, option_file and checkpoint: {path, sha256} or null,
                       param_key: under which the weights lie in it, or null; the first versions left it out,
                       prior: what map it sees, or null, maps: its `maps:` or null, sees_truth: bool,
                       run: position in `runs`,
                       parameters, macs, macs_skipped: {operator: calls}, latency_ms,
                       metrics: {<metric>: {
                           mean, mean_ci95: [low, high],
                           difference: mean difference to the reference, ci95: [low, high] of that difference (paired
                           bootstrap over the faces); both null for the reference itself,
                           faces: number with a value, unknown: number without}}}}
"""

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import csv_text, write_whole
from pkdn_basicsr.metrics.measure import DECIMALS
from pkdn_basicsr.report.bootstrap import LEVEL, RESAMPLES
from pkdn_basicsr.report.comparison import Comparison, MethodResult, Statistics
from pkdn_basicsr.report.cost import Cost, LatencyRule
from pkdn_basicsr.report.evaluate import Values
from pkdn_basicsr.report.provenance import FileRecord, Run, record_file

SCHEMA = 'pkdn_basicsr.compare/1'
_PER_IMAGE = 'per_image.csv'


def write_summary(comparison: Comparison, folder: Path) -> None:
    """Write `per_image.csv` and `summary.json`."""
    write_whole(folder / _PER_IMAGE, per_image_csv(comparison))
    runs = []
    for result in comparison.methods.values():
        runs += [result.run] if result.run not in runs else []
    summary = {
        'schema': SCHEMA,
        'name': comparison.name,
        'dataset': {'name': comparison.dataset, 'scale': comparison.scale, 'lq_size': comparison.lq_size,
                    'faces': len(comparison.images), 'sha256': comparison.faces_sha256},
        'metrics': comparison.metrics,
        'missing': comparison.missing,
        'latency': asdict(comparison.latency),
        'reference': comparison.reference,
        'interval': {'level': LEVEL, 'resamples': RESAMPLES, 'kind': 'percentile bootstrap over the faces'},
        'per_image': {'path': _PER_IMAGE, 'sha256': record_file(folder / _PER_IMAGE).sha256},
        'runs': [asdict(run) for run in runs],
        'methods': {name: _method_to_json(result, runs.index(result.run), comparison.statistics[name])
                    for name, result in comparison.methods.items()},
    }
    write_whole(folder / 'summary.json', json.dumps(_null_for_nan(summary), indent=2, allow_nan=False) + '\n')


def per_image_csv(comparison: Comparison) -> str:
    """Return one line per face and method: image, method, then every metric."""
    return csv_text(['image', 'method', *comparison.metrics], (
        [image, name, *(f'{result.values[metric][index]:.{DECIMALS}f}' for metric in comparison.metrics)]
        for index, image in enumerate(comparison.images) for name, result in comparison.methods.items()))


def read_summary(path: Path) -> Comparison:
    """Read a comparison that `write_summary` wrote, with the values beside it.

    Raises:
        UsageError: No such file, another schema, or values that are missing or were changed.
    """
    try:
        summary = json.loads(path.read_text(encoding='utf-8'))
        if summary['schema'] != SCHEMA:
            raise UsageError(f'{path}: expected the schema {SCHEMA}, found {summary["schema"]}')
        images, values = _read_values(path.with_name(_PER_IMAGE), summary)
        runs = [Run(**{**run, 'option_file': FileRecord(**run['option_file'])}) for run in summary['runs']]
        dataset = summary['dataset']
        return Comparison(
            name=summary['name'], dataset=dataset['name'], scale=dataset['scale'], lq_size=tuple(dataset['lq_size']),
            images=images, faces_sha256=dataset['sha256'], metrics=summary['metrics'], missing=summary['missing'],
            latency=LatencyRule(**summary['latency']), reference=summary['reference'],
            methods={name: _method_from_json(entry, runs[entry['run']], values[name])
                     for name, entry in summary['methods'].items()})
    except OSError as error:
        raise UsageError(f'{error.filename}: {error.strerror}; expected the summary.json of a comparison, with its '
                         f'{_PER_IMAGE} in the same folder') from None
    except UsageError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # of JSON and of its text, too
        raise UsageError(f'{path} is not the summary of a comparison: {error!r}') from None


def _read_values(path: Path, summary: dict) -> tuple[tuple[str, ...], dict[str, Values]]:
    if record_file(path).sha256 != summary['per_image']['sha256']:
        raise UsageError(f'{path} was changed after the summary beside it was written; run the comparison again')
    rows: dict[str, list[dict]] = {name: [] for name in summary['methods']}
    for row in csv.DictReader(path.read_text(encoding='utf-8').splitlines()):
        rows[row['method']].append(row)
    images = tuple(row['image'] for row in next(iter(rows.values())))
    return images, {name: {metric: np.array([float(row[metric]) for row in mine]) for metric in summary['metrics']}
                    for name, mine in rows.items()}


def _method_to_json(result: MethodResult, run: int, statistics: dict[str, Statistics]) -> dict:
    faces = {metric: len(values) for metric, values in result.values.items()}
    return {
        'network': result.network,
        'option_file': result.option_file and asdict(result.option_file),
        'checkpoint': result.checkpoint and asdict(result.checkpoint),
        'param_key': result.param_key,
        'prior': result.prior,
        'maps': result.maps,
        'sees_truth': result.sees_truth,
        'run': run,
        'parameters': result.cost.parameters,
        'macs': result.cost.macs,
        'macs_skipped': result.cost.skipped,
        'latency_ms': 1e3 * result.cost.latency,
        'metrics': {metric: {**asdict(found), 'faces': faces[metric] - found.unknown}
                    for metric, found in statistics.items()},
    }


def _method_from_json(entry: dict, run: Run, values: Values) -> MethodResult:
    cost = Cost(entry['parameters'], entry['macs'], entry['macs_skipped'], entry['latency_ms'] / 1e3)
    option_file, checkpoint = (entry[key] and FileRecord(**entry[key]) for key in ('option_file', 'checkpoint'))
    return MethodResult(entry['network'], option_file, checkpoint, entry.get('param_key'), entry['prior'],
                        entry['maps'], entry['sees_truth'], cost, run, values)


def _null_for_nan(value):
    """JSON knows no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: _null_for_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_null_for_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
