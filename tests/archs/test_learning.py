from pathlib import Path

import learning
import pytest
import torch

OPTIONS = Path(__file__).resolve().parents[2] / 'options'

NETWORKS = {  # narrow ones; `python tests/learning.py` shows the published ones, which take minutes each
    'quickstart/pkdn_student.yml': 4e-3,
    'small/edsr.yml': 4e-3,
}


@pytest.mark.parametrize(('file', 'lr'), NETWORKS.items())
def test_four_real_faces_are_learned_to_half_the_error_of_bicubic(shared_data, file, lr):
    torch.manual_seed(0)
    net = learning.build_untrained(learning.read_option_file(str(OPTIONS / file))['network_g'])
    ratio, iterations = learning.learn(net, learning.four_faces(shared_data / 'celebamask_hq_1000'), lr)
    assert ratio < 0.5, f"{ratio:.3f} of bicubic's L1 after {iterations} iterations"
