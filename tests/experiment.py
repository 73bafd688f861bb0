"""What an experiment's folder holds, compared bit by bit."""

from pathlib import Path

import torch

from pkdn_basicsr.files import sha256_of_file


def contents(experiment):
    """Everything that a run leaves and that counts: networks, states, best values, values of faces."""
    files = {path.name: torch.load(path, weights_only=True) for folder in ('models', 'training_states')
             for path in (experiment / folder).iterdir() if path.suffix in ('.pth', '.state')}
    texts = {path.relative_to(experiment): path.read_text() for path in experiment.rglob('*.csv')}
    return files, texts


def assert_equal(left, right):
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_equal(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_equal(one, other)
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    else:
        assert left == right


def hashes(*folders):
    """The hash of every file below some folders; links and empty folders count as what they are."""
    return {str(path): sha256_of_file(path) if path.is_file() else path.is_symlink()
            for folder in folders for path in sorted(Path(folder).rglob('*'))}
