import pytest

from pkdn_basicsr.report.check.set_files import find_files


def options(faces, **more):
    return {'type': 'ParsingMapDataset', 'dataroot_gt': str(faces / 'gt'), 'dataroot_lq': str(faces / 'lq'),
            'dataroot_parsing': str(faces / 'parsing'), **more}


def test_files_are_matched_and_options_completed(tiny_faces):
    files, findings = find_files('val_2', options(tiny_faces), 4)
    assert findings == []
    assert [face.name for face in files.faces] == list('01234567')
    assert files.faces[3].lq == str(tiny_faces / 'lq' / '3.png')
    assert files.faces[3].parsing == str(tiny_faces / 'parsing' / '3.png')
    assert (files.opt['phase'], files.opt['scale'], files.phase) == ('val', 4, 'val_2')


def test_all_missing_partners_are_findings_and_the_rest_stays(tiny_faces, tmp_path):
    (tmp_path / 'maps').mkdir()
    (tmp_path / 'maps' / '5.png').touch()
    files, findings = find_files('val', options(tiny_faces, dataroot_parsing=str(tmp_path / 'maps')), 4)
    assert [(finding.kind, finding.name) for finding in findings] == [('missing_map', name) for name in '0123467']
    assert [face.parsing is None for face in files.faces] == [name != '5' for name in '01234567']
    assert all(face.lq for face in files.faces)


def test_lists_apply_and_listed_names_without_image_are_findings(tiny_faces, tmp_path):
    (tmp_path / 'use.txt').write_text('6.png\nx.png\n2.png\ny.png\n3.png\n')
    (tmp_path / 'leave.txt').write_text('2\n')
    files, findings = find_files('val', options(tiny_faces, split_file=str(tmp_path / 'use.txt'),
                                                exclude_file=str(tmp_path / 'leave.txt')), 4)
    assert [face.name for face in files.faces] == ['6', '3']
    assert [(finding.kind, finding.file) for finding in findings] == [('missing_image', 'x'), ('missing_image', 'y')]


def test_a_list_of_other_names_to_leave_out_is_a_finding(tiny_faces, tmp_path):
    (tmp_path / 'leave.txt').write_text('./2.png\n3.png,x\n4\n')
    files, findings = find_files('val', options(tiny_faces, exclude_file=str(tmp_path / 'leave.txt')), 4)
    assert [face.name for face in files.faces] == list('0123567')
    assert [(finding.kind, finding.file) for finding in findings] == [('unknown_excluded', '')]
    assert '2 of 3 names' in findings[0].detail
    assert 'the first is ./2' in findings[0].detail


@pytest.mark.parametrize(('more', 'words'), [
    ({'dataroot_lq': 'nowhere'}, 'no such folder'), ({'datarot_lq': 'x'}, "did you mean 'dataroot_lq'"),
    ({'parsing_scheme': 'helenn'}, 'helen'), ({'split_file': 'none.txt'}, 'none.txt'),
    ({'io_backend': {'type': 'lmdb'}}, 'must end in .lmdb')])
def test_what_makes_a_set_unusable_is_one_finding(tiny_faces, more, words):
    files, findings = find_files('val', options(tiny_faces, **more), 4)
    assert files is None
    assert [finding.kind for finding in findings] == ['set']
    assert words in findings[0].detail
