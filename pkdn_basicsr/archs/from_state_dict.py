"""What a PKDN student was built with, read off its weights alone, for files that say nothing else."""

from collections.abc import Collection, Mapping

from torch import Tensor

from pkdn_basicsr.archs.pkdn_blocks import Fusion

_OF_A_STUDENT = ('scale', 'head.weight', 'downs.0.conv.weight', 'ups.0.conv.weight', 'tail.weight')


def is_student(state_dict: Mapping[str, Tensor]) -> bool:
    """Tell whether weights are those of a `PKDNStudent`, not of a `PKDNTeacher` or anything else."""
    if any(name not in state_dict for name in _OF_A_STUDENT) or 'enc_fusions.0.embed.0.weight' in state_dict:
        return False
    concat = state_dict.get('enc_fusions.0.conv.weight')  # a teacher's takes the classes in, too
    return concat is None or concat.shape[0] == concat.shape[1]


def student_arguments(state_dict: Mapping[str, Tensor]) -> dict:
    """Return every constructor argument of the `PKDNStudent` that has these weights.

    Args:
        state_dict: Its weights, without a prefix to their names.

    Returns:
        All of its arguments, by name, as an option file has them; only plain numbers, lists and words.

    Raises:
        ValueError: Weights of another network.
    """
    if not is_student(state_dict):
        raise ValueError('expected the weights of a PKDNStudent, found those of another network; name its type and '
                         'arguments')
    levels = range(_count(state_dict, 'downs'))
    return {
        'scale': int(state_dict['scale']),
        'num_feat': len(state_dict['head.weight']),
        'num_enc_blocks': [_count(state_dict, f'enc_blocks.{level}') for level in levels],
        'num_neck_blocks': _count(state_dict, 'neck'),
        'num_dec_blocks': [_count(state_dict, f'dec_blocks.{level}') for level in levels],
        'fusion': _fusion(state_dict),
        'feature_fusion': 'dec_fusions.0.merge_x.weight' in state_dict,
    }


def _count(names: Collection[str], module: str) -> int:
    """Return how many numbered parts with weights a module has: `neck.0.`, `neck.1.`, ..."""
    prefix = f'{module}.'
    return len({name[len(prefix):].split('.', 1)[0] for name in names if name.startswith(prefix)})


def _fusion(names: Collection[str]) -> Fusion:
    block = 'enc_fusions.0'
    if f'{block}.conv.weight' in names:
        return 'concat'
    if f'{block}.attention.1.conv.weight' in names:
        return 'attention'
    if f'{block}.attention.0.conv.weight' in names:
        return 'spatial_attention'
    return 'channel_attention' if f'{block}.attention.0.bottleneck.0.weight' in names else 'no_attention'
