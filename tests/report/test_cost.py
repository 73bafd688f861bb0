import pytest
import torch

from pkdn_basicsr.report.cost import LatencyRule, measure_costs
from pkdn_basicsr.report.faces import read_faces


def test_networks_are_counted_as_they_are_called(methods, faces):
    dark, _, teacher = measure_costs(methods, faces, LatencyRule(repeats=1, warmup=1))
    assert (dark.parameters, teacher.parameters) == (1, 0)
    assert all(cost.latency > 0 for cost in (dark, teacher))


def test_macs_are_those_of_the_first_face(methods, dataset_options):
    methods[0].net.conv = conv = torch.nn.Conv2d(3, 2, 3, padding=1)
    methods[0].net.forward = lambda lq: conv(lq)
    (cost,) = measure_costs(methods[:1], read_faces(dataset_options, 8), LatencyRule(repeats=1))
    assert cost.macs == 4 * 4 * 3 * 2 * 9


def test_a_pass_has_the_wished_number_of_faces(methods, faces):
    seen = []
    methods[0].net.forward = lambda lq: seen.append(len(lq)) or lq
    measure_costs(methods[:1], faces, LatencyRule(batch=4, repeats=2, warmup=1))
    assert seen[:3] == [4, 4, 4]


@pytest.mark.parametrize('opt', [{'batches': 1}, {'batch': 0}, {'repeats': 'many'}])
def test_wrong_options_are_named(opt, usage_error):
    with usage_error(*opt, 'batch, repeats, warmup'):
        LatencyRule.from_options(opt)
    assert LatencyRule.from_options(None) == LatencyRule()
