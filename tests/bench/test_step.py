import pytest
import tiny

from pkdn_basicsr.bench.roofline import Rates
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.bench.step import measure_steps, spreads_of_parts

RATES = Rates({'fp32': 1e9, 'bf16': 2e9}, 1e9)


@pytest.fixture
def options(read, distillation, without_teacher):
    return {'taught': read(distillation, batch=2), 'alone': read(without_teacher, batch=4)}


def test_steps_of_several_files(options):
    taught, alone = (found := measure_steps(options, 3, 1, RATES)).values()
    assert list(found) == ['taught', 'alone']
    assert (taught.batch, alone.batch) == (2, 4)
    assert list(taught.parts) == ['copy', 'teacher', 'student forward', 'losses', 'backward', 'optimizer', 'rest']
    assert 'teacher' not in alone.parts
    for result in (taught, alone):
        spreads = [result.step, result.bare_loop, result.over_bare_loop, result.images_per_second,
                   result.parts_together, *result.parts.values()]
        assert {spread.count for spread in spreads} == {3}
        assert min(spread.low for spread in spreads) > 0
        assert result.peak_memory > 10_000
        assert result.roofline.number_format == 'fp32'
        assert result.images_per_second.high >= result.batch / result.step.median >= result.images_per_second.low
    # forward and backward of twice the faces without, against those and a teacher's forward
    assert alone.roofline.work.macs < 2 * taught.roofline.work.macs
    assert taught.roofline.macs_seconds == taught.roofline.work.macs / 1e9


def test_without_a_bare_loop_the_reason_is_kept(read, distillation):
    result = measure_steps({'clipped': read(distillation, 'train:grad_clip=1')}, 1, 0, RATES)['clipped']
    assert (result.bare_loop, result.over_bare_loop) == (None, None)
    assert 'train.grad_clip' in result.no_bare_loop


def test_half_precision_is_compared_with_its_own_rate(read, distillation):
    result = measure_steps({'half': read(distillation, 'train:amp=bf16')}, 1, 0, RATES)['half']
    assert result.roofline.number_format == 'bf16'
    assert result.roofline.macs_seconds == result.roofline.work.macs / 2e9


def test_hosts_model_is_refused(read, tiny_faces, usage_error):
    with usage_error('SRModel'):
        measure_steps({'host': read(tiny.train_options(tiny_faces))}, 1, 0, RATES)


def test_parts_are_in_the_order_of_a_step():
    assert spreads_of_parts([{'rest': 1., 'losses': 2.}, {'losses': 4., 'data': 8.}]) == {
        'data': Spread.of([0., 8.]), 'losses': Spread.of([2., 4.]), 'rest': Spread.of([1., 0.])}
