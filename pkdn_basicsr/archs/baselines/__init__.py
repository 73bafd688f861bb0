"""Published networks that PKDN is compared with, one file each."""

from pkdn_basicsr.archs.baselines.bicubic_arch import Bicubic
from pkdn_basicsr.archs.baselines.ctcnet_arch import CTCNet
from pkdn_basicsr.archs.baselines.dic_arch import DIC
from pkdn_basicsr.archs.baselines.fish_parsing_net_arch import FishParsingNet
from pkdn_basicsr.archs.baselines.fishfsrnet_arch import FishFSRNet
from pkdn_basicsr.archs.baselines.fsrnet_arch import FSRNet
from pkdn_basicsr.archs.baselines.kdfsrnet_arch import KDFSRNetStudent, KDFSRNetTeacher
from pkdn_basicsr.archs.baselines.sfmnet_arch import SFMNet
from pkdn_basicsr.archs.baselines.sisn_arch import SISN
from pkdn_basicsr.archs.baselines.sparnet_arch import SPARNet, SPARNetLight
from pkdn_basicsr.archs.baselines.srcnn_arch import SRCNN
from pkdn_basicsr.archs.baselines.vdsr_arch import VDSR

__all__ = ['DIC', 'SISN', 'SRCNN', 'VDSR', 'Bicubic', 'CTCNet', 'FSRNet', 'FishFSRNet', 'FishParsingNet',
           'KDFSRNetStudent', 'KDFSRNetTeacher', 'SFMNet', 'SPARNet', 'SPARNetLight']
