"""An interrupted and resumed run ends as an undisturbed one, bit by bit."""

import json

import pytest
import tiny
from basicsr.utils.registry import ARCH_REGISTRY
from experiment import assert_equal, contents
from torch import Tensor, nn
from torch.nn import functional as F


@ARCH_REGISTRY.register()
class DropoutNet(nn.Module):
    """A network that draws from the global generator."""

    def __init__(self, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, lq: Tensor) -> Tensor:
        return F.dropout(self.conv(F.interpolate(lq, scale_factor=self.scale)), 0.5, self.training)


def options(tiny_faces, **network):
    """Eight iterations, four an epoch; a checkpoint at every one, a validation at every second."""
    opt = tiny.train_options(tiny_faces)
    opt.update(model_type='FaceSRModel', network_g=network or {'type': 'DropoutNet'})
    opt['train'].update(total_iter=8)
    opt['datasets']['train'].update(use_hflip=True, gt_size=24, crop_range=[24, 32])
    return opt


@pytest.fixture
def train(train_until):
    """`train_until`, which returns the experiment."""
    return lambda *arguments, **named: train_until(*arguments, **named) / 'experiments' / 'tiny'


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('stops', [[3], [5], [6], [2, 4, 7]])
def test_a_resumed_run_ends_as_an_undisturbed_one(tmp_path, tiny_faces, train, workers, stops):
    """Stops inside an epoch, after its last iteration (5 is not trained yet), and several in one run."""
    opt = options(tiny_faces)
    opt['datasets']['train']['num_worker_per_gpu'] = workers
    undisturbed = train(tmp_path / 'undisturbed', opt)
    for stop in stops:
        train(tmp_path / 'stopped', opt, stop)
    stopped = train(tmp_path / 'stopped', opt)
    for left, right in zip(contents(undisturbed), contents(stopped), strict=True):
        assert_equal(left, right)


def test_a_validation_that_the_run_did_not_come_to_is_made_up_for(tmp_path, tiny_faces, train, monkeypatch):
    opt = options(tiny_faces)
    opt['val']['save_best'] = 'psnr'
    undisturbed = train(tmp_path / 'undisturbed', opt)

    def killed(*_, **__):
        raise tiny.Killed

    with monkeypatch.context() as patch:  # at iteration 2: the checkpoint is there, nothing of its validation
        patch.setattr('pkdn_basicsr.models.face_sr_model.FaceSRModel.dist_validation', killed)
        patch.setattr('pkdn_basicsr.models.face_sr_model.FaceSRModel.nondist_validation', killed)
        train(tmp_path / 'stopped', opt, stop_at=3)
    stopped = train(tmp_path / 'stopped', opt)
    for left, right in zip(contents(undisturbed), contents(stopped), strict=True):
        assert_equal(left, right)


def test_the_repair_is_what_makes_it_so(tmp_path, tiny_faces, train, monkeypatch):
    """Without going on inside the epoch and with the generators, the same comparison fails."""
    undisturbed = train(tmp_path / 'undisturbed', options(tiny_faces))
    train(tmp_path / 'stopped', options(tiny_faces), 3)
    monkeypatch.setattr('pkdn_basicsr.host.checkpoint.resume.go_on_inside_epoch', lambda *_: None)
    stopped = train(tmp_path / 'stopped', options(tiny_faces))
    with pytest.raises(AssertionError):
        assert_equal(contents(undisturbed)[0], contents(stopped)[0])


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(tmp_path, tiny_faces, train, capsys):
    undisturbed = train(tmp_path / 'undisturbed', options(tiny_faces))
    experiment = train(tmp_path / 'stopped', options(tiny_faces), 6)
    network = experiment / 'models' / 'net_g_5.pth'
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1  # torch would load it without a word
    network.write_bytes(content)
    train(tmp_path / 'stopped', options(tiny_faces))
    assert_equal(contents(undisturbed)[0], contents(experiment)[0])


def test_old_checkpoints_are_removed_and_the_best_and_the_latest_stay(tmp_path, tiny_faces, train):
    opt = options(tiny_faces)
    opt['logger']['keep_last'] = 2
    opt['val']['save_best'] = 'psnr'
    experiment = train(tmp_path, opt)
    assert sorted(path.name for path in (experiment / 'training_states').iterdir()) == [
        '7.json', '7.state', '8.json', '8.state']
    assert sorted(path.name for path in (experiment / 'models').iterdir()) == [
        'net_g_7.pth', 'net_g_8.pth', 'net_g_best_psnr.pth', 'net_g_latest.pth']


def test_the_record_names_all_files_of_an_iteration(tmp_path, tiny_faces, train):
    experiment = train(tmp_path, options(tiny_faces), 3)
    record = json.loads((experiment / 'training_states' / '2.json').read_text())
    assert sorted(record['files']) == ['../models/net_g_2.pth', '2.state']
