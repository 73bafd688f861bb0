"""Some faces of a data set on one picture: the face, its map in colours, and what a network is given of it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pkdn_basicsr.data.degradation import downsample
from pkdn_basicsr.data.parsing_labels import IGNORE, ParsingScheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.check.chosen import kinds_by_name, pick
from pkdn_basicsr.report.check.sample import Rules, rules_of, sample_square
from pkdn_basicsr.report.check.set_files import FaceFiles
from pkdn_basicsr.report.check.summary import SetSummary

_PANEL, _GAP, _MARGIN = 128, 4, 16
_CELL_GAP, _LINE = 14, 17
_TOP = _MARGIN + 2 * _LINE + 12
_CELL_HEIGHT = _PANEL + 2 * _LINE + 6 + _CELL_GAP
_WIDTH, _NARROWEST = 1640, 620  # without margins; the wider one holds four faces with map and low resolution
_SWATCH = 160
_PAPER, _INK, _FAINT, _WARNING = (255, 255, 255), (32, 32, 32), (110, 110, 110), (190, 30, 30)
_OPACITY = 0.45


@dataclass(frozen=True)
class _Layout:
    """Where things lie on a sheet, in pixels."""

    faces: int
    panels: int
    swatches: int

    @property
    def cell_width(self) -> int:
        return self.panels * (_PANEL + _GAP) - _GAP

    @property
    def columns(self) -> int:
        return min(max((_WIDTH + _CELL_GAP) // (self.cell_width + _CELL_GAP), 1), self.faces)

    @property
    def size(self) -> tuple[int, int]:
        cells = self.columns * (self.cell_width + _CELL_GAP) - _CELL_GAP
        return max(cells, _NARROWEST) + 2 * _MARGIN, self.swatch(self.swatches - 1)[1] + _LINE + 6 + _MARGIN

    def cell(self, place: int) -> tuple[int, int]:
        """Return the left upper corner of a face's panels."""
        row, column = divmod(place, self.columns)
        return _MARGIN + column * (self.cell_width + _CELL_GAP), _TOP + row * _CELL_HEIGHT

    def swatch(self, place: int) -> tuple[int, int]:
        """Return the left upper corner of a colour in the legend."""
        per_line = max(self.columns * (self.cell_width + _CELL_GAP), _NARROWEST) // _SWATCH
        line, column = divmod(place, per_line)
        return _MARGIN + column * _SWATCH, self.cell(self.faces - 1)[1] + _CELL_HEIGHT + line * (_LINE + 6)


def draw_contact_sheet(summary: SetSummary, number: int) -> Image.Image:
    """Draw chosen faces (`chosen.pick`), each with its map and low resolution, and what the colours mean.

    Args:
        summary: The set; at least one of its images can be read.
        number: How many faces at most.

    Returns:
        An RGB picture, about 1,600 pixels wide.
    """
    chosen, kinds = pick(summary, number), kinds_by_name(summary)
    layout = _Layout(len(chosen), 2 + (summary.maps > 0), summary.scheme.num_classes + 1 if summary.maps else 0)
    sheet = Image.new('RGB', layout.size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_title(draw, summary, len(chosen), sum(summary.faces[index].name in kinds for index in chosen))
    for place, index in enumerate(chosen):
        face, (left, upper) = summary.faces[index], layout.cell(place)
        for panel in _panels(face, summary):
            _draw_panel(sheet, draw, (left, upper), panel)
            left += _PANEL + _GAP
        _draw_labels(draw, layout.cell(place), layout.cell_width, face.name, kinds.get(face.name, ()))
    if summary.maps:
        _draw_legend(draw, summary, layout)
    return sheet


def overlay(picture: Image.Image, parsing: Image.Image, scheme: ParsingScheme) -> Image.Image:
    """Lay a map in its scheme's colours over the picture, which must be of the same size."""
    return Image.blend(picture, Image.fromarray(scheme.palette[np.asarray(parsing)]), _OPACITY)


def _draw_title(draw: ImageDraw.ImageDraw, summary: SetSummary, shown: int, flagged: int) -> None:
    title = f'{summary.phase}: {summary.files.opt["name"]}'
    draw.text((_MARGIN, _MARGIN - 4), title, _INK, _font(17, bold=True))
    what = 'image, map over image, low resolution' if summary.maps else 'image, low resolution'
    order = f'{flagged} with findings first, the others' if flagged else 'taken'
    text = f'{shown} of {len(summary.faces)} faces: {order} spread evenly over the set. Each: {what}.'
    draw.text((_MARGIN, _MARGIN + _LINE + 3), text, _FAINT, _font(12))


def _panels(face: FaceFiles, summary: SetSummary) -> list[Image.Image | None]:
    """Image, map over image where the set has maps, low resolution; None for what cannot be shown."""
    rules, picture = rules_of(summary.files), summary.files.sources['dataroot_gt'].picture(face.gt)
    try:
        cut = sample_square(rules, picture, Image.Resampling.BICUBIC)
    except ValueError:
        cut = picture
    maps = [_map_panel(face, rules, picture, cut, summary.scheme)] if summary.maps else []
    return [cut, *maps, _low_resolution_panel(face, rules, cut)]


def _draw_panel(sheet: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int],
                panel: Image.Image | None) -> None:
    left, upper = corner
    if panel is None:
        draw.rectangle((left, upper, left + _PANEL - 1, upper + _PANEL - 1), (238, 238, 238))
        draw.text((left + _PANEL / 2, upper + _PANEL / 2), 'none that fits', _FAINT, _font(12), anchor='mm')
        return
    shrinking = max(panel.size) > _PANEL
    factor = _PANEL / max(panel.size)
    fitted = panel.resize([max(1, round(factor * side)) for side in panel.size],  # ImageOps.contain fails at stripes
                          Image.Resampling.LANCZOS if shrinking else Image.Resampling.NEAREST)
    sheet.paste(fitted, (left + (_PANEL - fitted.width) // 2, upper + (_PANEL - fitted.height) // 2))


def _map_panel(face: FaceFiles, rules: Rules, picture: Image.Image, cut: Image.Image,
               scheme: ParsingScheme) -> Image.Image | None:
    try:
        parsing = rules.sources['dataroot_parsing'].parsing(face.parsing, scheme) if face.parsing else None
        if parsing is None or parsing.size != picture.size:
            return None
        return overlay(cut, sample_square(rules, parsing, Image.Resampling.NEAREST), scheme)
    except (UsageError, ValueError):  # a finding says what is wrong with it
        return None


def _low_resolution_panel(face: FaceFiles, rules: Rules, cut: Image.Image) -> Image.Image | None:
    """The stored file, or what is made on the fly where the set has none."""
    try:
        return rules.sources['dataroot_lq'].picture(face.lq) if face.lq else downsample(cut, rules.scale)
    except UsageError:
        return None


def _draw_labels(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, name: str,
                 kinds: Collection[str]) -> None:
    left, upper = corner[0], corner[1] + _PANEL + 3
    draw.text((left, upper), _shorten(name, width, _font(12)), _INK, _font(12))
    draw.text((left, upper + _LINE), _shorten(', '.join(kinds), width, _font(12)), _WARNING, _font(12))


def _draw_legend(draw: ImageDraw.ImageDraw, summary: SetSummary, layout: _Layout) -> None:
    indices = [*range(summary.scheme.num_classes), IGNORE]
    for place, (index, (name, share, _)) in enumerate(zip(indices, summary.class_shares(), strict=True)):
        left, upper = layout.swatch(place)
        colour = tuple(summary.scheme.palette[index].tolist())
        draw.rectangle((left, upper + 1, left + 14, upper + 15), colour, _FAINT)
        draw.text((left + 20, upper), f'{name} {100 * share:.1f} %', _INK, _font(12))


def _shorten(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f'{text}...') > width:
        text = text[:-1]
    return f'{text}...'


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings: the same on every machine, and Pillow 10.0 has none of a chosen size."""
    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', name)), size)
