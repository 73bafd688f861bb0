"""The states of all random generators of a process."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from basicsr.models.base_model import BaseModel


def get_random_states() -> dict[str, object]:
    """Return the states of the generators of Python, NumPy and torch, in types that `weights_only` loading takes."""
    kind, keys, *rest = np.random.get_state()
    states = {'python': random.getstate(), 'numpy': [kind, torch.from_numpy(keys.astype(np.int64)), *rest],
              'torch': torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: Mapping[str, object]) -> None:
    """Set the generators to what `get_random_states` returned."""
    version, keys, gauss = states['python']
    random.setstate((version, tuple(keys), gauss))
    kind, keys, *rest = states['numpy']
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states['torch'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'])


@contextmanager
def undisturbed_random_states() -> Iterator[None]:
    """Whatever happens inside draws from copies of the generators."""
    states = get_random_states()
    try:
        yield
    finally:
        set_random_states(states)


def validate_without_drawing() -> None:
    """Let `BaseModel.validation` leave the generators as they were.

    In BasicSR 1.4.2 (`models/base_model.py:33-46`) every pass over a validation set draws a seed for its loader from
    the generator that dropout uses, so that a run depends on how often it validates, and one that is resumed after
    validating goes another way; no issue known.
    """
    validate = BaseModel.validation

    def validation(self: BaseModel, *args, **kwargs) -> None:
        with undisturbed_random_states():
            validate(self, *args, **kwargs)

    BaseModel.validation = validation
