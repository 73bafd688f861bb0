"""`train.output_losses` of an option file: which output of a network is compared with what, and by which loss."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from basicsr.utils.registry import LOSS_REGISTRY

from pkdn_basicsr.data.parsing_labels import ParsingScheme, get_scheme
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.option_check.components import look_at_arguments
from pkdn_basicsr.host.option_check.problems import Problems, suggest
from pkdn_basicsr.models.scheduled_loss import check_gives_one_value
from pkdn_basicsr.models.targets import MAP_TARGETS


@dataclass(frozen=True)
class OutputLoss:
    """One loss on one output.

    Attributes:
        name: Its name in the log: `l_<output>`, or `l_<output>_<type>` where an output has several.
        output: The output's name.
        target: 'gt' or a name in `MAP_TARGETS`.
        scheme: The class scheme of the target; None = that of the data set.
        loss_opt: The loss's `type` and arguments.
    """

    name: str
    output: str
    target: str
    scheme: ParsingScheme | None
    loss_opt: dict[str, Any]

    @property
    def needs_map(self) -> bool:
        """Whether the target is made from the parsing map."""
        return self.target in MAP_TARGETS


def read_output_losses(train_opt: Mapping) -> list[OutputLoss]:
    """Read `output_losses` and check all that needs neither network nor data.

    Args:
        train_opt: The `train` part of an option file. Its `output_losses` maps the name of an output to a loss, or a
            list of losses; a loss is `type`, its arguments, `target` (default: gt) and, where that is made from the
            map, `parsing_scheme` (default: the data set's).

    Raises:
        UsageError: No losses, or one with an unknown target, scheme, type or argument, or without a needed argument;
            two losses of one type on one output.
    """
    section = train_opt.get('output_losses')
    if not isinstance(section, Mapping) or not section:
        raise UsageError('train.output_losses: expected the losses by output, like sr: {type: L1Loss}, found '
                         f'{section!r}')
    losses = []
    for output, entries in section.items():
        entries = entries if isinstance(entries, list) and entries else [entries]
        losses += [_read_loss(output, entry, several=len(entries) > 1) for entry in entries]
    name, count = Counter(loss.name for loss in losses).most_common(1)[0]
    if count > 1:
        raise UsageError(f'train.output_losses: {count} losses would be called {name} in the log; give an output at '
                         'most one loss of each type')
    return losses


def _read_loss(output: str, entry: Any, several: bool) -> OutputLoss:
    where = f'train.output_losses.{output}'
    if not isinstance(entry, Mapping) or not entry.get('type'):
        raise UsageError(f'{where}: expected a loss, like {{type: L1Loss}}, found {entry!r}')
    loss_opt = dict(entry)
    target, scheme = loss_opt.pop('target', 'gt'), None
    _check_known(f'{where}.target', target, ['gt', *MAP_TARGETS])
    if target in MAP_TARGETS and 'parsing_scheme' in loss_opt:
        scheme = get_scheme(loss_opt.pop('parsing_scheme'))
    _check_loss(where, loss_opt)
    name = f'l_{output}_{loss_opt["type"]}' if several else f'l_{output}'
    return OutputLoss(name, output, target, scheme, loss_opt)


def _check_loss(where: str, loss_opt: Mapping) -> None:
    name = loss_opt['type']
    _check_known(f'{where}.type', name, LOSS_REGISTRY.keys())
    check_gives_one_value(where, name)
    problems = Problems()
    look_at_arguments(where, name, [str(key) for key in loss_opt if key != 'type'], LOSS_REGISTRY.get(name), problems)
    problems.refuse()


def _check_known(where: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UsageError(f"{where}: '{name}' is unknown; {suggest(name, known)}")
