"""`basicsr check`: look at an option file and its data sets before a network is trained on them."""

import argparse
from pathlib import Path

from pkdn_basicsr.cli.arguments import between, positive
from pkdn_basicsr.files import make_result_folder
from pkdn_basicsr.host.option_check.kinds import check_kinds
from pkdn_basicsr.host.option_check.problems import Problems
from pkdn_basicsr.host.option_file import OptionFile
from pkdn_basicsr.host.options import check_option_file
from pkdn_basicsr.metrics.identity import NORMALIZATIONS
from pkdn_basicsr.report.check.check import Settings, check_data_sets, write_results
from pkdn_basicsr.report.check.finding import count
from pkdn_basicsr.report.check.report import findings_table, verdict
from pkdn_basicsr.report.check.sample import Identity


def run(arguments: list[str]) -> int:
    """Check an option file, as training or testing with it would, and its data sets.

    Writes `report.md`, `findings.csv`, `contact_<set>.png` and, where faces are concerned, lists of their names
    `<kind>_<set>.txt`, and prints how often there is what.

    Returns:
        0 without errors, 1 with, 130 when interrupted.
    """
    args = _parse(arguments)
    file = OptionFile(args.opt)
    file.refuse_faults()
    _refuse_wrong_kinds(file)
    folder = args.out or Path('results') / f'check_{file.opt.get("name") or Path(args.opt).stem}'
    make_result_folder(folder, '--out')
    identity = Identity(args.identity, args.detector, args.normalization) if args.identity else None
    settings = Settings(identity, args.same_person, args.faces, args.workers)
    try:
        summaries, findings = check_data_sets(file.opt, args.opt, settings)
        write_results(folder, args.opt, summaries, findings, settings)
    except KeyboardInterrupt:
        print('\ninterrupted; the results are not complete')
        return 130
    problems = _problems(file)
    for kind, lines in (('error', problems.error_lines()), ('warning', problems.warning_lines())):
        for line in lines:
            print(f'{kind}: {line}')
    about_sets = ''.join(f'{found.dataset}: {found.detail}\n' for found in findings if not found.file)
    print(f'\n{findings_table(findings)}\n{about_sets}{verdict(findings)}\nWritten to {folder.absolute()}: report.md, '
          'findings.csv, pictures of some faces and lists of names', flush=True)
    return 1 if count(findings, 'error') or problems.has_errors() else 0


def _refuse_wrong_kinds(file: OptionFile) -> None:
    """Stop at words for numbers and the like in the data sets, which could not be read; the rest is told in the end."""
    problems = Problems(file)
    check_kinds(file.opt, problems)
    if problems.has_errors('datasets'):
        problems.refuse()


def _problems(file: OptionFile) -> Problems:
    """Check the options of a run; an option file may also hold data sets alone."""
    return check_option_file(file, is_train='train' in file.opt) if 'model_type' in file.opt else Problems(file)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='basicsr check', description=__doc__, epilog='Exit status: 0 nothing found '
                                     'or warnings only, 1 errors found, 2 wrong usage.')
    parser.add_argument('-opt', required=True, help='option file with datasets')
    parser.add_argument('--out', type=Path, help='result folder (default: results/check_<name>, of the run or else of '
                        'the option file)')
    parser.add_argument('--faces', type=positive, default=24, help='faces on a contact sheet (default: %(default)s)')
    parser.add_argument('--workers', type=positive, help='processes at most (default: CPU cores, up to 8)')
    persons = parser.add_argument_group('persons', 'look for persons of the training set in the other sets')
    persons.add_argument('--identity', metavar='ONNX', help='face recognition network of the ArcFace kind')
    persons.add_argument('--detector', metavar='ONNX', help='YuNet face detector')
    persons.add_argument('--normalization', choices=list(NORMALIZATIONS), default='arcface',
                         help='what the recognition network was trained with (default: %(default)s)')
    persons.add_argument('--same-person', type=between(-1, 1), default=Settings.same_person, metavar='COSINE',
                         help='cosine from which two faces count as one person (default: %(default)s)')
    args = parser.parse_args(arguments)
    if bool(args.identity) != bool(args.detector):
        parser.error('give --identity and --detector together, or none of them')
    return args
