"""Two processes with half the batch each follow the losses of one with the whole, iteration by iteration."""

import pytest
import torch
from basicsr.models import build_model

ITERATIONS = list(range(1, 21))


@pytest.fixture
def one_process(train):
    """`one_process(case)`: the log of every iteration and the weights of one process with the whole batch."""
    def run(case):
        torch.set_default_dtype(getattr(torch, case['dtype']))
        try:
            torch.manual_seed(0)  # the first rank's
            model = build_model(case['opt'])
            logs = train(model, case['batch'], case['iterations'])
            return logs, model.get_bare_model(model.trained).state_dict()
        finally:
            torch.set_default_dtype(torch.float32)
    return run


@pytest.fixture
def cases(distillation_options, student_options, teacher_options, set_teacher, batch):
    """`cases(dtype, **more)`: a distillation with adapters; the map is float32, so float64 goes without it."""
    def make(dtype, **more):
        teacher = {**(student_options if dtype == 'float64' else teacher_options), 'num_feat': 8}
        set_teacher(distillation_options, teacher)
        distillation_options['train']['optim_g'] = {'type': 'Adam', 'lr': 2e-3}
        data = {key: values.to(getattr(torch, dtype)) if values.is_floating_point() else values
                for key, values in batch.items() if key != 'lq_path'}
        val = [{'lq': data['lq'][0], 'gt': data['gt'][0], 'lq_path': '0.png'}]
        return {'opt': {**distillation_options, **more}, 'batch': data, 'val': val, 'iterations': ITERATIONS,
                'dtype': dtype}
    return make


@pytest.mark.parametrize(('dtype', 'tolerance'), [('float64', 1e-5), ('float32', 1e-4)])
@pytest.mark.parametrize('more', [{}, {'static_graph': True}], ids=['plain', 'static graph'])
def test_the_loss_curve_is_that_of_one_process(cases, one_process, run_two_processes, dtype, tolerance, more):
    case = cases(dtype, **more)
    expected, weights = one_process(case)
    assert expected[-1]['l_pix'] < 0.9 * expected[0]['l_pix']  # it learns, so that equal curves say something
    first, second = (rank['case'] for rank in run_two_processes('distributed_worker.py', {'case': case}))
    assert first['logs'] == [pytest.approx(log, rel=tolerance, abs=0) for log in expected]
    torch.testing.assert_close(first['weights'], second['weights'], rtol=0, atol=0)
    torch.testing.assert_close(first['weights'], weights, rtol=1e-3, atol=1e-6)
