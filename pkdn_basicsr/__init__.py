"""PKDN face super-resolution for BasicSR: importing this package registers every class below in BasicSR."""

from pkdn_basicsr import host

host.install()  # must come before anything that imports basicsr

from pkdn_basicsr.archs import PKDNStudent, PKDNTeacher  # noqa: E402
from pkdn_basicsr.data import ParsingMapDataset  # noqa: E402
from pkdn_basicsr.errors import UsageError  # noqa: E402
from pkdn_basicsr.infer.upscaler import FaceUpscaler  # noqa: E402
from pkdn_basicsr.losses import AffinityLoss, AttentionTransferLoss, FeatureL1Loss, FeatureL2Loss  # noqa: E402
from pkdn_basicsr.metrics import (  # noqa: E402
    calculate_lpips,
    calculate_protocol_psnr,
    calculate_protocol_ssim,
)
from pkdn_basicsr.models import DistillationModel, FaceSRModel, PKDNTeacherModel  # noqa: E402

__version__ = '0.1.0'

__all__ = [
    'AffinityLoss',
    'AttentionTransferLoss',
    'DistillationModel',
    'FaceSRModel',
    'FaceUpscaler',
    'FeatureL1Loss',
    'FeatureL2Loss',
    'PKDNStudent',
    'PKDNTeacher',
    'PKDNTeacherModel',
    'ParsingMapDataset',
    'UsageError',
    'calculate_lpips',
    'calculate_protocol_psnr',
    'calculate_protocol_ssim',
]
