"""What every part of the page shows, as updates for Gradio by the part's name."""

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from pkdn_basicsr.demo.handlers import PROTOCOL, Answer, Handlers, scores, shown
from pkdn_basicsr.demo.upload import read_upload
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.infer.picture_file import encode

_OPACITY = 0.55  # of the parts' colours over the face


def empty_contents(notice: str = '') -> dict[str, Any]:
    """Return the page without a result, with a notice where there is one."""
    return {
        'notice': gr.update(value=plain(notice), visible=bool(notice)),
        'empty': gr.update(visible=True),
        'results': gr.update(visible=False),
        'download': gr.update(visible=False),
    }


def contents_for(handlers: Handlers, folder: Path, upload: str | None, mode: str, model: str, lq_side: int) \
        -> dict[str, Any]:
    """Return what the page shows for an upload; where it cannot be used, a notice says why.

    Args:
        handlers: The networks.
        folder: Where the file to download is written.
        upload: Path of the uploaded file, None without one.
        mode: A key of `handlers.modes`.
        model: A key of `handlers.upscalers`.
        lq_side: For `shrink_and_enlarge_face`.
    """
    if upload is None:
        return empty_contents()
    upscaler = handlers.upscalers[model]
    try:
        answer = handlers.modes[mode](upscaler, read_upload(Path(upload)), lq_side)
        content = encode(answer.result, 'png')
    except UsageError as error:
        return empty_contents(str(error))
    download = Path(tempfile.mkdtemp(dir=folder)) / f'{Path(upload).stem}_x{upscaler.scale}.png'
    download.write_bytes(content)
    return {**empty_contents(), **_contents_of(handlers, answer),
            'download': gr.update(value=str(download), visible=True)}


def plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return ''.join(f'&#{ord(letter)};' if letter in '<>&*_`[]|#\\~$' else letter for letter in text)


def _contents_of(handlers: Handlers, answer: Answer) -> dict[str, Any]:
    before, side = ('Bicubic', answer.bicubic) if answer.truth is None else ('Truth', answer.truth)
    result = shown(answer.result)
    return {
        'empty': gr.update(visible=False),
        'results': gr.update(visible=True),
        'told': answer.told,
        'slider': gr.update(value=(shown(side), result), label=f'{before} (left) and network (right)'),
        'lq': shown(answer.lq, max(answer.result.size)),
        'bicubic': shown(answer.bicubic),
        'result': result,
        'truth': _optional(answer.truth and shown(answer.truth)),
        'parts': _optional(_overlay(handlers, answer) if answer.shows_face else None),
        'scores': _optional(_table(answer) if answer.truth else None),
    }


def _optional(value: object) -> dict[str, Any]:
    return gr.update(value=value, visible=value is not None)


def _overlay(handlers: Handlers, answer: Answer) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
    return shown(answer.result), [(mask * _OPACITY, name) for mask, name in handlers.parts(answer.result)]


def _table(answer: Answer) -> str:
    values = scores(answer)
    if values is None:
        return 'Too small for PSNR and SSIM.'
    rows = [f'| {name} | {psnr:.2f} | {ssim:.4f} |' for name, (psnr, ssim) in values.items()]
    return '\n'.join(['| | PSNR (dB) | SSIM |', '|:--|--:|--:|', *rows, '',
                      f'Against the truth, by the protocol “{PROTOCOL}”: luma, without 8 pixels at the edges.'])
