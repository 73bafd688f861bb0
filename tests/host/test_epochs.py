import tiny


def test_every_iteration_is_trained_where_batches_do_not_divide_the_set(tmp_path, tiny_faces, basicsr_command):
    """Eight pictures in batches of three: two batches an epoch, three by the host's count."""
    opt = tiny.train_options(tiny_faces)
    opt['datasets']['train']['batch_size_per_gpu'] = 3
    opt['train']['total_iter'] = 20
    opt['logger']['save_checkpoint_freq'] = 5
    del opt['val']
    del opt['datasets']['val']
    assert basicsr_command(tmp_path, 'train', '-opt', tiny.write_options(opt, tmp_path / 'tiny.yml'))[0] == 0
    assert (tmp_path / 'experiments' / 'tiny' / 'models' / 'net_g_20.pth').is_file()
