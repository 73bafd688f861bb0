"""What goes wrong in one process stops all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from basicsr.utils.dist_util import get_dist_info

from pkdn_basicsr.errors import UsageError


def raise_in_all(message: str | None) -> None:
    """Raise in every process if one of them has something to say; every process must call it.

    Raises:
        UsageError: With the messages of all processes, each once.
    """
    messages = [message]
    processes = get_dist_info()[1]
    if processes > 1:
        messages *= processes
        dist.all_gather_object(messages, message)
    said = dict.fromkeys(filter(None, messages))
    if said:
        raise UsageError('; '.join(said))


@contextmanager
def fail_together() -> Iterator[None]:
    """A UsageError inside is raised in every process, which would otherwise wait for the one that has it.

    Every process must come here, and what is inside must not wait for other processes.
    """
    message = None
    try:
        yield
    except UsageError as error:
        message = str(error)
    raise_in_all(message)
