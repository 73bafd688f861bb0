import pytest
import torch
from basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher

SMALL = {'scale': 4, 'num_feat': 8, 'num_enc_blocks': [1, 1], 'num_neck_blocks': 1, 'num_dec_blocks': [1, 1]}


def test_pkdnstudent():
    """Test arch: PKDNStudent."""

    # model init and forward
    net = PKDNStudent(**SMALL)
    img = torch.rand((2, 3, 8, 4), dtype=torch.float32)
    output, features = net.forward_features(img)
    assert output.shape == (2, 3, 32, 16)
    assert torch.equal(output, net(img))
    assert list(features) == ['enc1', 'enc2', 'neck', 'dec2', 'dec1']
    assert features['enc2'].shape == (2, 8, 8, 4)
    assert features['dec1'].shape == (2, 8, 32, 16)

    # ----------------- parameters of the default ---------------------- #
    assert sum(param.numel() for param in PKDNStudent().parameters()) == 4525816

    # ----------------- every parameter is trained ---------------------- #
    output.square().sum().backward()
    assert all(param.grad is not None for param in net.parameters())

    # ----------------- weights of another scale ---------------------- #
    with pytest.raises(RuntimeError, match='trained for scale 4'):
        PKDNStudent(**{**SMALL, 'scale': 8}).load_state_dict(net.state_dict())


def test_pkdnteacher():
    """Test arch: PKDNTeacher."""

    net = PKDNTeacher(num_classes=5, **SMALL)
    img = torch.rand((1, 3, 4, 4), dtype=torch.float32)
    parsing = torch.zeros((1, 5, 16, 16), dtype=torch.float32)
    parsing[:, 2] = 1
    output = net(img, parsing)
    assert output.shape == (1, 3, 16, 16)
    # the map makes a difference
    assert not torch.equal(output, net(img, parsing.roll(1, dims=1)))

    # ----------------- a map of another size ---------------------- #
    with pytest.raises(ValueError, match='parsing must have shape'):
        net(img, parsing[..., :8])
