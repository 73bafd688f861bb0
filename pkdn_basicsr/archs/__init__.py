"""Every network, registered in BasicSR's ARCH_REGISTRY."""

from pkdn_basicsr.archs import baselines
from pkdn_basicsr.archs.face_parser_arch import FaceParser
from pkdn_basicsr.archs.pkdn_arch import PKDNStudent, PKDNTeacher

__all__ = ['FaceParser', 'PKDNStudent', 'PKDNTeacher', 'baselines']
