"""Run every command in the documents on toy faces, or account for it; follow links; look for the files they name.

    bash scripts/check_docs.sh [DOCUMENT ...]

check_docs_table.py says what runs for which command; one that no rule knows is an error. All of it happens in a
temporary folder with copies of options/ and scripts/. Blocks are commands, Python, YAML, or prose as in the table.
"""

import fnmatch
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from textwrap import shorten

import yaml
from check_docs_table import DOCUMENTS, ELSEWHERE, PLACEHOLDERS, PROSE, ROOT, RULES, SETUP
from markdown_it import MarkdownIt
from markdown_it.token import Token

PROGRAMS = ('basicsr', 'bash', 'cp', 'git', 'ln', 'ls', 'pip', 'python', 'sed', 'srun', 'ssh', 'tar', 'torchrun')
FILE_NAME = re.compile(
    r'(?:options|scripts|tests|pkdn_basicsr)/(?:[\w./*-]|\{[\w,]+\})*|(?:[\w./*-]|\{[\w,]+\})+\.(?:yml|py|sh|md)\b')


def main(names: Sequence[str]) -> int:
    """Check documents, by default all; print a line for each command and each broken link; 1 if anything is wrong."""
    paths = [ROOT / name for name in names] or [path for name in DOCUMENTS for path in sorted(ROOT.glob(name))]
    documents = {path.relative_to(ROOT).as_posix(): parse(path) for path in paths}
    wrong = [f'WRONG    {name}:{line}: {problem}' for name, tokens in documents.items()
             for line, problem in (*broken_links(ROOT / name, tokens), *missing_files(tokens))]
    for line in wrong:
        print(line)
    with tempfile.TemporaryDirectory() as folder:
        failed = run_commands(documents, Path(folder))
    print(f'{len(documents)} documents: {failed} commands failed, {len(wrong)} links or file names lead nowhere')
    return 1 if failed or wrong else 0


def parse(path: Path) -> list[Token]:
    """Return the blocks of a document."""
    return MarkdownIt('commonmark').enable('table').parse(path.read_text(encoding='utf-8'))


def commands(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield line and text of every command, in blocks and within the text; Python as a here-document."""
    for token in tokens:
        if token.type in ('code_block', 'fence'):
            yield from _commands_of_block(token.map[0] + 1 + (token.type == 'fence'), token.content)
        for code in _inline_code(token):
            program, *arguments = code.split() or ['']
            if program in PROGRAMS and arguments:
                yield token.map[0] + 1, ' '.join([program, *arguments])


def _commands_of_block(first: int, content: str) -> Iterator[tuple[int, str]]:
    lines = [line for line in content.splitlines() if line.strip() and not line.startswith('#')]
    word = lines[0].split()[0] if lines else ''
    if word in PROGRAMS:
        for found in re.finditer(r'(?:.*\\\n)*.+', content):
            command = re.sub(r'(^|\s+)#.*', '', ' '.join(found.group().replace('\\\n', ' ').split()))
            if command:
                yield first + content.count('\n', 0, found.start()), command
    elif word in ('from', 'import'):
        yield first, f"python - <<'END'\n{content}END"
    elif not content.startswith(PROSE) and not _is_yaml(content):
        yield first, content  # which no rule knows


def _is_yaml(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), Mapping)
    except yaml.YAMLError:
        return False


def resolve(command: str) -> tuple[str, str] | None:
    """Return what is run for a command and why it is not the command itself; None for one that no rule knows."""
    for rule in RULES:
        if match := re.fullmatch(rule.pattern, command, re.DOTALL):
            run = match.expand(rule.instead)
            for words, values in PLACEHOLDERS.items():
                run = re.sub(rf'{words}\b', values, run)
            return run, rule.not_run
    return None


def run_commands(documents: Mapping[str, Sequence[Token]], folder: Path) -> int:
    """Run what stands for the commands of all documents; return how many failed or are not known."""
    for name in ('options', 'scripts'):
        shutil.copytree(ROOT / name, folder / name)
    error = _run(SETUP, folder)
    if error:
        print(f'FAILED   what the commands need could not be made\n{error}')
        return 1
    failed = 0
    run_once = cache(partial(_run, folder=folder))
    for name, tokens in documents.items():
        for line, command in commands(tokens):
            verdict, remark = _judge(command, run_once)
            failed += verdict in ('UNKNOWN', 'FAILED')
            print(f'{verdict:8} {name}:{line}: {shorten(command, 160)}{remark}', flush=True)
    return failed


def _judge(command: str, run: Callable[[str], str]) -> tuple[str, str]:
    """Return what became of a command, and what is to be said of that."""
    known = resolve(command)
    if known is None:
        return 'UNKNOWN', ': add a rule to scripts/check_docs_table.py'
    instead, reason = known
    remark = f' ({reason}; instead: {instead})' if reason else ''
    if error := run(instead):
        return 'FAILED', f'{remark}: {instead}\n{error}'
    return 'not run' if reason else 'ok', remark


def _run(command: str, folder: Path) -> str:
    """Return the end of what a command says when it fails, nothing when it does not."""
    done = subprocess.run(['timeout', '600', 'bash', '-euo', 'pipefail', '-c', command], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return f'(status {done.returncode}) ' + done.stdout[-1500:] if done.returncode else ''


def broken_links(path: Path, tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield links within the repository that lead to no file, or to no heading of it."""
    for token in tokens:
        for child in token.children or ():
            link = child.attrGet('href') or child.attrGet('src') or ''
            if not link or re.match(r'\w+:', link):
                continue
            file, _, anchor = link.partition('#')
            target = path.parent / file if file else path
            if not target.exists() or (anchor and anchor not in headings(parse(target))):
                yield token.map[0] + 1, f'{link} leads nowhere'


def headings(tokens: Sequence[Token]) -> list[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    titles = [text.content for heading, text in pairwise(tokens) if heading.type == 'heading_open']
    return [re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles]


def missing_files(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield names of files and folders in code that are nowhere in the repository, from its root or from any folder."""
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.glob('[!.]*')]
    files += [path.relative_to(ROOT).as_posix() for top in ('options', 'pkdn_basicsr', 'scripts', 'tests')
              for path in (ROOT / top).rglob('*')]
    for token in tokens:
        code = [token.content] if token.type in ('code_block', 'fence') else _inline_code(token)
        for name in (name for text in code for found in FILE_NAME.findall(text) for name in _expand(found)):
            wanted = name.rstrip('/')
            if not (any(fnmatch.fnmatch(wanted, pattern) for pattern in ELSEWHERE) or any(
                    fnmatch.fnmatch(f'/{file}', f'*/{wanted}') for file in files)):
                yield token.map[0] + 1, f'there is no {name}'


def _expand(name: str) -> list[str]:
    """Return what the shell makes of braces."""
    if not (match := re.fullmatch(r'(.*?)\{(.*?)\}(.*)', name)):
        return [name]
    before, choices, after = match.groups()
    return [full for choice in choices.split(',') for full in _expand(before + choice + after)]


def _inline_code(token: Token) -> list[str]:
    return [child.content for child in token.children or () if child.type == 'code_inline']


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
