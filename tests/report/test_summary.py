import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pkdn_basicsr.report.provenance import FileRecord, record_file
from pkdn_basicsr.report.summary import SCHEMA, per_image_csv, read_summary, write_summary


def test_the_documented_keys(comparison, tmp_path):
    write_summary(comparison, tmp_path)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['schema'] == SCHEMA
    assert summary['dataset'] == {'name': 'faces', 'scale': 8, 'lq_size': [16, 16], 'faces': 2, 'sha256': 'ef'}
    assert summary['metrics']['psnr']['protocol'] == 'dic'
    assert summary['per_image'] == {'path': 'per_image.csv', 'sha256': record_file(tmp_path / 'per_image.csv').sha256}
    taught = summary['methods']['taught']
    statistics = comparison.statistics['taught']['psnr']
    assert taught['metrics']['psnr'] == {
        'mean': 24.75, 'mean_ci95': list(statistics.mean_ci95), 'difference': 3.75, 'ci95': list(statistics.ci95),
        'unknown': 0, 'faces': 2}
    assert summary['methods']['bicubic']['metrics']['psnr']['ci95'] is None
    assert (taught['parameters'], taught['macs'], taught['latency_ms']) == (1_500_000, 2_000_000_000, 12.5)
    assert summary['runs'][taught['run']]['option_file'] == {'path': 'compare.yml', 'sha256': 'ab'}
    assert len(summary['runs']) == 1


def test_what_was_written_is_read_again(comparison, make_result, tmp_path):
    later = replace(comparison.methods['alone'].run, date='2027-01-01T00:00:00+00:00')
    methods = {**comparison.methods, 'other': make_result(psnr=[1.25, 2.], distance=[.25, .5], run=later,
                                                          checkpoint=FileRecord('w.pth', '12'), param_key='params')}
    written = replace(comparison, methods=methods)
    write_summary(written, tmp_path)
    read = read_summary(tmp_path / 'summary.json')
    for name, result in written.methods.items():
        for metric, values in result.values.items():
            np.testing.assert_array_equal(read.methods[name].values[metric], values)
        assert replace(read.methods[name], values={}) == replace(result, values={})
    assert replace(read, methods={}) == replace(written, methods={})


def test_a_summary_from_before_keys_of_weights_is_read(make_comparison, make_result, tmp_path):
    write_summary(make_comparison({'a': make_result(psnr=[1.], param_key='params')}), tmp_path)
    path = tmp_path / 'summary.json'
    summary = json.loads(path.read_text())
    del summary['methods']['a']['param_key']
    path.write_text(json.dumps(summary))
    assert read_summary(path).methods['a'].param_key is None


def test_unknown_values_are_null_and_stay_unknown(make_comparison, make_result, tmp_path):
    write_summary(make_comparison({'a': make_result(psnr=[math.nan, 2.])}), tmp_path)
    assert np.isnan(read_summary(tmp_path / 'summary.json').methods['a'].values['psnr']).tolist() == [True, False]
    write_summary(make_comparison({'a': make_result(psnr=[math.nan] * 2)}), tmp_path)
    assert json.loads((tmp_path / 'summary.json').read_text())['methods']['a']['metrics']['psnr']['mean'] is None


def test_csv_has_one_line_per_face_and_method(comparison):
    rows = list(csv.DictReader(per_image_csv(comparison).splitlines()))
    assert [(row['image'], row['method'], float(row['psnr'])) for row in rows][:5] == [
        ('0.png', 'bicubic', 20), ('0.png', 'alone', 24), ('0.png', 'taught', 24.25), ('0.png', 'teacher', 27),
        ('1.png', 'bicubic', 22)]


def test_changed_values_are_noticed(comparison, tmp_path, usage_error):
    write_summary(comparison, tmp_path)
    table = tmp_path / 'per_image.csv'
    table.write_text(table.read_text().replace('20.0', '30.0'))
    with usage_error('per_image.csv', 'was changed'):
        read_summary(tmp_path / 'summary.json')


@pytest.mark.parametrize(('content', 'words'), [
    (None, ['summary.json', 'No such file']),
    ('{', ['summary.json', 'is not the summary']),
    ('[]', ['is not the summary']),
    (b'\x89PNG', ['summary.json', 'is not the summary']),
    ('{"schema": "other/1"}', ['other/1', SCHEMA]),
    (json.dumps({'schema': SCHEMA}), ['is not the summary']),
])
def test_other_files_are_refused(content, words, comparison, tmp_path, usage_error):
    write_summary(comparison, tmp_path)
    (tmp_path / 'summary.json').unlink()
    if content is not None:
        (tmp_path / 'summary.json').write_bytes(content if isinstance(content, bytes) else content.encode())
    with usage_error(*words):
        read_summary(tmp_path / 'summary.json')


def test_values_that_are_missing_are_named(comparison, tmp_path, usage_error):
    write_summary(comparison, tmp_path)
    (tmp_path / 'per_image.csv').unlink()
    with usage_error('per_image.csv', 'No such file'):
        read_summary(tmp_path / 'summary.json')
