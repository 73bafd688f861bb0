"""Data sets, registered in BasicSR's DATASET_REGISTRY, and what makes their samples."""

from pkdn_basicsr.data.parsing_map_dataset import ParsingMapDataset
from pkdn_basicsr.data.varied_face_dataset import VariedFaceDataset

__all__ = ['ParsingMapDataset', 'VariedFaceDataset']
