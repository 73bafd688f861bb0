import hashlib

import torch

from pkdn_basicsr.report.provenance import record_file, record_files_in, record_run


def test_files_are_known_by_their_hash(tmp_path):
    path = tmp_path / 'f'
    path.write_bytes(b'x' * 3_000_000)
    assert record_file(path).sha256 == hashlib.sha256(b'x' * 3_000_000).hexdigest()


def test_options_that_name_files_become_records(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(b'1')
    found = record_files_in({'type': 'metric', 'embedder': str(tmp_path / 'net.onnx'), 'size': 112})
    assert found == {'type': 'metric', 'size': 112, 'embedder': {
        'path': str(tmp_path / 'net.onnx'), 'sha256': hashlib.sha256(b'1').hexdigest()}}


def test_a_run_tells_versions_and_device(tmp_path):
    (tmp_path / 'c.yml').write_text('a: 1')
    run = record_run(tmp_path / 'c.yml')
    assert run.versions['torch'] == torch.__version__
    assert run.device
    assert run.date.endswith('+00:00')
    assert run.option_file.path == str(tmp_path / 'c.yml')
