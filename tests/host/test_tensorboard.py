"""The curves of an interrupted run, read as TensorBoard reads them."""

import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer
from torch.utils.tensorboard import SummaryWriter

from pkdn_basicsr.host.checkpoint import saving


@pytest.fixture
def train(train_until, tiny_faces, monkeypatch):
    """Eight iterations, a checkpoint at every third; returns where the curves are."""
    # files of one second and process are told apart, and sorted, by a number: ...10 would come before ...9
    monkeypatch.setattr(event_file_writer, '_global_uid', event_file_writer.AtomicCounter(0))

    def run(folder, stop_at=None):
        opt = tiny.train_options(tiny_faces)
        opt['model_type'] = 'FaceSRModel'
        opt['train']['total_iter'] = 8
        opt['logger'].update(save_checkpoint_freq=3, use_tb_logger=True)
        return train_until(folder, opt, stop_at) / 'tb_logger' / 'tiny'
    return run


def curves(folder):
    """Steps and values of every curve."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}


@pytest.mark.parametrize('stops', [[4], [6], [5, 8]])
def test_the_curves_of_a_resumed_run_are_those_of_an_undisturbed_one(tmp_path, train, stops):
    """Some stops leave points after the checkpoint (3, 6), which the resumed run draws again."""
    undisturbed = curves(train(tmp_path / 'undisturbed'))
    assert [step for step, _ in undisturbed['losses/l_pix']] == list(range(1, 9))
    assert [step for step, _ in undisturbed['metrics/tiny-val/psnr']] == [2, 4, 6, 8, 8]  # as the host does
    for stop in stops:
        folder = train(tmp_path / 'stopped', stop)
    assert curves(train(tmp_path / 'stopped')) == undisturbed
    assert len(list(folder.iterdir())) > 1


def test_what_comes_before_a_checkpoint_is_on_disk_before_it(tmp_path, train, monkeypatch):
    """A killed process takes along what waits in the queue of its writer."""
    events = []
    flush, save = SummaryWriter.flush, saving.save_whole
    monkeypatch.setattr(SummaryWriter, 'flush', lambda self: (flush(self), events.append('flushed')))
    monkeypatch.setattr(saving, 'save_whole', lambda content, path: (events.append(path.name), save(content, path))[1])
    train(tmp_path, 4)
    assert events == ['net_g_3.pth', 'flushed', '3.state']
