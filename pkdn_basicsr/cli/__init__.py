"""The `basicsr` command: `basicsr VERB ...`, one file of this folder per verb."""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import torch.distributed as dist

from pkdn_basicsr import __version__
from pkdn_basicsr.errors import OptionFileError, UsageError
from pkdn_basicsr.host.allocator import keep_large_blocks
from pkdn_basicsr.host.options import is_first_on_machine
from pkdn_basicsr.host.plugins import import_plugins

VERBS = {
    'train': 'train a network from an option file',
    'test': 'run a trained network over test sets from an option file',
    'compare': 'put several networks side by side on the same faces',
    'prepare': 'make data sets',
    'infer': 'enlarge small faces, or the faces in photographs, with a trained network',
    'demo': 'try networks on own pictures, on a page of this machine',
    'export': 'write a trained network as ONNX, safetensors or torch.export file',
    'bench': 'measure training steps, networks, loaders and processes',
    'options': 'list the shipped option files, or copy them to where they can be edited',
    'check': 'look at the data sets of an option file before training on them',
}


def main() -> int:
    """Run the verb named on the command line.

    Returns:
        The exit status: 0 done, 1 errors that `check` has found or pictures that `infer` has no result for, 2 wrong
            usage or wrong input, 130 interrupted by Ctrl-C, 141 left by the reader of its output, as by `| head`.
    """
    try:
        try:
            return _run_verb()
        finally:
            sys.stdout.flush()  # also where --help leaves by SystemExit; at the end of Python it is too late
    except BrokenPipeError:
        if _output_is_read():
            raise  # it was another pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the rest, which Python writes at its end
        return 141  # 128 and the number of SIGPIPE, as of other programs


def _run_verb() -> int:
    verb, arguments = sys.argv[1] if len(sys.argv) > 1 else '--help', sys.argv[2:]
    if verb in ('-h', '--help'):
        print(_help())
        return 0
    if verb == '--version':
        print(f'basicsr command of pkdn_basicsr {__version__}')
        return 0
    if verb not in VERBS:
        print(f"basicsr: error: unknown verb '{verb}'; expected one of {', '.join(VERBS)}", file=sys.stderr)
        return 2
    keep_large_blocks()
    try:
        import_plugins()
        return importlib.import_module(f'pkdn_basicsr.cli.{verb}').run(arguments)
    except UsageError as error:
        for line in _lines(error):
            _tell(f'basicsr {verb}: error: {line}')
        return 2
    except KeyboardInterrupt:  # where the verb has no more to say of it
        if is_first_on_machine():
            _tell(f'\nbasicsr {verb}: interrupted')
        return 130


def _tell(text: str) -> None:
    """Write a line to stderr, below all that was printed before and may still lie in a buffer."""
    with suppress(BrokenPipeError):  # which `main` looks into
        sys.stdout.flush()
    print(text, file=sys.stderr)


def _output_is_read() -> bool:
    try:
        print(flush=True)
    except BrokenPipeError:
        return False
    return True


def _help() -> str:
    verbs = '\n'.join(f'  {verb:9} {text}' for verb, text in VERBS.items())
    return f'usage: basicsr VERB ...   (basicsr VERB --help tells more)\n\n{verbs}\n\n  --version'


def _lines(error: UsageError) -> Sequence[str]:
    """Return what this process has to say: what all of a machine find alike, the first says."""
    found_by_all = isinstance(error, OptionFileError) or not dist.is_initialized()
    if found_by_all and not is_first_on_machine():
        return ()
    return error.lines if isinstance(error, OptionFileError) else [_own_line(error)]


def _own_line(error: UsageError) -> str:
    """Return the message alone: a loader worker hands over its exception with the whole traceback in the text."""
    message = str(error).rpartition(f'{UsageError.__module__}.{UsageError.__name__}: ')[2]
    return ' '.join(message.split())
