"""The trained networks in this folder, by name."""

from pathlib import Path

from pkdn_basicsr.errors import MissingError, UsageError

STUDENTS: dict[str, str] = {
    'pkdn_student_small_x8': 'pkdn_student_small_x8-844cd242.safetensors',
    'pkdn_student_alone_long_small_x8': 'pkdn_student_alone_long_small_x8-b5e099b3.safetensors',
    'pkdn_student_alone_small_x8': 'pkdn_student_alone_small_x8-fec65a75.safetensors',
}
"""Name -> file of this folder. A name ends with the scale: `pkdn_student_x8`."""

TEACHERS: dict[str, str] = {
    'pkdn_teacher_small_x8': 'pkdn_teacher_small_x8-515ed892.safetensors',
}
"""The same of teachers, which need the true map: for `path.pretrain_network_*` and `compare` only."""


BASELINES: dict[str, str] = {
    'sparnet_small_x8': 'sparnet_small_x8-66a5339c.safetensors',
    'kdfsrnet_small_x8': 'kdfsrnet_small_x8-6c9720c0.safetensors',
    'edsr_small_x8': 'edsr_small_x8-f8daefe7.safetensors',
    'rcan_small_x8': 'rcan_small_x8-05386b61.safetensors',
    'sisn_small_x8': 'sisn_small_x8-cde2d4ed.safetensors',
    'swinir_light_small_x8': 'swinir_light_small_x8-a2df9fd7.safetensors',
    'sparnet_light_small_x8': 'sparnet_light_small_x8-b0d26997.safetensors',
    'srcnn_small_x8': 'srcnn_small_x8-66fe39fd.safetensors',
    'fsrnet_small_x8': 'fsrnet_small_x8-4a542b0f.safetensors',
    'sfmnet_small_x8': 'sfmnet_small_x8-6df67190.safetensors',
    'ctcnet_small_x8': 'ctcnet_small_x8-27d0970c.safetensors',
    'fishfsrnet_small_x8': 'fishfsrnet_small_x8-2f1b46e6.safetensors',
}
"""The same of networks that PKDN is compared with."""


def is_shipped(name: str | None) -> bool:
    """Whether it is the name of weights in this folder."""
    return name in STUDENTS | TEACHERS | BASELINES


def shipped_or_path(weights: str) -> str:
    """Return the file of shipped weights where it is their name, and else what was given."""
    file = (STUDENTS | TEACHERS | BASELINES).get(weights)
    return weights if file is None else str(Path(__file__).parent / file)


def shipped_weights(name: str | None = None, scale: int = 8) -> Path:
    """Return the file of a shipped network that takes the low-resolution face alone.

    Args:
        name: A key of `STUDENTS` or `BASELINES`. Default: the first student of that scale.
        scale: Enlargement; only looked at without a name.

    Raises:
        UsageError: There is none of that name or scale.

    Example:
        >>> shipped_weights().name  # the end of the name is that of the file's SHA-256
        'pkdn_student_small_x8-844cd242.safetensors'
    """
    if name is None:
        name = next((each for each in STUDENTS if each.endswith(f'_x{scale}')), None)
        if name is None:
            raise MissingError(f'no student for scale {scale} is shipped with this version'
                               f'{_there_are()}; give --weights FILE, such as net_g_latest.pth of a training run')
    if name in TEACHERS:
        raise UsageError(f'--weights: {name} is a teacher, which needs a parsing map beside the face; give a student'
                         f'{_there_are()}')
    if name not in STUDENTS | BASELINES:
        raise UsageError(f"--weights: there is no file '{name}' and no shipped network of that name{_there_are()}; "
                         'give a .safetensors or .pth file')
    return Path(__file__).parent / (STUDENTS | BASELINES)[name]


def _there_are() -> str:
    return f' (there are {", ".join(STUDENTS | BASELINES)})' if STUDENTS else ''
