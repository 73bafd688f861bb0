"""scripts/check_docs.py: what it finds in a document; the commands themselves take minutes and run with the script."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
import check_docs
from check_docs_table import DOCUMENTS, ROOT, Rule

FILES = [path for name in DOCUMENTS for path in sorted(ROOT.glob(name))]

DOCUMENT = """\
# A page

Say `basicsr check -opt FILE`, never `basicsr` alone; `train.amp` is no command, and
[this](#a-page) is a link.

    # first
    basicsr train -opt FILE     # goes on
    torchrun --nnodes 2 \\
        -m pkdn_basicsr train

    python a.py

Text.

```
from PIL import Image
Image.new('L', (1, 1))
```

    key:
      type: value

1. In a list:

       bash scripts/test.sh
"""


@pytest.fixture
def page(tmp_path):
    """Write a document, and read it as the script does."""
    def write(text, name='page.md'):
        (tmp_path / name).write_text(text)
        return check_docs.parse(tmp_path / name)
    return write


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_what_is_there(path):
    tokens = check_docs.parse(path)
    assert list(check_docs.broken_links(path, tokens)) == []
    assert list(check_docs.missing_files(tokens)) == []
    assert [command for _, command in check_docs.commands(tokens) if check_docs.resolve(command) is None] == []


def test_documents_were_found():
    names = {str(path.relative_to(ROOT)) for path in FILES}
    assert {'README.md', 'CONTRIBUTING.md', 'options/README.md', 'options/guides.md', 'scripts/README.md'} <= names
    assert sum(1 for path in FILES for _ in check_docs.commands(check_docs.parse(path))) > 50


def test_commands_are_found_in_blocks_and_in_the_text(page):
    assert list(check_docs.commands(page(DOCUMENT))) == [
        (3, 'basicsr check -opt FILE'),
        (7, 'basicsr train -opt FILE'),
        (8, 'torchrun --nnodes 2 -m pkdn_basicsr train'),
        (11, 'python a.py'),
        (16, "python - <<'END'\nfrom PIL import Image\nImage.new('L', (1, 1))\nEND"),
        (25, 'bash scripts/test.sh')]


@pytest.mark.parametrize('block', ['wget https://example.org', 'key: value: value', 'one\ntwo', '# nothing else'])
def test_a_block_that_nothing_accounts_for_is_an_unknown_command(page, block):
    (line, command), = check_docs.commands(page(f'Text.\n\n```\n{block}\n```\n'))
    assert (line, command.strip()) == (4, block)
    assert check_docs.resolve(command) is None


def test_the_first_rule_that_fits_counts_and_placeholders_are_filled_in(monkeypatch):
    monkeypatch.setattr(check_docs, 'RULES', [Rule('a (.*) b', r'\1 c', 'why'), Rule('a .*')])
    monkeypatch.setattr(check_docs, 'PLACEHOLDERS', {'-o F': '-o file'})
    assert check_docs.resolve('a -o F -o FF F b') == ('-o file -o FF F c', 'why')
    assert check_docs.resolve('a -o F') == ('a -o file', '')
    assert check_docs.resolve('b') is None


def test_every_command_gets_a_line_and_runs_once(monkeypatch, page, tmp_path, capsys):
    monkeypatch.setattr(check_docs, 'SETUP', 'echo made > made')
    monkeypatch.setattr(check_docs, 'RULES', [
        Rule('bash good', 'test -f made && test -f options/README.md && echo x >> counted'),
        Rule('bash bad', 'echo reason; false | true; echo more'),
        Rule('bash far', 'true', 'no net'),
        Rule('bash far off', 'false', 'no net')])
    tokens = page('    bash good\n    bash bad\n    bash far\n    bash far off\n    bash new\n    bash good\n')
    (tmp_path / 'work').mkdir()
    assert check_docs.run_commands({'page.md': tokens}, tmp_path / 'work') == 3
    assert capsys.readouterr().out.splitlines() == [
        'ok       page.md:1: bash good',
        'FAILED   page.md:2: bash bad: echo reason; false | true; echo more',
        '(status 1) reason',
        '',
        'not run  page.md:3: bash far (no net; instead: true)',
        'FAILED   page.md:4: bash far off (no net; instead: false): false',
        '(status 1) ',
        'UNKNOWN  page.md:5: bash new: add a rule to scripts/check_docs_table.py',
        'ok       page.md:6: bash good']
    assert (tmp_path / 'work' / 'counted').read_text() == 'x\n'


def test_nothing_runs_where_the_ground_cannot_be_laid(monkeypatch, page, tmp_path, capsys):
    monkeypatch.setattr(check_docs, 'SETUP', 'echo no disk\nfalse\ntrue')
    (tmp_path / 'work').mkdir()
    assert check_docs.run_commands({'page.md': page('    basicsr check\n')}, tmp_path / 'work') == 1
    assert 'no disk' in capsys.readouterr().out


def test_links_lead_to_files_and_headings(page, tmp_path):
    page('# One thing\n\n## `code`, and *more*\n', 'other.md')
    tokens = page('[a](other.md) [b](other.md#code-and-more) [c](https://example.org/x) [d](nowhere.md)\n\n'
                  '[e](other.md#two-things) ![f](picture.png) [g](#here) [h](#there)\n\n# Here\n')
    assert list(check_docs.broken_links(tmp_path / 'page.md', tokens)) == [
        (1, 'nowhere.md leads nowhere'), (3, 'other.md#two-things leads nowhere'), (3, 'picture.png leads nowhere'),
        (3, '#there leads nowhere')]


def test_files_that_are_named_in_code_are_there(page):
    tokens = page('`options/pkdn_{teacher,nobody}.yml`, `quickstart/compare.yml`, `archs/*/vdsr_arch.py`\n\n'
                  '`options/small/`, `tests/nothing/`, `/etc/nowhere.sh`, `1.5`, options/in_prose.yml\n\n'
                  '    basicsr train -opt options/y.yml\n')
    assert list(check_docs.missing_files(tokens)) == [
        (1, 'there is no options/pkdn_nobody.yml'), (3, 'there is no tests/nothing/'),
        (3, 'there is no /etc/nowhere.sh'), (5, 'there is no options/y.yml')]


def test_the_status_tells_whether_anything_is_wrong(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(check_docs, 'ROOT', tmp_path)
    monkeypatch.setattr(check_docs, 'SETUP', 'true')
    for folder in ('options', 'scripts'):
        (tmp_path / folder).mkdir()
    for text, status, line in (('Nothing.', 0, '0 commands failed, 0 links'), ('[a](b.md)', 1, 'page.md:1: b.md leads'),
                               ('`bash --nowhere`', 1, 'UNKNOWN')):
        (tmp_path / 'page.md').write_text(text)
        assert check_docs.main(['page.md']) == status
        assert line in capsys.readouterr().out
