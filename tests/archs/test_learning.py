from pathlib import Path

import learning
import torch

OPTIONS = Path(__file__).resolve().parents[2] / 'options'


def test_a_narrow_student_learns_four_real_faces_to_half_the_error_of_bicubic(shared_data):
    # the published networks take minutes each: python tests/learning.py
    torch.manual_seed(0)
    student = learning.build_untrained(
        learning.read_option_file(str(OPTIONS / 'quickstart' / 'pkdn_student.yml'))['network_g'])
    ratio, iterations = learning.learn(student, learning.four_faces(shared_data / 'celebamask_hq_1000'), lr=4e-3)
    assert ratio < 0.5, f"{ratio:.3f} of bicubic's L1 after {iterations} iterations"
