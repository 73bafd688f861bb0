"""What of this package goes where in BasicSR, and what has to be said differently there.

Patterns are regular expressions. One that is not found any more is an error, so that the table cannot rot in silence.
"""

MODULES = {
    'archs.pkdn_arch': 'basicsr/archs/pkdn_arch.py',
    'archs.layers': 'basicsr/archs/pkdn_util.py',
    'archs.pkdn_blocks': 'basicsr/archs/pkdn_util.py',
    'data.parsing_map_dataset': 'basicsr/data/parsing_map_dataset.py',
    'data.parsing_labels': 'basicsr/data/parsing_labels.py',
    'data.crop': 'basicsr/data/parsing_map_util.py',
    'data.degradation': 'basicsr/data/parsing_map_util.py',
    'data.pairing': 'basicsr/data/parsing_map_util.py',
    'data.picture': 'basicsr/data/parsing_map_util.py',
    'data.lmdb_file': 'basicsr/data/parsing_map_util.py',
    'data.storage': 'basicsr/data/parsing_map_util.py',
    'data.dataset_options': 'basicsr/data/parsing_map_util.py',
    'losses.distillation_loss': 'basicsr/losses/distillation_loss.py',
    'losses.loss_schedule': 'basicsr/models/distillation_util.py',
    'models.scheduled_loss': 'basicsr/models/distillation_util.py',
    'models.feature_levels': 'basicsr/models/distillation_util.py',
    'models.student_with_adapters': 'basicsr/models/distillation_util.py',
    'models.prior': 'basicsr/models/distillation_util.py',
    'models.distillation_model': 'basicsr/models/distillation_model.py',
    'models.pkdn_teacher_model': 'basicsr/models/pkdn_teacher_model.py',
}
"""Module of ours -> file of BasicSR. BasicSR imports `*_arch`, `*_dataset`, `*_loss` and `*_model` by itself."""

PARTS = {'data.lmdb_file': 'parts/lmdb_file.py'}
"""Modules for which the patch has a shorter one, because BasicSR does most of it."""

DOCSTRINGS = {
    'basicsr/archs/pkdn_util.py': 'The blocks of PKDN. Their insides are our choice, where no source is named.',
    'basicsr/data/parsing_map_util.py': 'What a `ParsingMapDataset` needs: options, files, pictures and crops.',
    'basicsr/models/distillation_util.py': 'What a `DistillationModel` needs: schedules, feature levels, adapters and '
                                           'the prior.',
}

EVERYWHERE = (
    (r'^from pkdn_basicsr\.errors import UsageError\n', ''),
    (r'\bUsageError\b', 'ValueError'),
    (r'^from pkdn_basicsr\.models\.face_sr_model import FaceSRModel',
     'from basicsr.models.loss_dict_model import LossDictModel'),
    (r'\bFaceSRModel\b', 'LossDictModel'),
    (r'\b[Tt]he host\b', 'BasicSR'),
    (r'\bbasicsr train -opt options/pkdn_(\w+)\.yml', r'basicsr/train.py -opt options/train/PKDN/train_pkdn_\1.yml'),
    (r'\bbasicsr train -opt', 'basicsr/train.py -opt'),
    (r'options/pkdn_(\w+)\.yml', r'options/train/PKDN/train_pkdn_\1.yml'),
)
"""Done in every file, where found."""

LEFT_OUT = {
    'models.distillation_model': ('DistillationModel.trained_module',),
    'data.parsing_map_dataset': ('ParsingMapDataset.check', 'ParsingMapDataset.rng'),
    'data.parsing_labels': ('ParsingScheme.palette',),
}
"""Methods that serve other parts of this package only."""

_NO_CACHE = (
    (r'^(from functools import.*)\bcache\b', r'\1lru_cache'),
    (r'^@cache$', '@lru_cache(maxsize=None)'),
)

EDITS = {
    # the network lies in memory as torch has it; BasicSR has no such option
    'models.distillation_model': (
        (r', memory_format=self\.step_options\.memory_format', ''),
        (r'^        LossDictModel\.check\(opt\)\n', ''),
        (r'Check before a run the options of `LossDictModel`, (and )?', 'Check '),
        # BasicSR sets every option whose name begins with param_key to `params` when it resumes
        (r'\(with `param_key_t`', '(`param_key_t`'),
        (r'param_key_t\b', 'teacher_param_key'),
    ),
    # without our sampler an index does not tell its epoch; torch seeds workers anew in every epoch, numpy's are not
    'data.parsing_map_dataset': (
        (r'^        rng = self\.rng\(index\)\n',
         '        # not from random or numpy, which BasicSR seeds alike at the beginning of every epoch\n'
         '        rng = np.random.default_rng(torch.randint(2**63 - 1, ()).item())\n'),
        (r'^        self\.seed = .*\n', ''),
        (r' A training sample depends on \(`manual_seed`,\s+epoch, index\) alone, never on workers or ranks\.', ''),
        (r'An `int`; in training a `SampleIndex`, whose epoch and draw decide on the augmentation\.',
         'Number of the sample.'),
        (r'phase, scale, manual_seed: Set by BasicSR and by `host/options\.py`\.', 'phase, scale: Set by BasicSR.'),
        (r' \(`data/lmdb_file\.py`\)', ''),
        (r'^ +on_bad_file: .*\n', ''),
    ),
    # BasicSR's own data sets take options that they do not know
    'data.dataset_options': ((r'^    _check_names\(opt, where\)\n', ''), (r'unknown, missing, out', 'out')),
    # Python 3.8
    'data.storage': (
        (r"path\.removeprefix\(self\._below\)\.removesuffix\('\.png'\)", "path[len(self._below):-len('.png')]"),
        (r',? or (the LMDB is )?damaged', ''),
    ),
    'data.parsing_labels': _NO_CACHE,
    'data.lmdb_file': _NO_CACHE,
}
"""Done in one module, after `EVERYWHERE`."""

_HEADER = (
    (r'#   basicsr/train\.py', '#   python basicsr/train.py'),
    (r'-m pkdn_basicsr train -opt', 'basicsr/train.py -opt'),
)
_METRICS = (
    (r'^  save_best:.*\n', ''),
    (r'^  panels:.*\n', ''),
    (r'calculate_protocol_(psnr|ssim)\n +protocol: dic.*', r'calculate_\1\n      crop_border: 8\n'
                                                            r'      test_y_channel: true'),
    (r'^    lpips:.*\n(?:      .*\n)+', ''),
)

OPTIONS = {
    'options/pkdn_teacher.yml': ('options/train/PKDN/train_pkdn_teacher.yml', (
        *_HEADER, *_METRICS, (r'; README: what is ours', '; docs/PKDN.md: what is ours'))),
    'options/pkdn_student.yml': ('options/train/PKDN/train_pkdn_student.yml', (
        *_HEADER, *_METRICS,
        (r'^  param_key_t: (\w+)\n', r'  teacher_param_key: \1\n'
                                     r'  ignore_resume_networks: [network_t]  # resuming loads network_g alone\n'))),
}
"""Option file of ours -> file of BasicSR, and its edits."""

FOREIGN = (r'\bpkdn_basicsr', r'\bhost\b', r'UsageError', r'step_options', r'SampleIndex', r'on_bad_file',
           r'calculate_protocol', r'\bbasicsr (train|test|prepare|check)\b')
"""Words that mean nothing in BasicSR; a file that still has one is an error."""
