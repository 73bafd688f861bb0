"""Losses for training by distillation; importing this package registers them in BasicSR's LOSS_REGISTRY."""

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

__all__ = [
    'AffinityLoss',
    'AttentionTransferLoss',
    'FeatureL1Loss',
    'FeatureL2Loss',
    'LossSchedule',
    'affinity',
    'attention_transfer',
    'feature_l1',
    'feature_l2',
]
