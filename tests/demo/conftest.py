import socket

import pytest
from students import save_student

from pkdn_basicsr.demo.handlers import Handlers
from pkdn_basicsr.infer.upscaler import FaceUpscaler
from pkdn_basicsr.weights.face_parser import load_face_parser


@pytest.fixture(scope='session')
def handlers(tmp_path_factory):
    """Students of scales 8 and 4 and the shipped parser, without a detector."""
    folder = tmp_path_factory.mktemp('students')
    upscalers = {f'student x{scale}': FaceUpscaler(save_student(folder / f'x{scale}.pth', scale=scale))
                 for scale in (8, 4)}
    return Handlers(upscalers, *load_face_parser())


@pytest.fixture(scope='session')
def address(handlers):
    """The address of a page that is really served."""
    pytest.importorskip('gradio', reason='the extra `demo` is not installed')
    from pkdn_basicsr.demo.server import serving

    with pytest.MonkeyPatch.context() as patch:
        for name in ('GRADIO_TEMP_DIR', 'GRADIO_ANALYTICS_ENABLED', 'HF_HUB_DISABLE_TELEMETRY', 'no_proxy'):
            patch.setenv(name, '')  # put back what was there
        patch.setenv('GRADIO_ALLOWED_PATHS', '/')  # what a user has set for other pages must not matter
        with serving(handlers, _free_port()) as url:
            yield url.rstrip('/')


@pytest.fixture
def unused_port():
    return _free_port()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
