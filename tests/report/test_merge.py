from dataclasses import replace

import pytest

from pkdn_basicsr.report.cost import LatencyRule
from pkdn_basicsr.report.merge import merge
from pkdn_basicsr.report.provenance import FileRecord


def test_all_methods_come_together_once(make_comparison, make_result):
    one = make_comparison({'a': make_result(psnr=[1., 2.]), 'b': make_result(psnr=[3., 4.])})
    other = make_comparison({'b': make_result(psnr=[3., 4.]), 'c': make_result(psnr=[5., 6.])})
    merged = merge({'one': one, 'other': other}, None)
    assert list(merged.methods) == ['a', 'b', 'c']
    assert merged.reference == 'a'
    assert merged.statistics['c']['psnr'].difference == 4
    assert merge({'one': one, 'other': other}, 'c').statistics['a']['psnr'].difference == -4


def test_a_metric_that_one_file_lacks_is_missing(make_comparison, make_result):
    one = make_comparison({'a': make_result(psnr=[1.], distance=[.5])})
    other = make_comparison({'b': make_result(psnr=[1.])})
    for files in ({'one': one, 'other': other}, {'other': other, 'one': one}):
        merged = merge(files, None)
        assert list(merged.metrics) == ['psnr']
        assert merged.missing == {'distance': 'not in other'}


@pytest.mark.parametrize(('change', 'words'), [
    ({'faces_sha256': 'other'}, ['other.json', 'other faces']),
    ({'scale': 4}, ['other.json', 'x4']),
    ({'metrics': {'psnr': {'type': 'calculate_protocol_psnr', 'protocol': 'rgb', 'better': 'higher'}}},
     ['other.json', "metric 'psnr'", 'rgb', 'dic']),
])
def test_what_does_not_compare_is_refused(make_comparison, make_result, change, words, usage_error):
    one = make_comparison({'a': make_result(psnr=[1.])})
    other = replace(make_comparison({'b': make_result(psnr=[1.])}), **change)
    with usage_error(*words):
        merge({'one.json': one, 'other.json': other}, None)


def test_one_name_for_two_methods_is_refused(make_comparison, make_result, usage_error):
    one = make_comparison({'a': make_result(psnr=[1.])})
    other = make_comparison({'a': make_result(psnr=[2.], prior='the true parsing map')})
    with usage_error('other.json', "'a'", 'rename'):
        merge({'one.json': one, 'other.json': other}, None)


def test_raw_and_averaged_weights_of_a_checkpoint_are_two_methods(make_comparison, make_result, usage_error):
    def comparison(param_key):
        return make_comparison({'a': make_result(psnr=[1.], checkpoint=FileRecord('w.pth', '12'), param_key=param_key)})

    with usage_error('two.json', "'a'", 'rename'):
        merge({'one.json': comparison('params'), 'two.json': comparison('params_ema')}, None)
    before_keys_were_written_down = comparison(None)
    merged = merge({'one.json': comparison('params'), 'old.json': before_keys_were_written_down}, None)
    assert merged.methods['a'].param_key == 'params'


def test_an_unknown_reference_is_refused(make_comparison, make_result, usage_error):
    with usage_error("'x'", 'a'):
        merge({'one.json': make_comparison({'a': make_result(psnr=[1.])})}, 'x')


def test_where_a_file_lay_does_not_matter_but_its_content_does(make_comparison, make_result, usage_error):
    def comparison(name, path, sha256, **more):
        options = {'type': 'calculate_identity_similarity', 'embedder': {'path': path, 'sha256': sha256}, **more}
        return make_comparison({name: make_result(psnr=[1.])}, metrics={'psnr': options})

    one, other = comparison('a', 'x', '1'), comparison('b', 'x', '2')
    moved = comparison('b', 'y', '1', on_missing='skip')
    assert list(merge({'one': one, 'moved': moved}, None).methods) == ['a', 'b']
    with usage_error('other', "metric 'psnr' has embedder"):
        merge({'one': one, 'other': other}, None)


def test_nothing_in_common_and_another_way_of_timing(make_comparison, make_result, usage_error):
    one, other = make_comparison({'a': make_result(psnr=[1.])}), make_comparison({'b': make_result(distance=[1.])})
    with usage_error('one', 'other', 'no metric'):
        merge({'one': one, 'other': other}, None)
    with usage_error('other', 'latency'):
        merge({'one': one, 'other': replace(one, latency=LatencyRule(batch=2))}, None)


def test_maps_of_two_parsers_make_two_methods(make_comparison, make_result, usage_error):
    files = {name: make_comparison({'a': make_result(
        psnr=[1.], prior='a map', maps={'parser': {'path': 'p', 'sha256': name}})}) for name in ('1', '2')}
    with usage_error("'a'", 'rename'):
        merge(files, None)
