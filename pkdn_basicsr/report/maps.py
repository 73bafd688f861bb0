"""The parsing maps that a teacher is given in a comparison: the true ones, damaged ones, or predicted ones.

How much a method loses when its prior is not perfect is the question behind distillation (PKDN, Yang et al., abstract):
a map that is given at test time must come from somewhere.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pkdn_basicsr.archs.face_parser_arch import predict_parsing
from pkdn_basicsr.data.parsing_labels import IGNORE, convert_parsing, get_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.weights import load_face_parser

Batch = Mapping[str, Tensor]
_PARSER_OPTIONS = {'parser', 'parsing_scheme', 'normalization', 'size'}


@dataclass(frozen=True)
class MapSource:
    """Where a method's maps come from.

    Attributes:
        description: For the notes of a table, after "sees".
        from_truth: They are made from something that is not there when the method is used.
        maps: A batch -> uint8 (B, H, W), 255 = unknown.
    """

    description: str
    from_truth: bool
    maps: Callable[[Batch], Tensor]


TRUE_MAPS = MapSource('the true parsing map', True, lambda batch: batch['parsing'])


def map_source(entry: dict | None, scheme: str, picture: Callable[[Batch, str], Tensor],
               sources_from_truth: Collection[str] = ('gt',)) -> MapSource:
    """Resolve `maps:` of a method.

    Args:
        entry: None for the true maps, or one of `{shift: PIXELS}` (to the right; what enters is the border repeated),
            `{drop: [CLASS, ...]}` (pixels of these classes become unknown) and `{predicted_from: WHAT, parser: PATH}`:
            WHAT is `gt` (the true face), `lq` (its bicubic enlargement) or the name of a method above, whose result is
            parsed; the parser is the shipped one unless a path is given. `parsing_scheme`, `normalization` and `size`
            may stand beside it, as for `calculate_parsing_miou`.
        scheme: Class scheme of the maps the method takes.
        picture: `(batch, WHAT)` -> the picture to parse, (B, 3, H, W) in [0, 1].
        sources_from_truth: Every WHAT that is made from the truth.

    Raises:
        UsageError: An entry that is none of these, an unknown class, or no parser.
    """
    if entry is None:
        return TRUE_MAPS
    match entry:
        case {'shift': int(pixels), **rest} if not rest:
            return MapSource(f'the true parsing map shifted by {pixels} pixels', True,
                             lambda batch: shift_maps(batch['parsing'], pixels))
        case {'drop': list(classes), **rest} if classes and not rest:
            indices = [get_scheme(scheme).index(name) for name in classes]
            return MapSource(f'the true parsing map without {", ".join(classes)}', True,
                             lambda batch: drop_classes(batch['parsing'], indices))
        case {'predicted_from': str(what), **rest} if rest.keys() <= _PARSER_OPTIONS:
            return _predicted(what, rest, scheme, picture, what in sources_from_truth)
    raise UsageError(f'expected maps: {{shift: PIXELS}}, {{drop: [CLASS, ...]}} or {{predicted_from: gt, lq or a '
                     f'method}}, found {entry}')


def shift_maps(maps: Tensor, pixels: int) -> Tensor:
    """Shift maps (B, H, W) to the right, to the left if negative; the border is repeated."""
    columns = torch.arange(maps.shape[-1]) - pixels
    return maps[..., columns.clamp(0, maps.shape[-1] - 1)]


def drop_classes(maps: Tensor, indices: list[int]) -> Tensor:
    """Make the pixels of some classes unknown."""
    return torch.where(torch.isin(maps, torch.tensor(indices, dtype=maps.dtype)), IGNORE, maps)


def _predicted(what: str, parser: Mapping, scheme: str, picture: Callable[[Batch, str], Tensor],
               from_truth: bool) -> MapSource:
    net, parser_scheme = load_face_parser(parser.get('parser'), parser.get('parsing_scheme'),
                                          parser.get('normalization', 'unit'))

    def maps(batch: Batch) -> Tensor:
        labels = predict_parsing(net, picture(batch, what), parser.get('size'))
        return torch.from_numpy(convert_parsing(labels.cpu().numpy(), parser_scheme, scheme))

    origin = {'gt': 'the true face', 'lq': 'the bicubic enlargement'}.get(what, f'the result of {what}')
    return MapSource(f'a map predicted from {origin}', from_truth, maps)
