"""Which feature of the student is compared with which of the teacher, and the adapters between unequal widths."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from pkdn_basicsr.errors import UsageError

Features = Mapping[str, Tensor]


def pair_levels(levels: Sequence[str] | Mapping[str, str] | None, student: Features,
                teacher: Features) -> dict[str, str]:
    """Resolve `feature_opt.levels`.

    Args:
        levels: Names that both networks have, or a mapping student: teacher; None = every name they share.
        student: The student's features, for their names and shapes.
        teacher: The teacher's.

    Returns:
        Student name -> teacher name.

    Raises:
        UsageError: A name that a network does not have, features of unequal height and width, or no level at all.
    """
    if levels is None:
        levels = [name for name in student if name in teacher]
        if not levels:
            raise UsageError(f'feature_opt.levels: student ({", ".join(student)}) and teacher ({", ".join(teacher)}) '
                             'share no feature name; give a mapping student: teacher')
    if isinstance(levels, str) or not levels:
        raise UsageError(f'feature_opt.levels: expected a list of names or a mapping student: teacher, found {levels!r}'
                         f'; the student has {", ".join(student)}')
    pairs = dict(levels) if isinstance(levels, Mapping) else {name: name for name in levels}
    for student_name, teacher_name in pairs.items():
        for role, name, features in (('student', student_name, student), ('teacher', teacher_name, teacher)):
            if name not in features:
                raise UsageError(f"feature_opt.levels: the {role} has no feature '{name}'; it has "
                                 f'{", ".join(features)}')
        student_size, teacher_size = student[student_name].shape[-2:], teacher[teacher_name].shape[-2:]
        if student_size != teacher_size:
            raise UsageError(f"feature_opt.levels: '{student_name}' of the student is {tuple(student_size)}, "
                             f"'{teacher_name}' of the teacher {tuple(teacher_size)}; pair features of equal size")
    return pairs


def make_adapters(pairs: Mapping[str, str], student: Features, teacher: Features) -> dict[str, nn.Module]:
    """Return a 1x1 convolution for every pair whose widths differ, by student name."""
    return {
        student_name: nn.Conv2d(student[student_name].shape[1], teacher[teacher_name].shape[1], 1)
        for student_name, teacher_name in pairs.items()
        if student[student_name].shape[1] != teacher[teacher_name].shape[1]
    }
