import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from pkdn_basicsr.report import cost_plot
from pkdn_basicsr.report.cost import Cost


def axis_of(comparison, path, monkeypatch):
    monkeypatch.setattr(cost_plot.plt, 'close', lambda figure: None)
    cost_plot.save_cost_plot(path, comparison)
    axis = plt.gcf().axes[0]
    plt.close(axis.figure)
    return axis


def test_every_method_is_where_its_cost_and_quality_are(comparison, tmp_path, monkeypatch):
    axis = axis_of(comparison, tmp_path / 'cost.png', monkeypatch)
    points = {bubble.get_label().split()[0]: bubble.get_offsets()[0].tolist() for bubble in axis.collections}
    assert points == {'alone': [2., 24.5], 'taught': [2., 24.75], 'teacher': [2., 28.]}
    (line,) = axis.lines
    assert (line.get_label(), line.get_ydata()[0]) == ('bicubic  21.00', 21.)
    assert Image.open(tmp_path / 'cost.png').size[0] > 500


def test_areas_grow_with_the_parameters(make_comparison, make_result, tmp_path, monkeypatch):
    comparison = make_comparison({
        str(parameters): make_result(psnr=[20. + parameters], cost=Cost(parameters, 10**parameters, {}, 1.))
        for parameters in (1, 2, 3)})
    axis = axis_of(comparison, tmp_path / 'cost.png', monkeypatch)
    areas = [float(bubble.get_sizes()[0]) for bubble in sorted(axis.collections, key=lambda each: each.get_label())]
    np.testing.assert_allclose(np.diff(areas), np.diff(areas)[0])
    assert axis.get_xscale() == 'log'


def test_a_method_without_the_metric_is_left_out(make_comparison, make_result, tmp_path, monkeypatch):
    comparison = make_comparison({'a': make_result(psnr=[1.]), 'b': make_result(psnr=[np.nan])})
    assert len(axis_of(comparison, tmp_path / 'cost.png', monkeypatch).collections) == 1
