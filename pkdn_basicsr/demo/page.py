"""The page's layout in Gradio."""

from pathlib import Path

import gradio as gr
from gradio.components import Component

from pkdn_basicsr.demo.contents import contents_for, plain
from pkdn_basicsr.demo.handlers import Handlers
from pkdn_basicsr.demo.upload import MOST_BYTES

STYLE = """
.gradio-container { max-width: 1200px !important; margin: auto }
#notice { border-left: 4px solid #d97706; background: #fef3c7; padding: 8px 12px; border-radius: 4px }
#notice * { color: #78350f }
.small img { width: 100%; height: 100%; object-fit: contain; image-rendering: pixelated }
#scores td { white-space: nowrap }
#empty { text-align: center; padding: 160px 0; opacity: 0.6 }
"""
"""CSS of the page."""

THEME = gr.themes.Default(font='system-ui', font_mono='monospace')
"""Gradio's own font lacks some weights, so that headings would mix two."""

_HEAD = """# Face super-resolution
Drop a face and compare what the network makes of it with bicubic interpolation, or with the truth. Pictures stay on
this machine and are deleted when the demo ends. A face that a network has drawn is no evidence of who somebody is."""

_MODES = {
    'small face': 'A small face: enlarge it',
    'large face': 'A large face: shrink it, enlarge it again, compare',
    'photograph': 'A photograph: enlarge it and its faces',
}

_LQ_SIDES = (8, 64)


def build_page(handlers: Handlers, folder: Path) -> gr.Blocks:
    """Lay out the page.

    Args:
        handlers: What it does.
        folder: Where the results to download are written.
    """
    with gr.Blocks(title='Face super-resolution', analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(_HEAD)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                inputs, outputs = _controls(handlers)
            with gr.Column(scale=3):
                outputs |= _results(handlers)
        upload, mode, model, lq_side = inputs

        def fill(*values: object) -> dict[Component, object]:
            return {outputs[name]: update for name, update in contents_for(handlers, folder, *values).items()}

        # `always_last`: who moves on before the answer is there gets the newest one, and no queue builds up
        gr.on([upload.change, mode.change, model.change, lq_side.release], fill, inputs, list(outputs.values()),
              api_visibility='private', concurrency_limit=1, trigger_mode='always_last')
    return page


def _controls(handlers: Handlers) -> tuple[list[Component], dict[str, Component]]:
    """Lay out the left column; return what is asked and what is told there."""
    names = list(handlers.upscalers)
    upload = gr.File(label=f'Picture, up to {MOST_BYTES >> 20} MB', height=170, elem_id='upload')
    notice = gr.Markdown(visible=False, elem_id='notice')
    mode = gr.Radio([(_MODES[name], name) for name in handlers.modes], value='small face', label='What it shows',
                    elem_id='mode')
    least, most = _LQ_SIDES
    trained = handlers.upscalers[names[0]].card.lq_size
    lq_side = gr.Slider(least, most, min(max(trained, least), most), step=4, visible=False, label='Shrink to (pixels)',
                        info='shorter side', elem_id='lq_side')
    model = gr.Dropdown(names, label='Network', elem_id='model')
    facts = gr.Markdown(_facts(handlers, names[0]), elem_id='facts')
    download = gr.DownloadButton('Download the result (PNG)', visible=False, variant='primary', elem_id='download')
    mode.change(lambda name: gr.update(visible=name == 'large face'), mode, lq_side, api_visibility='private')
    model.change(lambda name: _facts(handlers, name), model, facts, api_visibility='private')
    return [upload, mode, model, lq_side], {'notice': notice, 'download': download}


def _results(handlers: Handlers) -> dict[str, gr.blocks.Block]:
    empty = gr.Markdown('The result will be shown here.', elem_id='empty')
    with gr.Column(visible=False) as results:
        told = gr.Markdown(elem_id='told')
        slider = gr.ImageSlider(format='png', interactive=False, max_height=520, elem_id='slider')
        with gr.Row(equal_height=True):
            labels = {'lq': 'Low resolution', 'bicubic': 'Bicubic', 'result': 'Network', 'truth': 'Truth'}
            pictures = {name: gr.Image(label=label, format='png', height=220, min_width=140, buttons=[], elem_id=name,
                                       elem_classes='small') for name, label in labels.items()}
        with gr.Row():
            parts = gr.AnnotatedImage(label='Parts in the result', format='png', color_map=_colours(handlers),
                                      height=300, elem_id='parts')
            scores = gr.Markdown(elem_id='scores')
    return {'empty': empty, 'results': results, 'told': told, 'slider': slider, **pictures, 'parts': parts,
            'scores': scores}


def _facts(handlers: Handlers, name: str) -> str:
    card = handlers.upscalers[name].card
    return (f'{card.network["type"]}, ×{card.scale}, for faces of {card.lq_size}×{card.lq_size}. Licence: '
            f'{plain(card.licence)}.')


def _colours(handlers: Handlers) -> dict[str, str]:
    scheme = handlers.scheme
    return {name: '#{:02x}{:02x}{:02x}'.format(*scheme.palette[index]) for index, name in enumerate(scheme.classes)}
