from pkdn_basicsr.report.check.finding import KINDS, Finding, count, findings_csv, in_order


def test_errors_come_before_warnings_and_the_rest_stays_in_order():
    found = [Finding(kind, 'train', file, '') for kind, file in (
        ('left_right', 'b'), ('bad_map', 'c'), ('left_right', 'a'), ('missing_map', 'd'))]
    assert [(finding.kind, finding.file) for finding in in_order(found)] == [
        ('missing_map', 'd'), ('bad_map', 'c'), ('left_right', 'b'), ('left_right', 'a')]
    assert (count(found, 'error'), count(found, 'warning')) == (2, 2)
    severities = [kind.severity for kind in KINDS.values()]
    assert severities == sorted(severities)


def test_commas_and_quotes_survive_in_the_table():
    assert findings_csv([Finding('bad_map', 'val', 'a, b.png', 'it says "no"')]) == (
        'severity,set,kind,file,detail\nerror,val,bad_map,"a, b.png","it says ""no"""\n')
