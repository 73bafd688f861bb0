"""Metrics, registered in BasicSR's METRIC_REGISTRY."""

from pkdn_basicsr.metrics.face_niqe import calculate_face_niqe
from pkdn_basicsr.metrics.identity import calculate_identity_similarity
from pkdn_basicsr.metrics.landmark_error import calculate_landmark_nrmse
from pkdn_basicsr.metrics.lpips_metric import calculate_lpips
from pkdn_basicsr.metrics.parsing_agreement import calculate_parsing_miou
from pkdn_basicsr.metrics.protocol import PROTOCOLS, Protocol, get_protocol
from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr, calculate_protocol_ssim
from pkdn_basicsr.metrics.vif import calculate_vif, calculate_vif_p

__all__ = [
    'PROTOCOLS',
    'Protocol',
    'calculate_face_niqe',
    'calculate_identity_similarity',
    'calculate_landmark_nrmse',
    'calculate_lpips',
    'calculate_parsing_miou',
    'calculate_protocol_psnr',
    'calculate_protocol_ssim',
    'calculate_vif',
    'calculate_vif_p',
    'get_protocol',
]
