"""Metrics, registered in BasicSR's METRIC_REGISTRY."""

from pkdn_basicsr.metrics.lpips_metric import calculate_lpips
from pkdn_basicsr.metrics.protocol import PROTOCOLS, Protocol, get_protocol
from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr, calculate_protocol_ssim

__all__ = [
    'PROTOCOLS',
    'Protocol',
    'calculate_lpips',
    'calculate_protocol_psnr',
    'calculate_protocol_ssim',
    'get_protocol',
]
