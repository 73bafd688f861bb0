# ruff: noqa: C408  (dict() is how OpenMMLab writes its files)
"""PKDN's student as a generator of MMagic 1.2, after its precedent for faces (configs/dic), without a teacher.

    python tools/train.py options/mmagic/pkdn_student_x8.py         (in MMagic, with pkdn_basicsr installed)

MMEngine finds `pkdn_basicsr.PKDNStudent` by itself; every other network of the package goes by its name as well. Faces,
batch, iterations and learning rate are those of options/pkdn_student.yml, without its random crop; the distillation
itself needs that file.

MMagic 1.2.0 wants mmcv below 2.2 and diffusers below 0.29; beside NumPy 2 delete the line `np.bool8: ...` of its
utils/trans_utils.py. Beside torch 2.6 or newer set TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 for its tools/test.py and for
`--resume`. Its checkpoints become weights for `basicsr infer` by

    saved = torch.load('iter_100000.pth', map_location='cpu', weights_only=False)['state_dict']
    torch.save({'params': {name.removeprefix('generator.'): value for name, value in saved.items()}}, 'student.pth')
"""

default_scope = 'mmagic'
experiment_name = 'pkdn_student_x8_celebamask_hq'
work_dir = f'./work_dirs/{experiment_name}'
scale = 8
gt_size = 128
iterations = 100_000

model = dict(
    type='BaseEditModel',
    generator=dict(
        type='pkdn_basicsr.PKDNStudent',
        scale=scale,
        num_feat=64,
        num_enc_blocks=[2, 6, 10],
        num_neck_blocks=12,
        num_dec_blocks=[10, 5, 0],
    ),
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    # the network takes RGB in [0, 1] without a mean; DIC's precedent subtracts one
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]),
)

read_and_shrink = [
    dict(type='LoadImageFromFile', key='gt', color_type='color', channel_order='rgb', imdecode_backend='cv2'),
    dict(type='Resize', keys=['gt'], scale=(gt_size, gt_size), interpolation='bicubic', backend='pillow'),
    dict(type='Resize', keys=['gt'], output_keys=['img'], scale=1 / scale, keep_ratio=True, interpolation='bicubic',
         backend='pillow'),
    dict(type='PackInputs'),
]
flip = dict(type='Flip', keys=['gt'], flip_ratio=0.5, direction='horizontal')
train_pipeline = [*read_and_shrink[:2], flip, *read_and_shrink[2:]]

faces = dict(
    type='BasicImageDataset',
    metainfo=dict(dataset_type='celebamask_hq', task_name='fsr'),
    data_root='datasets/celebamask_hq',
    data_prefix=dict(gt='images'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(ann_file='split_train.txt', pipeline=train_pipeline, **faces),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='split_val.txt', pipeline=read_and_shrink, **faces),
)
test_dataloader = val_dataloader

# luma without a border of 8 pixels, as protocol: dic
val_evaluator = [
    dict(type='PSNR', crop_border=8, convert_to='Y'),
    dict(type='SSIM', crop_border=8, convert_to='Y'),
]
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=iterations, val_interval=5000)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False, T_max=iterations, eta_min=1e-7)

default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=5000, by_epoch=False, save_optimizer=True),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
log_processor = dict(type='LogProcessor', window_size=100, by_epoch=False)
randomness = dict(seed=0)
