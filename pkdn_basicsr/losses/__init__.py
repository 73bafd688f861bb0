"""Losses; importing this package registers them in BasicSR's LOSS_REGISTRY."""

from pkdn_basicsr.losses.distillation_loss import (
    AffinityLoss,
    AttentionTransferLoss,
    FeatureL1Loss,
    FeatureL2Loss,
    affinity,
    attention_transfer,
    feature_l1,
    feature_l2,
)
from pkdn_basicsr.losses.loss_schedule import LossSchedule
from pkdn_basicsr.losses.parsing_loss import ParsingLoss
from pkdn_basicsr.losses.spectrum_loss import AmplitudeLoss, PhaseLoss, amplitude_l1, phase_l1

__all__ = [
    'AffinityLoss',
    'AmplitudeLoss',
    'AttentionTransferLoss',
    'FeatureL1Loss',
    'FeatureL2Loss',
    'LossSchedule',
    'ParsingLoss',
    'PhaseLoss',
    'affinity',
    'amplitude_l1',
    'attention_transfer',
    'feature_l1',
    'feature_l2',
    'phase_l1',
]
