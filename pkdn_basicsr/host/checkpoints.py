"""What a user is told when weights do not fit a network."""

import os
import pickle
import textwrap

from basicsr.models.base_model import BaseModel
from torch import nn

from pkdn_basicsr.errors import UsageError


def say_which_weights_do_not_fit() -> None:
    """Let `BaseModel.load_network` name the file and the network in one line.

    BasicSR 1.4.2 logs every key and then ends in torch's list of them (`models/base_model.py:277-304`), or in a bare
    KeyError or UnpicklingError; no issue known.
    """
    load = BaseModel.load_network

    def load_network(self: BaseModel, net: nn.Module, load_path: str, *args, **kwargs) -> None:
        try:
            load(self, net, load_path, *args, **kwargs)
        except (EOFError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
            details = textwrap.shorten(str(error).split('\n\t')[-1], 200)  # torch lists all keys; the last line will do
            raise UsageError(f'{os.path.abspath(load_path)} does not fit {type(self.get_bare_model(net)).__name__}: '
                             'write the network as in the option file of the run that trained it '
                             f'({type(error).__name__}: {details})') from error

    BaseModel.load_network = load_network
