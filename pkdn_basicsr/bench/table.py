"""Measurements as Markdown tables."""

from collections.abc import Mapping, Sequence

from pkdn_basicsr.bench.growth import GrowthPoint
from pkdn_basicsr.bench.infer import Latency, Subject
from pkdn_basicsr.bench.loader import LoaderSpeed
from pkdn_basicsr.bench.roofline import Rates, Roofline
from pkdn_basicsr.bench.scale import ScalePoint
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.bench.step import StepResult
from pkdn_basicsr.bench.whole_run import WholeRunResult
from pkdn_basicsr.report.table import markdown_table

_SPREAD = 'Medians (quartiles)'


def step_table(results: Mapping[str, StepResult], rates: Rates, untrained: Sequence[str]) -> str:
    """Return the parts of steps in milliseconds, one column an option file, and the roofline.

    Args:
        results: By name.
        rates: Of the device.
        untrained: Files whose teacher is a random one.
    """
    parts = dict.fromkeys(part for found in results.values() for part in found.parts)
    rows = [[part, *(_ms(found.parts.get(part)) for found in results.values())] for part in parts]
    rows += [['sum of the parts', *(_ms(found.parts_together) for found in results.values())],
             ['undivided step', *(_ms(found.step) for found in results.values())],
             ['bare loop', *(_ms(found.bare_loop) for found in results.values())],
             ['step / bare loop', *(_ratio(found.over_bare_loop) for found in results.values())],
             ['batch', *(f'{found.batch}' for found in results.values())],
             ['images/s', *(found.images_per_second.text(2) for found in results.values())],
             ['peak memory of a step, MB', *(f'{found.peak_memory / 1e6:.0f}' for found in results.values())]]
    count = next(iter(results.values())).step.count
    lines = [markdown_table(['ms', *results], rows), f'{_SPREAD} of {count} steps on a random batch in memory; all '
             'columns and rows of times take turns.']
    lines += [f'{name}: {found.no_bare_loop}.' for name, found in results.items() if found.no_bare_loop]
    lines += [f'{name}: the teacher is untrained, which takes as long.' for name in untrained]
    products = ', '.join(f'{name} {rate / 1e9:.1f} GMAC/s' for name, rate in rates.macs.items())
    lines.append(f'Device: {products} in products or convolutions, {rates.copied / 1e9:.1f} GB/s read and written in a '
                 'copy.')
    lines += [f'{name}: {_roofline(found.roofline)}' for name, found in results.items()]
    return '\n'.join(lines)


def whole_run_table(found: WholeRunResult) -> str:
    """Return the parts of an iteration of `basicsr train`."""
    rows = [*([part, _ms(spread)] for part, spread in found.parts.items()), ['iteration', _ms(found.iteration)],
            ['bare loop', _ms(found.bare_loop)], ['iteration / bare loop', _ratio(found.over_bare_loop)],
            ['share of data', f'{100 * found.data_share:.2f} %'], ['batch', f'{found.batch}'],
            ['images/s', found.images_per_second.text(2)]]
    return (f'{markdown_table(["ms", "basicsr train"], rows)}\n{_SPREAD} of {found.iteration.count} iterations of '
            "BasicSR's pipeline with loader, sampler and log; the bare loop has its batch in memory.")


def inference_table(subjects: Mapping[str, Subject], latencies: Sequence[Latency]) -> str:
    """Return times of forward passes."""
    first = next(iter(subjects))
    header = ['network', 'parameters', 'MACs G', 'batch', 'mode', 'ms', 'images/s', f'/ {first}', '/ eager']
    rows, notes = [], []
    for found in latencies:
        subject = subjects[found.network]
        row = [found.network, f'{subject.parameters:,}', f'{subject.macs / 1e9:.2f}', f'{found.batch}', found.mode]
        if found.failure:
            notes.append(f'{found.network}, {found.mode}, batch {found.batch}: n/a: {found.failure}')
            rows.append([*row, *['n/a'] * 4])
            continue
        rows.append([*row, found.seconds.text(1, 1e3), f'{found.images_per_second.median:.1f}',
                     _ratio(found.over_first), _ratio(found.over_eager)])
    count = next(found.seconds.count for found in latencies if found.seconds)
    return '\n'.join([markdown_table(header, rows), f'{_SPREAD} of {count} passes; within a batch size all take turns.',
                      *notes])


def loader_table(speeds: Sequence[LoaderSpeed], dataset_opt: Mapping) -> str:
    """Return images a second by workers."""
    rows = [[f'{speed.workers}', speed.images_per_second.text(1), _ratio(speed.over_first)] for speed in speeds]
    header = ['workers', 'images/s', f'/ {speeds[0].workers} workers']
    return (f'{markdown_table(header, rows)}\n{_SPREAD} of {speeds[0].images_per_second.count} rounds; '
            f'{dataset_opt["name"]}, batch {dataset_opt["batch_size_per_gpu"]}.')


def growth_table(points: Sequence[GrowthPoint]) -> str:
    """Return what a face costs in sets of growing size."""
    rows = [[f'{point.files:,}', point.sample.text(0, 1e6), _ratio(point.over_first), f'{1e6 * point.opening:.1f}',
             f'{1e6 * point.ordering:.2f}'] for point in points]
    header = ['faces', 'a sample, us', f'/ {points[0].files:,} faces', 'opening, us a face', 'shuffling, us a face']
    return (f'{markdown_table(header, rows)}\n{_SPREAD} of {points[0].sample.count} rounds; 64-pixel faces with maps, '
            'one process.')


def scaling_table(points: Sequence[ScalePoint]) -> str:
    """Return images a second by processes."""
    rows = [[f'{point.ranks}', f'{point.batch}', _ms(point.step), point.images_per_second.text(2),
             _ratio(point.efficiency)] for point in points]
    return (f'{markdown_table(["processes", "images of a step", "step, ms", "images/s", "efficiency"], rows)}\n'
            f'{_SPREAD} of {points[0].step.count} steps in {points[0].efficiency.count} starts each.')


def _ms(seconds: Spread | None) -> str:
    return 'n/a' if seconds is None else seconds.text(1, 1e3)


def _ratio(ratio: Spread | None) -> str:
    return 'n/a' if ratio is None else ratio.text(3)


def _roofline(roofline: Roofline) -> str:
    work = roofline.work
    return (f'{work.macs / 1e9:.1f} GMAC, which take {roofline.macs_seconds:.3f} s at the rate of '
            f'{roofline.number_format}; {work.moved / 1e9:.2f} GB of operands and results, which take '
            f'{roofline.moved_seconds:.3f} s as a copy; the step reaches {100 * roofline.share:.0f} % of the rate of '
            f'{roofline.number_format}.')
