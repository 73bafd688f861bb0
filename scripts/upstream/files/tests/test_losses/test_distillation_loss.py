import numpy as np
import pytest
import torch
from basicsr.losses import build_loss


def spatial_map(x):
    energy = (x**2).mean(1).reshape(len(x), -1)
    return energy / np.linalg.norm(energy, axis=1, keepdims=True)


def similarities(x):
    x = x.reshape(*x.shape[:2], -1)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.einsum('bci,bcj->bij', x, x)


FORMULAS = {
    'FeatureL1Loss': lambda s, t: np.abs(s - t).mean(),
    'FeatureL2Loss': lambda s, t: ((s - t)**2).mean(),
    'AttentionTransferLoss': lambda s, t: ((spatial_map(s) - spatial_map(t))**2).sum() / len(s),
    'AffinityLoss': lambda s, t: np.abs(similarities(s) - similarities(t)).mean(),
}


@pytest.mark.parametrize('loss_class', FORMULAS)
def test_distillation_losses(loss_class):
    """Test loss: distillation losses"""

    loss = build_loss({'type': loss_class, 'loss_weight': 0.5})
    student = torch.rand((2, 6, 4, 5), dtype=torch.float64, requires_grad=True)
    teacher = torch.rand((2, 6, 4, 5), dtype=torch.float64, requires_grad=True)
    out = loss(student, teacher)
    np.testing.assert_allclose(out.item(), 0.5 * FORMULAS[loss_class](student.detach().numpy(),
                                                                      teacher.detach().numpy()))

    # -------------------- the student is trained, the teacher is not -------------------- #
    out.backward()
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None

    # -------------------- unequal widths -------------------- #
    if loss.needs_equal_widths:
        with pytest.raises(ValueError, match='an adapter must match the channels'):
            loss(student, teacher[:, :3])
    else:
        assert loss(student, teacher[:, :3]).shape == ()
