"""What a machine may do to a run: nothing that was saved is lost, one line says what happened, it goes on exactly."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial

import pytest
import tiny
from experiment import assert_equal, contents, hashes
from faults import damage, process
from faults.process import assert_refused

KILL, TERM = (partial(signal.raise_signal, number) for number in (signal.SIGKILL, signal.SIGTERM))
ITERATIONS = 24


def mostly_slow(values, *quick):
    """Parameters of which only some are in the quick part."""
    return [value if value in quick else
            pytest.param(*(value if isinstance(value, tuple) else [value]), marks=pytest.mark.slow) for value in values]


@pytest.fixture(scope='module')
def option_file(tmp_path_factory, tiny_faces):
    """24 iterations, four an epoch; a checkpoint at every third, a validation at every sixth."""
    opt = tiny.train_options(tiny_faces)
    opt['model_type'] = 'FaceSRModel'
    opt['datasets']['train'].update(use_hflip=True, gt_size=24, crop_range=[24, 32])
    opt['train']['total_iter'] = ITERATIONS
    opt['val'].update(val_freq=6, save_best='psnr')
    opt['logger'].update(save_checkpoint_freq=3, use_tb_logger=True)
    return tiny.write_options(opt, tmp_path_factory.mktemp('options') / 'tiny.yml')


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory, option_file):
    """The contents of an experiment that nobody disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp('undisturbed')
    process.run(folder, 'train', '-opt', option_file)  # the first one waits for the server's imports
    start = time.monotonic()
    status, said = process.run(folder, 'train', '-opt', option_file)
    assert status == 0, said
    return contents(folder / 'experiments' / 'tiny'), time.monotonic() - start


@pytest.fixture
def train(tmp_path, option_file):
    """Start to train in `tmp_path`, or go on if there is something to go on with."""
    def start(*flags, first=None):
        resume = ['--auto_resume'] if list(tmp_path.glob('**/tiny/training_states/*.state')) else []
        return process.start(tmp_path, 'train', '-opt', option_file, *resume, *flags, first=first)
    return start


@pytest.fixture
def experiment(tmp_path):
    return tmp_path / 'experiments' / 'tiny'


def assert_as_undisturbed(experiment, undisturbed, *also):
    """Everything is as an undisturbed run leaves it; `also`: checkpoints that it did not make."""
    found, texts = contents(experiment)
    assert_equal([{name: value for name, value in found.items() if name not in also}, texts], list(undisturbed[0]))


def newest_state(experiment):
    return max([int(path.stem) for path in experiment.glob('training_states/*.state')], default=0)


def test_kill_9_at_random_moments(train, experiment, undisturbed, all_faults):
    rng = random.Random(0)
    newest = [0]
    for _ in range(30 if all_faults else 4):
        command = train()
        until = newest[-1] + rng.choice([0, 1, 4]) % ITERATIONS  # before, or soon after, it has saved something new
        while newest_state(experiment) < until and command.process.is_alive():
            time.sleep(.005)
        time.sleep(rng.uniform(0, undisturbed[1] / 20))
        command.kill()
        newest.append(newest_state(experiment))
    assert newest == sorted(newest)
    assert any(0 < iteration < ITERATIONS for iteration in newest), newest
    status, said = train().wait()
    assert status == 0, said
    assert_as_undisturbed(experiment, undisturbed)


def test_sigterm_at_random_moments(train, experiment, undisturbed, all_faults):
    rng = random.Random(1)
    saved = []
    for _ in range(10 if all_faults else 2):
        command = train()
        while 'iter:' not in command.said() and command.process.is_alive():
            time.sleep(.01)
        time.sleep(rng.uniform(0, undisturbed[1] / 4))
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(command.process.pid, signal.SIGTERM)
        status, said = command.wait()
        assert 'Traceback' not in said, said
        assert status in (143, 0, -signal.SIGTERM)  # told, had ended, was ending
        if status == 143:
            saved.append(int(said.split('stopped after iteration ')[1].split(';')[0]))
    assert saved
    status, said = train().wait()
    assert status == 0, said
    also = {name for number in saved if number % 3 for name in (f'net_g_{number}.pth', f'{number}.state')}
    assert_as_undisturbed(experiment, undisturbed, *also)


def limit_file_size(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_file_size_at(number, size):
    process.at_iteration(number, partial(limit_file_size, size))()


@pytest.mark.parametrize('size', mostly_slow([20_000, 40_000], 40_000))  # a network has 30, a state 60 thousand
def test_a_full_disk(train, experiment, undisturbed, size):
    """From iteration 8 on no file can grow beyond a size: the checkpoint of 9 cannot be saved, sooner or later."""
    status, said = train(first=partial(limit_file_size_at, 8, size)).wait()
    assert_refused(status, said, experiment, 'File too large')
    assert not list(experiment.rglob('.*unfinished'))
    status, said = train().wait()
    assert status == 0, said
    assert_as_undisturbed(experiment, undisturbed)


@pytest.fixture
def mount(tmp_path):
    """Mount a file system in memory below `tmp_path`, with options; `mount(..., 'remount')` changes it."""
    mounted = []

    def run(folder, *options):
        folder.mkdir(exist_ok=True)
        command = ['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', folder]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip('mounting is not allowed here')
        if 'remount' not in options:
            mounted.append(folder)
    yield run
    for folder in mounted:
        subprocess.run(['umount', '-l', folder], check=True)


@pytest.mark.parametrize('kilobytes', mostly_slow([16, 64, 200, 300, 404, 420, 440], 200))
def test_a_full_file_system(train, experiment, undisturbed, mount, kilobytes):
    mount(experiment.parent, f'size={kilobytes}k')
    status, said = train().wait()
    assert_refused(status, said, experiment, 'No space left on device')
    mount(experiment.parent, 'remount', 'size=10m')
    if not list(experiment.glob('training_states/*.state')):
        shutil.rmtree(experiment, ignore_errors=True)
    status, said = train().wait()
    assert status == 0, said
    assert_as_undisturbed(experiment, undisturbed)


def test_a_read_only_experiments_folder(train, tmp_path, experiment, mount):
    mount(experiment.parent, 'size=10m')
    status, _ = train(first=process.at_iteration(8, KILL)).wait()
    assert status == -signal.SIGKILL
    before = hashes(tmp_path)
    mount(experiment.parent, 'remount', 'ro')
    assert_refused(*train().wait(), experiment, 'Read-only file system')
    assert hashes(tmp_path) == before


def test_a_read_only_experiments_folder_of_a_new_run(train, tmp_path, experiment, mount):
    mount(experiment.parent, 'ro')
    assert_refused(*train().wait(), experiment, 'Read-only file system')
    assert hashes(tmp_path) == {str(experiment.parent): False}


DAMAGED = [(kind, name) for name in ('models/net_g_9.pth', 'training_states/9.state', 'training_states/9.json')
           for kind in ('cut', 'flipped bit', 'empty', 'zeroed block', 'deleted')]


@pytest.mark.parametrize(('kind', 'name'), mostly_slow(DAMAGED, DAMAGED[1], DAMAGED[5]))
def test_a_damaged_newest_checkpoint(train, experiment, undisturbed, kind, name):
    train(first=process.at_iteration(10, KILL)).wait()
    file = experiment / name
    if kind == 'deleted':
        file.unlink()
    else:
        file.write_bytes(damage.BYTES[kind](file.read_bytes(), random.Random(0)))
    status, said = train().wait()
    assert status == 0, said
    assert f'iteration 9 cannot be used: {experiment}' in said
    assert_as_undisturbed(experiment, undisturbed)


def faces_elsewhere(option_file, tiny_faces, folder):
    """Options with a copy of the faces that may be destroyed."""
    faces = shutil.copytree(tiny_faces, folder / 'faces')
    text = option_file.read_text().replace(str(tiny_faces), str(faces))
    (folder / 'elsewhere.yml').write_text(text)
    return faces, folder / 'elsewhere.yml'


def test_a_vanished_dataset(tmp_path, option_file, tiny_faces, undisturbed):
    faces, file = faces_elsewhere(option_file, tiny_faces, tmp_path)
    vanish = process.at_iteration(10, partial(shutil.rmtree, faces / 'gt'))
    run = partial(process.run, tmp_path, 'train', '-opt', file)

    assert_refused(*run(first=vanish), faces / 'gt', 'no such file')  # while it trains
    before = hashes(tmp_path)
    assert_refused(*run('--auto_resume'), 'dataroot_gt', faces / 'gt')  # before it goes on
    assert_refused(*run(), 'dataroot_gt', faces / 'gt')  # before it starts anew
    assert hashes(tmp_path) == before

    shutil.copytree(tiny_faces, faces, dirs_exist_ok=True)
    status, said = run('--auto_resume')
    assert status == 0, said
    assert_as_undisturbed(tmp_path / 'experiments' / 'tiny', undisturbed)


def shift_clock_at(number, seconds):
    """From an iteration on, and from the start of a run that is resumed, the wall clock is another."""
    now, local = time.time, time.localtime

    def shift():
        time.time = lambda: now() + seconds
        time.localtime = lambda secs=None: local(time.time() if secs is None else secs)
    process.at_iteration(number, shift)()


@pytest.mark.parametrize('seconds', mostly_slow([-400_000_000, -3600, 400_000_000], -400_000_000))
def test_a_clock_that_jumps(train, experiment, undisturbed, seconds):
    """During the run; then between the runs, so that the newest checkpoint has not the newest time."""
    assert train(first=partial(jump_and_die, seconds)).wait()[0] == -signal.SIGKILL
    for path in experiment.rglob('*'):
        number = int('0' + ''.join(filter(str.isdigit, path.stem)))
        os.utime(path, (2e9 - number, 2e9 - number))
    status, said = train(first=partial(shift_clock_at, 12, -seconds)).wait()
    assert status == 0, said
    assert 'Resuming training from epoch: 2, iter: 9' in said
    assert_as_undisturbed(experiment, undisturbed)


def jump_and_die(seconds):
    shift_clock_at(5, seconds)
    process.at_iteration(11, KILL)()


def stop_clock():
    now = time.localtime(1_600_000_000)
    time.localtime = lambda secs=None: now


def test_a_clock_that_stands_still(train, experiment, option_file):
    """Old experiments and logs are named by the second: none is lost when that is the same again."""
    assert process.run(experiment.parents[1], 'train', '-opt', option_file, first=stop_clock)[0] == 0
    for _ in range(2):
        status, said = process.run(experiment.parents[1], 'train', '-opt', option_file, first=stop_clock)
        assert status == 0, said
    assert len(list(experiment.parent.iterdir())) == 3
