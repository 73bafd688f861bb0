import torch
from basicsr.archs import build_network
from torch import nn

from pkdn_basicsr.models.student_with_adapters import StudentWithAdapters


def test_named_features_are_adapted_and_the_rest_passes(student_options):
    student = build_network(student_options)
    adapters = {'neck': nn.Conv2d(4, 7, 1), 'dec1': nn.Conv2d(4, 5, 1)}
    lq = torch.rand(2, 3, 4, 4)
    sr, features = StudentWithAdapters(student, adapters)(lq)
    expected_sr, plain = student.forward_features(lq)
    assert torch.equal(sr, expected_sr)
    assert list(features) == list(plain)
    for name, feature in features.items():
        assert torch.equal(feature, adapters[name](plain[name]) if name in adapters else plain[name])


def test_without_adapters_it_is_the_student(student_options):
    student = build_network(student_options)
    module = StudentWithAdapters(student, {})
    assert [id(p) for p in module.parameters()] == [id(p) for p in student.parameters()]
    lq = torch.rand(1, 3, 4, 4)
    sr, features = module(lq)
    assert torch.equal(sr, student(lq))
    assert all(torch.equal(features[name], value) for name, value in student.forward_features(lq)[1].items())


def test_adapters_are_trained_with_the_student_but_no_part_of_it(student_options):
    student = build_network(student_options)
    before = list(student.state_dict())
    adapter = nn.Conv2d(4, 7, 1)
    module = StudentWithAdapters(student, {'neck': adapter})
    assert list(student.state_dict()) == before
    assert {id(p) for p in module.parameters()} == {id(p) for p in [*student.parameters(), *adapter.parameters()]}
    module(torch.rand(1, 3, 4, 4))[1]['neck'].sum().backward()
    assert adapter.weight.grad.any()
    assert student.head.weight.grad.any()
