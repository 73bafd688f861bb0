"""What was found, in words: a Markdown report and the few lines that the command prints."""

from collections.abc import Mapping, Sequence

from pkdn_basicsr.report.check.finding import KINDS, Finding, count
from pkdn_basicsr.report.check.summary import SetSummary
from pkdn_basicsr.report.table import markdown_table

_NAMED = 5


def verdict(findings: Sequence[Finding]) -> str:
    """Return the result in one line."""
    errors, warnings = (count(findings, severity) for severity in ('error', 'warning'))
    return f'{_number(errors, "error")}, {_number(warnings, "warning")}' if findings else 'nothing found'


def findings_table(findings: Sequence[Finding]) -> str:
    """Return how often each kind was found in each set; empty where nothing was found."""
    if not findings:
        return ''
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        key = finding.kind, finding.dataset
        counts[key] = counts.get(key, 0) + 1
    rows = [[KINDS[kind].title, KINDS[kind].severity, dataset, f'{number:,}']
            for (kind, dataset), number in counts.items()]
    return markdown_table(['what', 'severity', 'set', 'number'], rows)


def report_markdown(option_file: str, summaries: Sequence[SetSummary], findings: Sequence[Finding],
                    lists: Mapping[tuple[str, str], str], notes: Sequence[str]) -> str:
    """Lay out the whole report.

    Args:
        option_file: The file that names the sets.
        summaries: The sets that could be looked through.
        findings: Everything that was found, errors first.
        lists: (kind, set) -> file with the names of the faces concerned.
        notes: Lines about how things were looked for.
    """
    parts = [f'# Data sets of {option_file}\n', f'{verdict(findings).capitalize()}.\n']
    if findings:
        parts += [findings_table(findings), '## Findings\n', *_kinds(findings, lists)]
    parts += [text for summary in summaries for text in _set(summary)]
    parts += ['## How it was looked for\n', '\n'.join(f'- {note}' for note in notes) + '\n']
    return '\n'.join(parts)


def _kinds(findings: Sequence[Finding], lists: Mapping[tuple[str, str], str]) -> list[str]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.dataset), []).append(finding)
    parts = []
    for (kind, dataset), group in groups.items():
        parts.append(f'### {KINDS[kind].severity}: {KINDS[kind].title} ({dataset}, {len(group):,})\n')
        parts.append(f'{KINDS[kind].advice[0].upper()}{KINDS[kind].advice[1:]}.\n')
        lines = [f'- {_code(finding.file)}{finding.detail}' for finding in group[:_NAMED]]
        if len(group) > _NAMED:
            lines.append(f'- ... and {len(group) - _NAMED:,} more in findings.csv')
        if (kind, dataset) in lists:
            lines.append(f'- names, one a line, as `exclude_file` takes them: {lists[kind, dataset]}')
        parts.append('\n'.join(lines) + '\n')
    return parts


def _set(summary: SetSummary) -> list[str]:
    parts = [f'## {summary.phase}: {summary.files.opt["name"]}\n',
             f'{len(summary.files.faces):,} faces, of which {len(summary.faces):,} images could be read.\n']
    if summary.sizes:
        parts.append(_sizes(summary))
    if summary.bicubic or summary.ways:
        parts.append(_low_resolution(summary))
    if summary.maps:
        parts += [_sides(summary), _classes(summary)]
    if summary.faces:
        parts.append(f'![some faces of {summary.phase}](contact_{summary.phase}.png)\n')
    return parts


def _sizes(summary: SetSummary) -> str:
    rows = []
    for what, sizes in summary.sizes.items():
        rows += [[what, f'{width}x{height}', f'{number:,}'] for (width, height), number in sizes.most_common(_NAMED)]
        rest = len(sizes) - _NAMED
        if rest > 0:
            others = sizes.total() - sum(number for _, number in sizes.most_common(_NAMED))
            rows.append([what, f'{rest:,} other sizes', f'{others:,}'])
    return markdown_table(['file', 'pixels', 'number'], rows)


def _low_resolution(summary: SetSummary) -> str:
    compared = summary.bicubic + summary.ways.total()
    text = f'{summary.bicubic:,} of {compared:,} low-resolution files are PIL bicubic of their images to the last bit.'
    if summary.ways:
        text += ' The others look like: ' + ', '.join(f'{way} {number:,}' for way, number in summary.ways.most_common())
        text += '.'
    return f'{text}\n'


def _sides(summary: SetSummary) -> str:
    lines = []
    for pair, (both, swapped) in summary.pairs.items():
        lines.append(f'{both:,} of {summary.maps:,} maps have both {pair}, {swapped:,} of them with left and right '
                     'swapped.')
        if 2 * swapped > both:
            lines.append("That is most of them: the maps' left is probably the image's left; relabel all "
                         '(swap_left_right).')
    return ' '.join(lines or ['No map has both eyes or both brows.']) + '\n'


def _classes(summary: SetSummary) -> str:
    return markdown_table([f'class ({summary.scheme.name})', '% of pixels', 'maps', '% of maps'], [
        [name, f'{100 * share:.2f}', f'{maps:,}', f'{100 * maps / summary.maps:.1f}']
        for name, share, maps in summary.class_shares()])


def _code(file: str) -> str:
    return f'`{file}`: ' if file else ''


def _number(number: int, noun: str) -> str:
    return f'{number:,} {noun}{"s" * (number != 1)}'
