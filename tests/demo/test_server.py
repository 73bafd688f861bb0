import http.client
import json
import os
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

import pytest

pytest.importorskip('gradio', reason='the extra `demo` is not installed')

from pkdn_basicsr.demo.server import serving
from pkdn_basicsr.demo.upload import MOST_BYTES


@pytest.fixture
def request_page(address):
    """Send one request as it is written, without a client that tidies paths."""
    def send(path, body=None, **headers):
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        try:
            connection.request('GET' if body is None else 'POST', path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
    return send


@pytest.fixture
def send_file(request_page):
    def send(name, content):
        body = (b'--edge\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode()
                + b'"\r\nContent-Type: image/png\r\n\r\n' + content + b'\r\n--edge--\r\n')
        return request_page('/gradio_api/upload', body, **{'Content-Type': 'multipart/form-data; boundary=edge'})
    return send


def _folder():
    return Path(os.environ['GRADIO_TEMP_DIR'])


@pytest.mark.parametrize('path', [
    '/etc/passwd', '../../../../../../etc/passwd', '%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd', 'file:///etc/passwd',
    'setup.py', './setup.py', os.path.abspath(__file__), '{folder}/../../etc/passwd', '{folder}', '~/.bashrc'])
def test_no_file_outside_is_given_out(request_page, path):
    status, text = request_page('/gradio_api/file=' + path.format(folder=_folder()))
    assert status in (403, 404)
    assert 'root:' not in text


@pytest.mark.parametrize('path', ['/static/../../../../../../../../etc/passwd', '/assets/..%2f..%2f..%2fsetup.py'])
def test_nor_by_the_pages_own_files(request_page, path):
    assert request_page(path)[0] in (403, 404)


def test_an_upload_is_given_out_again(request_page, send_file):
    status, answer = send_file('face.png', b'content')
    assert status == 200
    assert request_page('/gradio_api/file=' + json.loads(answer)[0]) == (200, 'content')


@pytest.mark.parametrize('name', ['../../../../escaped.png', f'{gettempdir()}/escaped.png', '..\\..\\escaped.png', '..',
                                  '', 'a' * 500])
def test_a_path_in_the_file_name_stays_in_the_folder(send_file, name):
    before = set(_folder().parent.iterdir())
    status, answer = send_file(name, b'content')
    if status == 200:
        stored = Path(json.loads(answer)[0])
        assert stored.resolve().is_relative_to(_folder().resolve())
        assert stored.read_bytes() == b'content'
    assert status < 500
    assert not {path for path in _folder().parent.iterdir() if 'escaped' in path.name} - before


def test_too_large_a_file_is_refused_and_not_kept(send_file):
    before = sum(path.stat().st_size for path in _folder().rglob('*') if path.is_file())
    status, text = send_file('text.png', b'hello' * (MOST_BYTES // 4))
    assert status == 413
    assert 'size exceeded' in text
    assert sum(path.stat().st_size for path in _folder().rglob('*') if path.is_file()) == before


@pytest.fixture
def ask(request_page, monkeypatch):
    """Ask for the result of a file by its path, as the page does; return the answer and the paths that were read."""
    def ask(path):
        read = []
        monkeypatch.setattr('pkdn_basicsr.demo.contents.read_upload', lambda path: read.append(str(path)))
        config = json.loads(request_page('/config')[1])
        event = next(event['id'] for event in config['dependencies'] if len(event['inputs']) == 4)
        call = {'data': [{'path': path, 'meta': {'_type': 'gradio.FileData'}}, 'small face', 'student x8', 16],
                'fn_index': event, 'session_hash': 'asked'}
        request_page('/gradio_api/queue/join', json.dumps(call), **{'Content-Type': 'application/json'})
        return request_page('/gradio_api/queue/data?session_hash=asked')[1], read
    return ask


def test_an_upload_is_read(ask, send_file):
    path, = json.loads(send_file('face.png', b'content')[1])
    assert ask(path)[1] == [path]


@pytest.mark.parametrize('path', ['/etc/passwd', '../../etc/passwd', os.path.abspath(__file__)])
def test_a_forged_upload_is_not_read(ask, path):
    answer, read = ask(path)
    assert '"success":false' in answer
    assert not read


def test_requests_by_another_name_are_refused(request_page):
    assert request_page('/config', Host='evil.example')[0] == 400


def test_nobody_is_told(request_page, address):
    config = json.loads(request_page('/config')[1])
    assert urlsplit(address).hostname == '127.0.0.1'
    assert config['analytics_enabled'] is False
    assert os.environ['HF_HUB_DISABLE_TELEMETRY'] == 'True'
    assert config['stylesheets'] == []


@pytest.fixture
def environment(monkeypatch):
    """Put back what `serving` changes."""
    for name in ('GRADIO_TEMP_DIR', 'GRADIO_ANALYTICS_ENABLED', 'no_proxy'):
        monkeypatch.setenv(name, os.environ.get(name, ''))
    return monkeypatch


def test_nothing_is_left(handlers, environment, unused_port):
    with serving(handlers, unused_port) as url:
        folder = _folder()
        (folder / 'upload.png').write_bytes(b'content')
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request('GET', '/')
        assert connection.getresponse().status == 200
        connection.close()
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        connection.request('GET', '/')


def test_neither_a_proxy_nor_a_wish_to_share_matters(handlers, environment, unused_port):
    tunnels = []
    environment.setattr('gradio.networking.setup_tunnel', lambda **arguments: tunnels.append(arguments) or 'http://x.y')
    environment.setenv('GRADIO_SHARE', 'True')
    for name in ('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'):
        environment.setenv(name, 'http://127.0.0.1:9')
    with serving(handlers, unused_port):
        assert not tunnels


def test_a_port_in_use_is_told(handlers, address, environment, usage_error):
    with usage_error('--port', urlsplit(address).port), serving(handlers, urlsplit(address).port):
        pass
