import json

import torch
from matplotlib.figure import Figure

from pkdn_basicsr.bench.result import write_result
from pkdn_basicsr.bench.spread import Spread
from pkdn_basicsr.files import sha256_of_file

SPREAD = Spread(2., 1., 3., 9)


def test_record_and_picture(tmp_path):
    (tmp_path / 'a.yml').write_text('name: a')
    results = {'a': SPREAD, 8: [SPREAD, None]}

    def write():
        return write_result(tmp_path, 'step', ['basicsr', 'bench', 'step'], [str(tmp_path / 'a.yml')],
                            torch.device('cpu'), results, Figure())

    assert write() == f'Written to {tmp_path}: step.json, step.png'
    record = json.loads((tmp_path / 'step.json').read_text())
    spread = {'median': 2., 'low': 1., 'high': 3., 'count': 9}
    assert record['results'] == {'a': spread, '8': [spread, None]}
    assert record['command'] == 'basicsr bench step'
    assert record['option_files'][0]['sha256'] == sha256_of_file(tmp_path / 'a.yml')
    assert record['versions']['torch'] == torch.__version__
    assert record['device']
    assert record['threads'] == torch.get_num_threads()
    assert (tmp_path / 'step.png').read_bytes().startswith(b'\x89PNG')
    assert 'replaced' in write()
