"""Published networks that PKDN is compared with, one file each."""

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.archs.baselines.kdfsrnet_arch import KDFSRNetStudent, KDFSRNetTeacher
from pkdn_basicsr.archs.baselines.sparnet_arch import SPARNet, SPARNetLight

__all__ = ['Bicubic', 'KDFSRNetStudent', 'KDFSRNetTeacher', 'SPARNet', 'SPARNetLight']
