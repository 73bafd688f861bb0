import numpy as np
from PIL import Image

from pkdn_basicsr.infer.panel import side_by_side
from pkdn_basicsr.infer.picture import Picture


def test_squares_bicubic_and_result_stand_side_by_side():
    rng = np.random.default_rng(0)
    small, large = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((2, 3, 3), (8, 12, 3)))
    panel = side_by_side(Picture(small), Picture(large)).rgb
    assert panel.shape == (8, 3 * 12 + 2 * 4, 3)
    assert np.array_equal(panel[:, :12], np.kron(small, np.ones((4, 4, 1), np.uint8)))
    assert np.array_equal(panel[:, 16:28], np.array(Image.fromarray(small).resize((12, 8), Image.Resampling.BICUBIC)))
    assert np.array_equal(panel[:, 32:], large)
    assert (panel[:, 12:16] == 255).all()
    assert (panel[:, 28:32] == 255).all()
