"""Options that BasicSR accepts, and does something else with than one may think."""

from collections.abc import Mapping

from pkdn_basicsr.host.option_check.problems import Problems, section

_NEED_NO_METRICS = ('StyleGAN2Model', 'FaceParserModel')
_READ_SUFFIX = ('SRModel', 'SwinIRModel', 'SRGANModel', 'ESRGANModel', 'RealESRNetModel', 'RealESRGANModel',
                'HiFaceGANModel', 'VideoBaseModel', 'EDVRModel', 'VideoGANModel')
_NEED_A_LOSS = ('SRModel', 'SwinIRModel', 'RealESRNetModel', 'VideoBaseModel', 'EDVRModel', 'VideoRecurrentModel',
                'FaceSRModel', 'PKDNTeacherModel', 'FaceParserModel', 'DistillationModel')


def check_surprises(opt: Mapping, problems: Problems) -> None:
    """Check keys that go together.

    Args:
        opt: Options of a run, with `debug` set where the command line asks for it.
        problems: Where to note what fails late, and as warnings what works otherwise than one may think.
    """
    _check_validation(opt, problems)
    if opt['is_train']:
        _check_losses(opt, problems)
        _check_debug(opt, problems)
        _check_loggers(opt, problems)
    if 'save_img' in opt:
        problems.warn('save_img', 'is read by nothing here; val.save_img is')
    for phase, dataset_opt in section(opt, 'datasets').items():
        if isinstance(dataset_opt, Mapping) and dataset_opt.get('use_shuffle', True) is False:
            problems.warn(f'datasets.{phase}.use_shuffle', 'is read by nothing: training sets are always shuffled')


def _check_validation(opt: Mapping, problems: Problems) -> None:
    val_opt, model = section(opt, 'val'), opt.get('model_type')
    sets = [phase for phase in section(opt, 'datasets') if not opt['is_train'] or str(phase).startswith('val')]
    has_truth = any(section(opt, 'datasets', phase).get('dataroot_gt') for phase in sets)
    if sets and opt['is_train'] and opt.get('val') is None:
        problems.warn(f'datasets.{sets[0]}', 'is never looked at: BasicSR validates only where there is a section val '
                                             '(val_freq, save_img, metrics)')
    elif has_truth and val_opt and not val_opt.get('metrics') and model not in _NEED_NO_METRICS:
        problems.warn('val', 'has no metrics: nothing will be measured')
    if not opt['is_train'] and val_opt.get('save_img') and 'suffix' not in val_opt and model in _READ_SUFFIX:
        problems.error('val.suffix', f'is missing; {model} needs it to save pictures (~: the name of the run)')


def _check_losses(opt: Mapping, problems: Problems) -> None:
    train_opt = section(opt, 'train')
    if opt.get('model_type') in _NEED_A_LOSS and train_opt and not problems.has_errors('train') \
            and not train_opt.get('pixel_opt') and not train_opt.get('perceptual_opt'):
        problems.error('train.pixel_opt', f"{opt['model_type']} needs pixel_opt or perceptual_opt, found neither")


def _check_debug(opt: Mapping, problems: Problems) -> None:
    if 'debug' in str(opt.get('name')) and not opt.get('debug'):
        problems.warn('name', "contains 'debug': BasicSR then validates and saves every 8 iterations, prints every one "
                              'and writes no TensorBoard, whatever is set')


def _check_loggers(opt: Mapping, problems: Problems) -> None:
    logger_opt = section(opt, 'logger')
    if section(logger_opt, 'wandb').get('project') and not logger_opt.get('use_tb_logger'):
        problems.error('logger.use_tb_logger', 'expected true, since wandb mirrors what TensorBoard is given')
