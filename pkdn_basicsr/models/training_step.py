"""What the options of `train` make of one training step: precision, memory format, compilation, clipping, parts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from pkdn_basicsr.errors import UsageError

_PRECISIONS = {'bf16': torch.bfloat16, 'fp16': torch.float16}


@dataclass(frozen=True)
class StepOptions:
    """The options of `train` that change how a step is computed; by default it is the host's step, bit by bit.

    Args:
        amp: `bf16` or `fp16`: networks and losses of the training step run under autocast. Losses that need it are
            computed in float32, and so is validation.
        channels_last: Networks and images lie in memory channel by channel within each pixel.
        compile: Keyword arguments of `torch.compile` for the trained network; None = not compiled.
        grad_clip: The norm of the gradient of all trained parameters together is cut to this.
        accumulate: The batch of an iteration goes through the networks in this many equal parts, one after the other,
            and their gradients are averaged. That is the gradient of the whole batch where losses are means over its
            images and no network has BatchNorm, which takes the statistics of each part. (Elsewhere the word often
            means a step of the optimizer every so many iterations. BasicSR counts learning rate, average, log and
            checkpoints in iterations, so that a schedule would have to be rewritten with it; here a schedule stays
            as it is, and the option is a matter of memory alone.)
        activation_checkpointing: Blocks of the trained network keep their inputs alone, and compute what the backward
            pass needs once more; see `recompute_blocks`.
    """

    amp: str | None = None
    channels_last: bool = False
    compile: dict[str, Any] | None = None
    grad_clip: float | None = None
    accumulate: int = 1
    activation_checkpointing: bool = False

    @classmethod
    def from_options(cls, opt: dict) -> 'StepOptions':
        """Read the options of a run; in testing there are none.

        Raises:
            UsageError: A value that cannot be, a batch that cannot be cut into so many equal parts, parts with
                `static_graph`, or compilation or recomputed blocks with the host's way of using several GPUs in one
                process.
        """
        if not opt.get('is_train'):
            return cls()
        train_opt = opt['train']
        amp, grad_clip = train_opt.get('amp') or None, train_opt.get('grad_clip')
        if amp not in (None, *_PRECISIONS):
            raise UsageError(f'train.amp: expected bf16 or fp16, found {amp!r}')
        if grad_clip is not None and not (_is_number(grad_clip, int | float) and grad_clip > 0):
            raise UsageError(f'train.grad_clip: expected a norm above 0, found {grad_clip!r}')
        compile_arguments = _compile_arguments(train_opt.get('compile', False))
        recompute = _switch(train_opt, 'activation_checkpointing')
        for key, is_wished in (('compile', compile_arguments is not None), ('activation_checkpointing', recompute)):
            if is_wished and opt['num_gpu'] > 1 and not opt['dist']:  # copies would run the first GPU's forward
                raise UsageError(f'train.{key} does not go with several GPUs in one process (DataParallel): start one '
                                 'process for each with torchrun and --launcher pytorch')
        parts = _number_of_parts(train_opt.get('accumulate', 1), opt['datasets'].get('train') or {})
        if parts > 1 and opt.get('static_graph'):
            raise UsageError('train.accumulate does not go with static_graph: DDP then expects to exchange gradients '
                             'after every part; leave one of them out')
        return cls(amp, _switch(train_opt, 'channels_last'), compile_arguments, grad_clip, parts, recompute)

    @property
    def memory_format(self) -> torch.memory_format:
        """What `Tensor.to` is given for images."""
        return torch.channels_last if self.channels_last else torch.preserve_format

    def uncompiled(self) -> AbstractContextManager:
        """Run networks as they are written: validation has other sizes, and would be compiled for each of them.

        torch before 2.6 cannot switch compilation off, and compiles.
        """
        if self.compile is None or not hasattr(torch.compiler, 'set_stance'):
            return nullcontext()
        return torch.compiler.set_stance('force_eager')


@dataclass
class TrainingStep:
    """The mechanics of a step around a model's losses.

    With fp16 the loss is scaled, and a step whose gradients overflow is skipped and the scale halved, as in
    `torch.amp.GradScaler`; to know it the host waits for the device once an iteration. bf16 needs none of this.

    Args:
        options: How to compute a step.
        net: What the model calls in training, wrapped in DDP or not.
        device: Where it lies.
    """

    options: StepOptions
    net: nn.Module
    device: torch.device
    skipped_steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.options.amp == 'fp16')

    def autocast(self) -> AbstractContextManager:
        """Compute in the precision asked for."""
        if self.options.amp is None:
            return nullcontext()
        return torch.autocast(self.device.type, _PRECISIONS[self.options.amp])

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of the loss of one part; those of all parts are averaged."""
        self.scaler.scale(loss / self.options.accumulate).backward()

    def synchronise(self, is_last_part: bool) -> AbstractContextManager:
        """Let DDP exchange gradients once an iteration, after the last part."""
        if isinstance(self.net, DistributedDataParallel) and not is_last_part:
            return self.net.no_sync()
        return nullcontext()

    def update(self, optimizer: torch.optim.Optimizer) -> tuple[bool, dict[str, Tensor]]:
        """Clip the gradients and step.

        Returns:
            Whether the weights have changed, and what is to be logged: `grad_norm`, before clipping, where it is known.
        """
        log = {}
        self.scaler.unscale_(optimizer)
        if self.options.grad_clip is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
            log['grad_norm'] = clip_grad_norm_(parameters, self.options.grad_clip).detach()
        scale = self.scaler.get_scale()
        self.scaler.step(optimizer)
        self.scaler.update()
        skipped = self.scaler.get_scale() < scale
        self.skipped_steps += skipped
        return not skipped, log


def cut(batch: dict, parts: int) -> Iterator[dict]:
    """Cut a batch into equal parts; only tensors and lists are cut, by their first dimension.

    Raises:
        UsageError: The number of images cannot be divided so.
    """
    count = len(batch['gt'])
    if count % parts:
        raise UsageError(f'train.accumulate: a batch of {count} cannot be cut into {parts} equal parts')
    size = count // parts
    for start in range(0, count, size):
        yield {key: value[start:start + size] if isinstance(value, Tensor | list) else value
               for key, value in batch.items()}


def _switch(train_opt: dict, key: str) -> bool:
    value = train_opt.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f'train.{key}: expected true or false, found {value!r}')
    return value


def _compile_arguments(wished: Any) -> dict[str, Any] | None:
    if isinstance(wished, dict):
        return dict(wished)
    if not isinstance(wished, bool):
        raise UsageError(f'train.compile: expected true, false or arguments of torch.compile, found {wished!r}')
    return {} if wished else None


def _number_of_parts(parts: Any, dataset_opt: dict) -> int:
    if not (_is_number(parts, int) and parts > 0):
        raise UsageError(f'train.accumulate: expected a number of parts from 1, found {parts!r}')
    size = dataset_opt.get('batch_size_per_gpu', parts)
    if size % parts:
        raise UsageError(f'train.accumulate: datasets.train.batch_size_per_gpu {size} cannot be cut into {parts} equal '
                         'parts')
    return parts


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
