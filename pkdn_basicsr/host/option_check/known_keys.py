"""Which keys BasicSR 1.4.2 and this package read from an option file; classes that take whole sections cannot tell.

Networks, losses, metrics, optimizers and schedulers are not here: their signatures tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """The keys of a section, or, as `section.key`, of the whole file.

    Attributes:
        needed: Keys without which the host fails.
        optional: The others that are read.
        trained: Keys without which training fails.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    @property
    def all(self) -> set[str]:
        """Every key that is read."""
        return {*self.needed, *self.trained, *self.optional}

    def plus(self, *optional: str, needed: tuple[str, ...] = (), trained: tuple[str, ...] = ()) -> 'Keys':
        """Return these keys and some more."""
        return Keys(self.needed + needed, self.optional + optional, self.trained + trained)


def of_class(table: Mapping[str, Keys], cls: type) -> tuple[Keys, bool]:
    """Return the keys of a class or of its nearest ancestor in a table, and whether they are all that it reads."""
    for ancestor in cls.__mro__:
        if ancestor.__name__ in table and _is_ours(ancestor):
            return table[ancestor.__name__], ancestor is cls or _is_ours(cls)
    return Keys(), False


def of_any(table: Mapping[str, Keys]) -> set[str]:
    """Return what any class of a table reads."""
    return set().union(*(keys.all for keys in table.values()))


def _is_ours(cls: type) -> bool:
    return cls.__module__.startswith(('basicsr.', 'pkdn_basicsr.'))


# whole files

FILE = Keys(
    needed=('name', 'model_type', 'num_gpu', 'datasets', 'path'),
    trained=('train', 'logger', 'datasets.train', 'train.total_iter', 'logger.print_freq',
             'logger.save_checkpoint_freq', 'logger.use_tb_logger'),
    optional=('scale', 'manual_seed', 'val', 'dist_params', 'find_unused_parameters', 'static_graph',
              'save_img', 'train.warmup_iter', 'val.val_freq', 'val.save_img', 'val.suffix', 'val.metrics',
              'logger.wandb', 'logger.keep_last'))
"""What the pipelines read, whatever the model; `save_img` stands in a published file, and is read by nothing."""

PATHS = ('resume_state', 'ignore_resume_networks', 'experiments_root', 'results_root')
"""Keys of `path` beside those of a network."""

PATHS_OF_NETWORK = ('pretrain_network', 'param_key', 'strict_load')
"""Keys of `path` that end in `_<letter>` of a `network_<letter>`."""

DIST_PARAMS = ('backend', 'port')
WANDB = ('project', 'resume_id')

_SR = Keys(('network_g',), ('train.ema_decay', 'train.pixel_opt', 'train.perceptual_opt', 'val.pbar'),
           ('scale', 'train.optim_g', 'train.scheduler'))
_GAN = _SR.plus('train.net_d_iters', 'train.net_d_init_iters', 'train.ldl_opt',
                trained=('network_d', 'train.optim_d', 'train.gan_opt'))
_VIDEO = _SR.plus(needed=('val.metrics',))
_RECURRENT = _VIDEO.plus('train.flow_lr_mul', 'train.fix_flow', 'val.flip_seq', 'val.center_frame_only')
DEGRADATION = ('gt_size', 'gt_usm', 'second_blur_prob', *(f'{key}{order}' for order in ('', '2') for key in (
    'resize_prob', 'resize_range', 'gaussian_noise_prob', 'noise_range', 'poisson_scale_range', 'gray_noise_prob',
    'jpeg_range')))
"""What the models of Real-ESRGAN read unless `high_order_degradation` is false."""

_USM = ('l1_gt_usm', 'percep_gt_usm', 'gan_gt_usm')
_OF_STEP = ('train.amp', 'train.channels_last', 'train.compile', 'train.grad_clip', 'train.accumulate',
            'train.activation_checkpointing')
_STEP = _SR.plus(*_OF_STEP)
_FACE = _STEP.plus('val.save_best', 'val.panels')

MODELS = {
    'SRModel': _SR,
    'SwinIRModel': _SR,
    'SRGANModel': _GAN,
    'ESRGANModel': _GAN,
    'RealESRNetModel': _SR.plus('queue_size', 'high_order_degradation', trained=DEGRADATION),
    'RealESRGANModel': _GAN.plus('queue_size', 'high_order_degradation', trained=(
        *(key for key in DEGRADATION if key != 'gt_usm'), *_USM)),
    'HiFaceGANModel': _GAN.plus('train.feature_matching_opt'),
    'StyleGAN2Model': Keys(
        needed=('network_g',),
        trained=('network_d', 'train.scheduler', 'train.optim_g', 'train.optim_d', 'train.gan_opt',
                 'train.r1_reg_weight', 'train.path_reg_weight', 'train.path_batch_shrink', 'train.net_g_reg_every',
                 'train.net_d_reg_every', 'train.mixing_prob'),
        # the last two are in its published option files, and read by nothing
        optional=('val.num_val_samples', 'train.net_d_iters', 'train.net_d_init_iters')),
    'VideoBaseModel': _VIDEO,
    'EDVRModel': _VIDEO.plus('train.tsa_iter', 'train.dcn_lr_mul'),
    'VideoGANModel': _GAN.plus(needed=('val.metrics',)),
    'VideoRecurrentModel': _RECURRENT,
    'VideoRecurrentGANModel': _RECURRENT.plus(
        'train.lr_flow', 'train.net_d_iters', 'train.net_d_init_iters',
        trained=('network_d', 'train.optim_d', 'train.gan_opt', 'train.fix_flow')),
    'LossDictModel': _STEP,
    'FaceSRModel': _FACE,
    'PKDNTeacherModel': _FACE,
    'FaceParserModel': Keys(('network_g',), ('train.ema_decay', *_OF_STEP),
                            ('scale', 'train.optim_g', 'train.scheduler', 'train.pixel_opt')),
    'MultiOutputModel': _FACE.plus(trained=('train.output_losses',)),
    'DistillationModel': _FACE.plus('train.feature_opt', 'train.soft_opt', 'train.begin_as_teacher',
                                    trained=('network_t',)),
}
"""What a model reads beyond `FILE`."""

# datasets.<phase>

LOADER = Keys(
    needed=('name', 'type'),
    trained=('batch_size_per_gpu', 'num_worker_per_gpu'),
    optional=('phase', 'scale', 'manual_seed', 'dataset_enlarge_ratio', 'prefetch_mode', 'num_prefetch_queue',
              'pin_memory', 'persistent_workers', 'on_bad_file', 'use_shuffle'))
"""What pipelines and loaders read; `use_shuffle` is in every published option file, and read by nothing."""

IO_BACKEND = {
    'disk': Keys(('type',)),
    'lmdb': Keys(('type',), ('db_paths', 'client_keys', 'readonly', 'lock', 'readahead')),
    'memcached': Keys(('type', 'server_list_cfg', 'client_cfg'), ('sys_path',)),
}

_PAIRED = Keys(('dataroot_gt', 'dataroot_lq', 'io_backend'), ('filename_tmpl', 'mean', 'std'),
               ('gt_size', 'use_hflip', 'use_rot'))
_CLIPS = Keys(('dataroot_gt', 'dataroot_lq', 'meta_info_file', 'io_backend', 'num_frame', 'random_reverse'),
              trained=('gt_size', 'use_hflip', 'use_rot'))
_REDS = _CLIPS.plus(needed=('val_partition',))
_VIDEO_TEST = Keys(('dataroot_gt', 'dataroot_lq', 'io_backend', 'cache_data', 'num_frame', 'padding'),
                   ('meta_info_file',))
_BLUR = tuple(f'{key}{order}' for order in ('', '2') for key in (
    'blur_kernel_size', 'kernel_list', 'kernel_prob', 'blur_sigma', 'betag_range', 'betap_range', 'sinc_prob'))
_FACES = Keys(('dataroot_gt',), (
    'dataroot_lq', 'dataroot_parsing', 'parsing_scheme', 'convert_parsing_to', 'meta_info_file', 'split_file',
    'exclude_file', 'io_backend', 'crop_range', 'val_crop', 'use_hflip', 'map_dropout'), ('gt_size',))

DATASETS = {
    'PairedImageDataset': _PAIRED.plus('meta_info_file', 'color'),
    'SingleImageDataset': Keys(('dataroot_lq', 'io_backend'), ('meta_info_file', 'mean', 'std', 'color')),
    'FFHQDataset': Keys(('dataroot_gt', 'io_backend', 'use_hflip', 'mean', 'std')),
    'RealESRGANDataset': Keys(('dataroot_gt', 'io_backend', 'use_hflip', 'use_rot', *_BLUR, 'final_sinc_prob'),
                              ('meta_info', 'gt_size')),  # the latter stands in its published option files
    'RealESRGANPairedDataset': _PAIRED.plus('meta_info'),
    'REDSDataset': _REDS.plus(needed=('dataroot_flow', 'interval_list')),
    # the published option files of the recurrent ones have a dataroot_flow or interval_list, which nothing reads
    'REDSRecurrentDataset': _REDS.plus('interval_list', 'dataroot_flow', needed=('test_mode',)),
    'Vimeo90KDataset': _CLIPS,
    'Vimeo90KRecurrentDataset': _CLIPS.plus('interval_list', needed=('flip_sequence',)),
    'VideoTestDataset': _VIDEO_TEST,
    'VideoTestVimeo90KDataset': Keys(('dataroot_gt', 'dataroot_lq', 'meta_info_file', 'io_backend', 'cache_data',
                                      'num_frame'), ('padding',)),
    'VideoTestDUFDataset': _VIDEO_TEST.plus(needed=('use_duf_downsampling',)),
    'VideoRecurrentTestDataset': Keys(_VIDEO_TEST.needed[:-1], ('padding', 'meta_info_file')),
    'ParsingMapDataset': _FACES,
    'VariedFaceDataset': _FACES,
}
"""What a data set reads beyond `LOADER`."""
