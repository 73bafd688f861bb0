"""Students with four features and random weights, and their checkpoints."""

from pathlib import Path

import torch

from pkdn_basicsr.archs import PKDNStudent

ARGUMENTS = {'scale': 8, 'num_feat': 4, 'num_enc_blocks': [1, 1], 'num_neck_blocks': 1, 'num_dec_blocks': [1, 1],
             'fusion': 'attention', 'feature_fusion': True}


def make_student(seed: int = 0, **changes) -> PKDNStudent:
    """Return a student in eval mode."""
    torch.manual_seed(seed)
    return PKDNStudent(**{**ARGUMENTS, **changes}).eval().requires_grad_(False)


def save_student(path: Path, **changes) -> Path:
    """Write a checkpoint as training does: `params` of another seed beside the averaged `params_ema`."""
    torch.save({'params': make_student(1, **changes).state_dict(),
                'params_ema': make_student(0, **changes).state_dict()}, path)
    return path
