import pytest
import tiny
import torch
from experiment import assert_equal, contents


def options(faces, batch_size):
    """Twenty iterations, each with a checkpoint; eight faces."""
    opt = tiny.train_options(faces)
    del opt['val'], opt['datasets']['val']
    opt['model_type'] = 'FaceSRModel'
    opt['datasets']['train']['batch_size_per_gpu'] = batch_size
    opt['train']['total_iter'] = 20
    return opt


def without_position(states):
    """Leave the states as BasicSR writes them."""
    for path in states.glob('*.json'):
        path.unlink()
    for path in states.glob('*.state'):
        state = torch.load(path, weights_only=True)
        del state['position']
        torch.save(state, path)


@pytest.mark.parametrize('is_known', [True, False])
def test_smaller_batches_are_trained_to_the_last_iteration(tmp_path, tiny_faces, train_until, is_known):
    """Batches of four end the fifth epoch at iteration 10; those of two have five epochs in all."""
    experiment = train_until(tmp_path, options(tiny_faces, 4), stop_at=11) / 'experiments' / 'tiny'
    if not is_known:
        without_position(experiment / 'training_states')
    train_until(tmp_path, options(tiny_faces, 2))
    assert (experiment / 'models' / 'net_g_20.pth').is_file()
    assert 'The batches are others than before' in ''.join(path.read_text() for path in experiment.glob('*.log'))


def test_a_run_with_other_batches_that_stops_again_ends_as_if_it_had_not(tmp_path, tiny_faces, train_until):
    for name, stops in {'undisturbed': [], 'stopped': [14]}.items():
        train_until(tmp_path / name, options(tiny_faces, 4), stop_at=11)
        for stop in stops:
            train_until(tmp_path / name, options(tiny_faces, 2), stop_at=stop)
        train_until(tmp_path / name, options(tiny_faces, 2))
    undisturbed, stopped = (contents(tmp_path / name / 'experiments' / 'tiny') for name in ('undisturbed', 'stopped'))
    for left, right in zip(undisturbed, stopped, strict=True):
        assert_equal(left, right)
