import basicsr.train
import pytest
import tiny
from basicsr.data import build_dataset

from pkdn_basicsr.host.sampler import SeededSampler


def training_only(faces):
    opt = tiny.train_options(faces)
    del opt['val'], opt['datasets']['val']
    return opt


def test_every_iteration_is_trained_where_batches_do_not_divide_the_set(tmp_path, tiny_faces, basicsr_command):
    """Eight pictures in batches of three: two batches an epoch, three by the host's count."""
    opt = training_only(tiny_faces)
    opt['datasets']['train']['batch_size_per_gpu'] = 3
    opt['train']['total_iter'] = 20
    opt['logger']['save_checkpoint_freq'] = 5
    assert basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))[0] == 0
    assert (tmp_path / 'experiments' / 'tiny' / 'models' / 'net_g_20.pth').is_file()


@pytest.mark.parametrize('count', [8, 0])
def test_a_set_of_the_host_s_that_is_less_than_a_batch_is_named(tmp_path, basicsr_command, count):
    """Ours says so before a folder is made."""
    faces = tiny.make_faces(tmp_path / 'faces', count)
    opt = training_only(faces)
    opt['datasets']['train'].update(type='PairedImageDataset', dataroot_lq=str(faces / 'lq'), batch_size_per_gpu=9,
                                    io_backend={'type': 'disk'}, use_hflip=False, use_rot=False)
    status, _, err = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert status == 2
    assert err.splitlines()[-1].startswith(f'basicsr train: error: dataset tiny: {count} images make {count} samples a '
                                           'process and epoch, less than one batch of 9 (batch_size_per_gpu 9); ')


def test_batches_for_several_gpus_in_one_process_are_those_that_count(tiny_faces, usage_error):
    """The data set itself knows of batches of five only, of which eight pictures fill one."""
    opt = {**training_only(tiny_faces)['datasets']['train'], 'phase': 'train', 'scale': 4, 'batch_size_per_gpu': 5}
    faces = build_dataset(opt)
    with usage_error('dataset tiny', '8 images', 'batch of 10 (batch_size_per_gpu 5)'):
        basicsr.train.build_dataloader(faces, opt, num_gpu=2, dist=False, sampler=SeededSampler(faces, 1, 0), seed=0)


def test_the_last_validation_is_of_the_last_iteration(tmp_path, tiny_faces, basicsr_command):
    opt = tiny.train_options(tiny_faces)
    opt['val']['val_freq'] = 100
    status, _, log = basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))
    assert status == 0
    assert '@ 2 iter' in log
