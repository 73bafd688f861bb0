"""Which files a data set consists of, found without stopping at the first that is missing."""

import copy
import os
from dataclasses import dataclass

from basicsr.utils.registry import DATASET_REGISTRY

from pkdn_basicsr.data.dataset_options import ROOTS, check_options, storage_backend, stored_scheme
from pkdn_basicsr.data.pairing import exclude, read_name_list, select
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.report.check.finding import Finding
from pkdn_basicsr.report.check.source import Source

_PARTNERS = {'dataroot_lq': 'missing_lq', 'dataroot_parsing': 'missing_map'}


@dataclass(frozen=True)
class FaceFiles:
    """The files of one face.

    Attributes:
        name: Path below `dataroot_gt` without suffix.
        gt: The image.
        lq: The stored low-resolution image; None where it is missing or the set has none.
        parsing: The same of the parsing map.
    """

    name: str
    gt: str
    lq: str | None
    parsing: str | None


@dataclass(frozen=True)
class SetFiles:
    """A data set's files.

    Attributes:
        phase: Its key in `datasets`.
        opt: Its options as the data set would get them.
        sources: `dataroot_gt`, and `dataroot_lq` and `dataroot_parsing` where it has them -> where the files lie.
        faces: Its faces.
    """

    phase: str
    opt: dict
    sources: dict[str, Source]
    faces: tuple[FaceFiles, ...]


def find_files(phase: str, dataset_opt: dict, scale: int) -> tuple[SetFiles | None, list[Finding]]:
    """Match images, low-resolution files and maps by name.

    Args:
        phase: The set's key in `datasets`.
        dataset_opt: Its options.
        scale: Enlargement.

    Returns:
        The set (None where its options, a folder or a list make it unusable), and what is wrong with it.
    """
    opt = {**dataset_opt, 'phase': phase.split('_')[0], 'scale': scale}
    opt.setdefault('name', phase)
    try:
        check_options(opt)
        stored_scheme(opt)
        sources = {option: Source(opt[option], option, storage_backend(opt)) for option in ROOTS
                   if opt.get(option) is not None}
        files = {option: source.store().index() for option, source in sources.items()}
        images = files['dataroot_gt']
        names, findings = _chosen(phase, opt, sources['dataroot_gt'], images)
        for option, kind in _PARTNERS.items():
            if option in files:
                findings += [Finding(kind, phase, images[name], f'nothing of the name {name} in {opt[option]}', name)
                             for name in names if name not in files[option]]
        if not findings:
            DATASET_REGISTRY.get(opt['type'])(copy.deepcopy(opt))  # whatever else it asks for
    except UsageError as error:
        return None, [Finding('set', phase, '', str(error))]
    lq, parsing = (files.get(option, {}) for option in _PARTNERS)
    faces = tuple(FaceFiles(name, images[name], lq.get(name), parsing.get(name)) for name in names)
    return SetFiles(phase, opt, sources, faces), findings


def _chosen(phase: str, opt: dict, source: Source, images: dict[str, str]) -> tuple[list[str], list[Finding]]:
    """Apply the lists of names to use and to leave out; listed names without image are findings."""
    names, findings = list(images), []
    for option in ('meta_info_file', 'split_file'):
        if opt.get(option):
            wanted = _read_list(opt, option, source)
            names = select(images, [name for name in wanted if name in images], option)
            findings = [Finding('missing_image', phase, name, f'listed in {opt[option]}')
                        for name in dict.fromkeys(wanted) if name not in images]
    if opt.get('exclude_file'):
        excluded = _read_list(opt, 'exclude_file', source)
        names = exclude(names, excluded)
        if unknown := [name for name in excluded if name not in images]:
            findings.append(Finding('unknown_excluded', phase, '', f'{len(unknown)} of {len(excluded)} names in '
                                    f'{opt["exclude_file"]} are no image of dataroot_gt, the first is {unknown[0]}'))
    return names, findings


def _read_list(opt: dict, option: str, source: Source) -> list[str]:
    return [source.store().key_of(name) for name in read_name_list(os.path.expanduser(opt[option]), option)]
