import pytest
import torch
import yaml

from pkdn_basicsr.archs import PKDNStudent, PKDNTeacher
from pkdn_basicsr.report.complexity import count_macs, count_parameters
from pkdn_basicsr.report.cost import LatencyRule
from pkdn_basicsr.report.network import build_untrained
from pkdn_basicsr.report.network_table import face_inputs, network_table

TINY = {'scale': 4, 'num_feat': 8, 'num_enc_blocks': [1], 'num_neck_blocks': 1, 'num_dec_blocks': [1]}
STUDENT = {'type': 'PKDNStudent', **TINY}
TEACHER = {'type': 'PKDNTeacher', 'num_classes': 5, **TINY}


@pytest.fixture
def option_files(tmp_path):
    def write(**networks):
        files = []
        for name, network_opt in networks.items():
            opt = {'scale': 4, 'network_g': network_opt, 'datasets': {'train': {}, 'val': {'gt_size': 96}}}
            files.append(tmp_path / f'{name}.yml')
            files[-1].write_text(yaml.safe_dump(opt))
        return files
    return write


def cells(table):
    return [[cell.strip() for cell in line.strip('| ').split('|')] for line in table.splitlines()]


def test_counts_are_those_of_the_networks_on_the_faces_of_the_file(option_files):
    header, _, student, teacher = cells(network_table(option_files(s=STUDENT, t=TEACHER), None))
    assert header == ['option file', 'network', 'parameters', 'MACs G']
    net = PKDNStudent(**TINY)
    assert student == ['s', 'PKDNStudent', f'{count_parameters(net):,}', f'{count_macs(net, (24, 24)).total / 1e9:.2f}']
    net = PKDNTeacher(5, **TINY)
    macs = count_macs(net, (24, 24), [torch.zeros(1, 5, 96, 96)]).total
    assert teacher == ['t', 'PKDNTeacher', f'{count_parameters(net):,}', f'{macs / 1e9:.2f}']
    assert macs > 1e7  # what the two decimals show is not nothing


def test_times_are_compared_with_the_references(option_files, monkeypatch):
    seen = []

    def network_latency(nets, inputs, repeats, warmup):
        seen.append((repeats, warmup, [[tuple(tensor.shape) for tensor in tensors] for tensors in inputs.values()]))
        return dict(zip(nets, [.1, .025], strict=True))

    monkeypatch.setattr('pkdn_basicsr.report.network_table.network_latency', network_latency)
    table = network_table(option_files(s=STUDENT, t=TEACHER), LatencyRule(3, 2, 1), ['t', 'elsewhere'])
    header, _, student, teacher = cells(table)
    assert (header[4:], student[4:], teacher[4:]) == (['ms', '/ t'], ['100.0', '4.00'], ['25.0', '1.00'])
    assert seen == [(2, 1, [[(3, 3, 24, 24)], [(3, 3, 24, 24), (3, 5, 96, 96)]])]


def test_networks_run_where_and_how_they_are_told(option_files):
    *_, row = cells(network_table(option_files(s=STUDENT), LatencyRule(1, 1, 1), ['s']))
    assert row[-1] == '1.00'
    assert float(row[-2]) > 0


def test_times_are_compared_with_those_of_the_operators(option_files, monkeypatch):
    monkeypatch.setattr('pkdn_basicsr.report.network_table.time_over_operators',
                        lambda net, inputs, repeats, warmup: 1.25 + net.scale + len(inputs) + repeats + warmup)
    header, _, row = cells(network_table(option_files(s=STUDENT), LatencyRule(1, 20, 300), operators=True))
    assert (header[-1], row[-1]) == ('/ operators', '326.25')


def test_files_of_weights_are_not_read():
    net = build_untrained({'type': 'FishFSRNet', 'num_feat': 16, 'parsing_net': 'nowhere.pth'})
    assert net.scale == 8
    assert net.first.out_channels == 16


def test_faces_are_random():
    net = build_untrained(TEACHER)
    lq, parsing = face_inputs(net, {'scale': 4, 'datasets': {'train': {'gt_size': 32}}}, batch=2)
    assert (lq.shape, parsing.shape) == ((2, 3, 8, 8), (2, 5, 32, 32))
    assert lq.std() > .1


def test_what_cannot_be_built_is_named(option_files, tmp_path, usage_error):
    with usage_error('no such option file', 'nowhere.yml'):
        network_table([tmp_path / 'nowhere.yml'], None)
    with usage_error("did you mean 'PKDNStudent'?"):
        network_table(option_files(s={'type': 'PKDNStuden'}), None)
