"""Checking all data sets of an option file: from the file to a folder of results."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from pkdn_basicsr.data.parsing_map_dataset import is_parsing_map_dataset
from pkdn_basicsr.data.prepare.parallel import default_workers, parallel_map
from pkdn_basicsr.errors import UsageError
from pkdn_basicsr.files import write_whole
from pkdn_basicsr.metrics.identity import check_identity
from pkdn_basicsr.report.check.contact_sheet import draw_contact_sheet
from pkdn_basicsr.report.check.finding import KINDS, Finding, findings_csv, in_order
from pkdn_basicsr.report.check.overlap import SAME_PERSON, find_overlap
from pkdn_basicsr.report.check.report import report_markdown
from pkdn_basicsr.report.check.sample import FaceFacts, Identity, Rules, look_at, rules_of
from pkdn_basicsr.report.check.set_files import FaceFiles, find_files
from pkdn_basicsr.report.check.similar import CORRELATION, HASH_DISTANCE
from pkdn_basicsr.report.check.summary import SetSummary

T = TypeVar('T')


@dataclass(frozen=True)
class Settings:
    """How to look.

    Attributes:
        identity: Networks to tell persons apart by; None to leave that out.
        same_person: Cosine from which two faces count as one person.
        faces: Faces on a contact sheet.
        workers: Processes at most; None for one a core, up to 8. Small sets are looked through in this process.
    """

    identity: Identity | None = None
    same_person: float = SAME_PERSON
    faces: int = 24
    workers: int | None = None


def check_data_sets(opt: dict, file: str, settings: Settings) -> tuple[list[SetSummary], list[Finding]]:
    """Look through every data set of an option file.

    Args:
        opt: The option file.
        file: Its path, for errors.
        settings: How to look.

    Returns:
        The sets that could be looked through, and everything that was found, errors first.

    Raises:
        UsageError: The option file has no data sets or no scale, or the networks for persons cannot be used.
    """
    datasets, scale = _datasets(opt, file)
    if settings.identity:
        check_identity(*settings.identity)
    summaries, findings = [], []
    for phase, dataset_opt in datasets.items():
        if not is_parsing_map_dataset(dataset_opt):
            findings.append(Finding('not_looked_into', phase, '', f'its type is {dataset_opt.get("type")}'))
            continue
        files, wrong = find_files(phase, dataset_opt, scale)
        if files is None:
            findings += wrong
        else:
            summary = SetSummary(files, wrong)
            _look_through(summary, settings)
            summaries.append(summary)
    for finding in find_overlap(summaries, settings.same_person):
        next(summary for summary in summaries if summary.phase == finding.dataset).findings.append(finding)
    return summaries, in_order([*findings, *(found for summary in summaries for found in summary.findings)])


def write_results(folder: Path, option_file: str, summaries: Sequence[SetSummary], findings: Sequence[Finding],
                  settings: Settings) -> None:
    """Write `report.md`, `findings.csv`, `contact_<set>.png` and lists of names `<kind>_<set>.txt`.

    Lists and pictures of these sets from an earlier check are removed.
    """
    _remove_old(folder, {finding.dataset for finding in findings} | {summary.phase for summary in summaries})
    lists = {}
    for summary in summaries:
        for kind, names in _names_by_kind(summary).items():
            lists[kind, summary.phase] = f'{kind}_{summary.phase}.txt'
            write_whole(folder / lists[kind, summary.phase], ''.join(f'{name}\n' for name in names))
        if summary.faces:
            png = io.BytesIO()
            draw_contact_sheet(summary, settings.faces).save(png, 'PNG')
            write_whole(folder / f'contact_{summary.phase}.png', png.getvalue())
    write_whole(folder / 'findings.csv', findings_csv(findings))
    write_whole(folder / 'report.md', report_markdown(option_file, summaries, findings, lists, _notes(settings)))


def _datasets(opt: dict, file: str) -> tuple[dict[str, dict], int]:
    datasets, scale = opt.get('datasets'), opt.get('scale')
    if not isinstance(datasets, dict) or not datasets:
        raise UsageError(f'{file}: datasets: expected train, val or test with their options, found {datasets!r}')
    if not isinstance(scale, int) or scale < 1:
        raise UsageError(f'{file}: expected a whole number as scale, found {scale!r}')
    for phase, dataset_opt in datasets.items():
        if not isinstance(dataset_opt, dict):
            raise UsageError(f'{file}: datasets.{phase} must hold keys and values, found {dataset_opt!r}')
    return {str(phase): dict(dataset_opt) for phase, dataset_opt in datasets.items()}, scale


def _look_through(summary: SetSummary, settings: Settings) -> None:
    faces = summary.files.faces
    look = partial(_look_numbered, rules_of(summary.files, settings.identity))
    workers = settings.workers or default_workers()
    with parallel_map(look, enumerate(faces), len(faces), workers) as found:
        for facts in tqdm(in_turn(found), f'checking {summary.phase}', total=len(faces), unit='face'):
            summary.add(facts)
    summary.note_absent_classes()


def _look_numbered(rules: Rules, numbered: tuple[int, FaceFiles]) -> tuple[int, FaceFacts]:
    number, face = numbered
    return number, look_at(rules, face)


def in_turn(numbered: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Yield things numbered 0, 1, ... in the order of their numbers; the early ones wait."""
    early: dict[int, T] = {}
    turn = 0
    for number, thing in numbered:
        early[number] = thing
        while turn in early:
            yield early.pop(turn)
            turn += 1


def _remove_old(folder: Path, phases: Iterable[str]) -> None:
    for phase in phases:
        for name in (f'contact_{phase}.png', *(f'{kind}_{phase}.txt' for kind in KINDS)):
            (folder / name).unlink(missing_ok=True)


def _names_by_kind(summary: SetSummary) -> dict[str, dict[str, None]]:
    """Return the file names of the faces that each kind was found in, each once, in order.

    With their suffixes, since lists of names cut a name without one at its first space.
    """
    suffixes = {face.name: Path(face.gt).suffix for face in summary.files.faces}
    names: dict[str, dict[str, None]] = {}
    for finding in summary.findings:
        if finding.name:
            names.setdefault(finding.kind, {})[finding.name + suffixes[finding.name]] = None
    return names


def _notes(settings: Settings) -> list[str]:
    notes = ['files are read as in training: what is bad here stops it, what is not does not',
             f'near duplicates: difference hashes that differ in at most {HASH_DISTANCE} of 64 bits, and thumbnails of '
             f'16x16 pixels that correlate by at least {CORRELATION}; mirrored copies and much tighter crops are not '
             'found',
             "sides: the mean x of the subject's left eye (brow) must be larger than that of the right one"]
    if settings.identity:
        notes.append(f'persons: cosine of at least {settings.same_person} between embeddings of '
                     f'{Path(settings.identity.embedder).name} ({settings.identity.normalization}); a lower one finds '
                     'more and errs more')
    else:
        notes.append('persons were not compared: give --identity and --detector')
    return notes
