"""Faces with parsing maps, varied so that a parser also knows blurred and oddly lit ones."""

import numpy as np
import torch
from basicsr.utils.registry import DATASET_REGISTRY
from torch import Tensor
from torch.nn import functional as F

from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset

_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)  # ITU-R BT.601


@DATASET_REGISTRY.register()
class VariedFaceDataset(ParsingMapDataset):
    """`ParsingMapDataset` whose `gt` goes through `vary_face` in training; same options, same samples otherwise."""

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        """Return one sample, see `ParsingMapDataset`."""
        sample = super().__getitem__(index)
        if self.is_train:
            sample['gt'] = vary_face(sample['gt'], self.rng(index, 1))
        return sample


def vary_face(face: Tensor, rng: np.random.Generator) -> Tensor:
    """Change a face as cameras, light and super-resolution may, but not its outlines. All ranges are our choice.

    Brightness of each channel, contrast, saturation and gamma change always; every second face is shrunk up to 4 times
    and enlarged again; every third gets noise.

    Args:
        face: float32 (3, H, W), RGB in [0, 1].
        rng: Where the changes are drawn from.

    Returns:
        The same shape and range; a new tensor.
    """
    face = _relight(face, rng)
    if rng.random() < 1 / 2:
        face = _blur(face, factor=rng.uniform(1, 4))
    if rng.random() < 1 / 3:
        noise = rng.standard_normal(face.shape, dtype=np.float32)
        face = face + rng.uniform(0, 0.06) * torch.from_numpy(noise)
    return face.clamp(0, 1)


def _relight(face: Tensor, rng: np.random.Generator) -> Tensor:
    luma = (face * _LUMA).sum(0, keepdim=True)
    face = luma + rng.uniform(0.2, 1.3) * (face - luma)
    face = face.mean() + rng.uniform(0.7, 1.3) * (face - face.mean())
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (3, 1, 1)).astype(np.float32))
    return (gain * rng.uniform(0.8, 1.2) * face).clamp(0, 1) ** float(2 ** rng.uniform(-0.6, 0.6))


def _blur(face: Tensor, factor: float) -> Tensor:
    size = face.shape[1:]
    small = [max(round(side / factor), 1) for side in size]
    small = F.interpolate(face[None], small, mode='bicubic', antialias=True)
    return F.interpolate(small, size, mode='bicubic', antialias=True)[0]
