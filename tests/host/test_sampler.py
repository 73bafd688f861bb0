"""Order and augmentation: the same for any number of workers and ranks, another for any seed and epoch."""

import copy
import pickle

import basicsr.train
import numpy as np
import pytest
import torch
from basicsr.data import build_dataloader, build_dataset
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.host.sampler import SampleIndex, SeededSampler

COUNT, BATCH = 12, 4


class Numbers(TensorDataset):
    """The least that a dataset of BasicSR has."""

    def __init__(self, length, manual_seed=0):
        super().__init__(torch.arange(length))
        self.opt = {'manual_seed': manual_seed}


def order(length=100, replicas=1, rank=0, ratio=1, seed=0, epoch=0):
    sampler = SeededSampler(Numbers(length, seed), replicas, rank, ratio)
    sampler.set_epoch(epoch)
    indices = list(sampler)
    assert len(indices) == len(sampler)
    return [index.draw for index in indices]


# the order

def test_basicsr_trains_with_this_sampler():
    assert basicsr.train.EnlargedSampler is SeededSampler


def test_an_epoch_has_every_index_once_and_in_disorder():
    assert sorted(order()) == list(range(100))
    assert order() != list(range(100))


def test_the_order_depends_on_seed_and_epoch_alone():
    orders = [order(seed=seed, epoch=epoch) for seed in range(3) for epoch in range(3)]
    assert len(set(map(tuple, orders))) == 9
    torch.manual_seed(77)
    np.random.seed(77)
    assert orders == [order(seed=seed, epoch=epoch) for seed in range(3) for epoch in range(3)]


def test_a_run_resumed_at_an_epoch_sees_the_order_of_the_run_that_went_through():
    through, resumed = (SeededSampler(Numbers(100), 1, 0) for _ in range(2))
    for epoch in range(4):
        through.set_epoch(epoch)
        last = list(through)
    resumed.set_epoch(3)
    assert list(resumed) == last


def test_making_an_order_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    order()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize('replicas', [2, 3, 4])
def test_ranks_take_turns_in_the_order_of_one_process(replicas):
    length = 12 * replicas
    parts = [order(length, replicas, rank, seed=3, epoch=2) for rank in range(replicas)]
    assert [draw for turn in zip(*parts, strict=True) for draw in turn] == order(length, seed=3, epoch=2)


@pytest.mark.parametrize(('length', 'replicas'), [(101, 2), (100, 8), (10, 4), (1, 8), (3, 8)])
def test_where_the_order_cannot_be_divided_it_starts_over(length, replicas):
    parts = [order(length, replicas, rank) for rank in range(replicas)]
    turns = [draw for turn in zip(*parts, strict=True) for draw in turn]
    whole = order(length)
    assert turns == (whole * replicas)[:len(turns)]
    assert length <= len(turns) < length + replicas


@pytest.mark.parametrize('ratio', [1, 3, 2.5, 0.5])
def test_an_enlarged_epoch_repeats_every_image_in_draws_of_their_own(ratio):
    sampler = SeededSampler(Numbers(10), 1, 0, ratio)
    indices = list(sampler)
    assert sorted(index.draw for index in indices) == list(range(int(10 * ratio)))
    assert all(int(index) == index.draw % 10 for index in indices)
    assert {index.epoch for index in indices} == {0}


def test_a_dataset_without_options_is_shuffled_too():
    assert sorted(SeededSampler(TensorDataset(torch.arange(9)), 1, 0)) == list(range(9))


# the index

def test_an_index_is_an_int_that_keeps_its_epoch_and_draw_on_its_way_to_a_worker():
    index = SampleIndex(3, epoch=5, draw=13)
    assert ['a', 'b', 'c', 'd'][index] == 'd'
    for other in (pickle.loads(pickle.dumps(index)), copy.copy(index), copy.deepcopy(index)):
        assert type(other) is SampleIndex
        assert (other, other.epoch, other.draw) == (3, 5, 13)


# through the loader

@pytest.fixture
def faces(tmp_path):
    """Options of a small set with every augmentation."""
    rng = np.random.default_rng(0)
    for folder in ('gt', 'parsing'):
        (tmp_path / folder).mkdir()
    for i in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(tmp_path / f'gt/{i}.png')
        Image.fromarray(rng.integers(0, 19, (24, 24), dtype=np.uint8)).save(tmp_path / f'parsing/{i}.png')
    return {'name': 'faces', 'type': 'ParsingMapDataset', 'phase': 'train', 'scale': 4, 'manual_seed': 0,
            'dataroot_gt': str(tmp_path / 'gt'), 'dataroot_parsing': str(tmp_path / 'parsing'), 'gt_size': 16,
            'crop_range': [12, 22], 'use_hflip': True, 'batch_size_per_gpu': BATCH, 'num_worker_per_gpu': 0}


def two_epochs(faces, replicas=1, rank=0, context=None, **more):
    """All batches of two epochs; `context` makes the loader without BasicSR."""
    opt = {**faces, **more}
    dataset = build_dataset(opt)
    sampler = SeededSampler(dataset, replicas, rank, opt.get('dataset_enlarge_ratio', 1))
    if context:
        loader = DataLoader(dataset, BATCH, sampler=sampler, drop_last=True, num_workers=opt['num_worker_per_gpu'],
                            multiprocessing_context=context, persistent_workers=opt.get('persistent_workers', False))
    else:
        loader = build_dataloader(dataset, opt, num_gpu=0, dist=replicas > 1, sampler=sampler, seed=opt['manual_seed'])
    batches = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def equal(one, other):
    return len(one) == len(other) and all(
        torch.equal(a[key], b[key]) if torch.is_tensor(a[key]) else a[key] == b[key]
        for a, b in zip(one, other, strict=True) for key in ('lq', 'gt', 'parsing', 'gt_path'))


@pytest.mark.filterwarnings('ignore:This DataLoader will create 4 worker')
@pytest.mark.parametrize('how', [
    {'num_worker_per_gpu': 2},
    {'num_worker_per_gpu': 4},
    {'num_worker_per_gpu': 2, 'persistent_workers': True},
    {'num_worker_per_gpu': 2, 'prefetch_mode': 'cpu', 'num_prefetch_queue': 2},
    {'num_worker_per_gpu': 2, 'context': 'fork'},
    {'num_worker_per_gpu': 1, 'context': 'spawn', 'persistent_workers': True},  # one: it imports torch anew
], ids=str)
def test_batches_do_not_depend_on_the_workers(faces, how):
    batches = two_epochs(faces)
    assert len(batches) == 2 * COUNT // BATCH
    assert equal(two_epochs(faces, **how), batches)


def test_another_seed_gives_another_order_and_other_crops(faces):
    def by_path(batches):
        return {path: image for batch in batches for path, image in zip(batch['gt_path'], batch['gt'], strict=True)}
    one, other = two_epochs(faces)[:3], two_epochs(faces, manual_seed=1)[:3]
    assert [batch['gt_path'] for batch in one] != [batch['gt_path'] for batch in other]
    one, other = by_path(one), by_path(other)
    assert len(one) == COUNT
    assert not any(torch.equal(one[path], other[path]) for path in one)


def test_another_epoch_gives_another_order_and_other_crops(faces):
    batches = two_epochs(faces)
    first, second = batches[:3], batches[3:]
    paths = [[path for batch in epoch for path in batch['gt_path']] for epoch in (first, second)]
    assert paths[0] != paths[1]
    assert sorted(paths[0]) == sorted(paths[1])
    images = [torch.cat([batch['gt'] for batch in epoch]) for epoch in (first, second)]
    assert not any(torch.equal(images[0][paths[0].index(path)], images[1][paths[1].index(path)]) for path in paths[0])


def test_two_ranks_share_the_batches_of_one_process_of_twice_the_batch(faces):
    parts = [two_epochs(faces, replicas=2, rank=rank, batch_size_per_gpu=2) for rank in (0, 1)]
    whole = two_epochs(faces)
    assert len(parts[0]) == len(parts[1]) == len(whole)
    for first, second, batch in zip(*parts, whole, strict=True):
        assert torch.equal(torch.stack([first['gt'], second['gt']], 1).flatten(0, 1), batch['gt'])
        assert torch.equal(torch.stack([first['parsing'], second['parsing']], 1).flatten(0, 1), batch['parsing'])


def test_repeats_in_an_enlarged_epoch_are_augmented_each_in_its_own_way(faces):
    batches = two_epochs(faces, dataset_enlarge_ratio=3)[:3 * COUNT // BATCH]
    paths = [path for batch in batches for path in batch['gt_path']]
    assert sorted(paths) == sorted(3 * list(set(paths)))
    assert len(set(paths)) == COUNT
    images = {image.numpy().tobytes() for batch in batches for image in batch['gt']}
    assert len(images) == 3 * COUNT


def test_an_error_in_a_worker_is_still_a_usage_error_that_ends_with_its_line(faces):
    path = f"{faces['dataroot_gt']}/5.png"
    with open(path, 'w') as file:
        file.write('no picture\n')
    with pytest.raises(UsageError) as caught:
        two_epochs(faces, num_worker_per_gpu=1)
    assert path in str(caught.value).strip().splitlines()[-1]
