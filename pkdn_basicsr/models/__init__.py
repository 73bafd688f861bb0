"""Every model class (training and validation), registered in BasicSR's MODEL_REGISTRY."""

from pkdn_basicsr.models.distillation_model import DistillationModel
from pkdn_basicsr.models.face_parser_model import FaceParserModel
from pkdn_basicsr.models.face_sr_model import FaceSRModel
from pkdn_basicsr.models.multi_output_model import MultiOutputModel
from pkdn_basicsr.models.pkdn_teacher_model import PKDNTeacherModel

__all__ = ['DistillationModel', 'FaceParserModel', 'FaceSRModel', 'MultiOutputModel', 'PKDNTeacherModel']
