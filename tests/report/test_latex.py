import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from pkdn_basicsr.report.latex import comparison_latex


def lines_of(text):
    return [line for line in text.splitlines() if line.endswith(r'\\')]


def test_best_bold_second_underlined_and_the_teacher_marked(comparison):
    rows = {re.match(r'\w+', line).group(): line for line in lines_of(comparison_latex(comparison))}
    assert r'\underline{24.50}' in rows['alone']
    assert r'\textbf{24.75}' in rows['taught']
    assert r'\textbf{0.1500}' in rows['taught']
    assert rows['teacher'].startswith('teacher$^{*}$ & 1.50 & 2.00 & 12.5 & ')
    assert 'textbf' not in rows['teacher']
    assert r'{\scriptsize $+$3.750}\\[-2pt]{\scriptsize [$+$3.250, $+$4.250]}' in rows['taught']
    assert rows['bicubic'] == r'bicubic & 0.00 & 0.00 & 1.0 & 21.00 & 0.6000 \\'


def test_every_row_has_every_column(comparison):
    text = comparison_latex(replace(comparison, missing={'lpips': 'no weights'}))
    (columns,) = re.findall(r'begin{tabular}{(\w+)}', text)
    assert all(line.count('&') == len(columns) - 1 for line in lines_of(text))


def test_names_are_escaped(make_comparison, make_result):
    text = comparison_latex(make_comparison({'a_b & 50% #1': make_result(psnr=[1.]), '[1] b': make_result(psnr=[2.])}))
    assert r'a\_b \& 50\% \#1 &' in text
    assert '{[}1{]} b &' in text


@pytest.mark.skipif(not shutil.which('pdflatex'), reason='pdflatex is not installed')
def test_it_compiles(comparison, tmp_path):
    comparison = replace(comparison, methods={**comparison.methods, '[1] ours': comparison.methods['alone']})
    document = '\n'.join([r'\documentclass{article}\usepackage{booktabs}\begin{document}',
                          comparison_latex(replace(comparison, missing={'a_b': '100 % unknown'})), r'\end{document}'])
    (tmp_path / 't.tex').write_text(document)
    done = subprocess.run(['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 't.tex'], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
