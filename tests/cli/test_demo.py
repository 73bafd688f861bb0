import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from students import save_student

from pkdn_basicsr.cli import demo

SERVER = 'pkdn_basicsr.demo.server'


@pytest.fixture
def served(monkeypatch):
    """What would be served; the page ends at once."""
    calls = []

    @contextmanager
    def serving(handlers, port):
        calls.append((handlers, port))
        yield 'http://127.0.0.1/'

    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, SERVER, SimpleNamespace(serving=serving))
    monkeypatch.setattr(demo, 'find_spec', lambda name: object())
    monkeypatch.setattr(demo.time, 'sleep', stop)
    before = signal.getsignal(signal.SIGTERM)
    yield calls
    signal.signal(signal.SIGTERM, before)


def test_the_networks_are_served_by_name(served, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'run' / 'models').mkdir(parents=True)
    save_student(tmp_path / 'run' / 'models' / 'net_g_latest.pth')
    save_student(tmp_path / 'mine.pth', scale=4)
    assert demo.run(['--weights', 'run/models/net_g_latest.pth', 'mine.pth', '--port', '7000', '--device', 'cpu']) == 0
    (handlers, port), = served
    assert port == 7000
    assert {name: upscaler.scale for name, upscaler in handlers.upscalers.items()} == {
        'run/net_g_latest': 8, 'mine': 4}
    assert handlers.detector is None
    out = capsys.readouterr().out
    assert 'the demo is at http://127.0.0.1/' in out
    assert 'deleted' in out


def test_networks_of_one_name_keep_their_paths(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        save_student(tmp_path / folder / 'net.pth')
    demo.run(['--weights', 'a/net.pth', 'b/net.pth', '--device', 'cpu'])
    assert list(served[0][0].upscalers) == ['a/net.pth', 'b/net.pth']


def test_a_detector(served, tmp_path, shared_weights):
    weights, model = save_student(tmp_path / 'net.pth'), shared_weights / 'yunet_n_640_640.onnx'
    demo.run(['--weights', str(weights), '--detector', str(model), '--device', 'cpu'])
    assert 'photograph' in served[0][0].modes


def test_without_gradio_the_way_out_is_told(monkeypatch, usage_error):
    monkeypatch.setattr(demo, 'find_spec', lambda name: None)
    with usage_error('pip install', 'pkdn_basicsr[demo]'):
        demo.run([])


@pytest.mark.parametrize('arguments', [['--port', '0'], ['--port', '70000'], ['--port', 'x'],
                                       ['--weights', 'a.pth', 'b.pth', '--opt', 'net.yml']], ids=str)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as leave:
        demo.run(arguments)
    assert leave.value.code == 2


@pytest.mark.skipif(os.name != 'posix', reason='signals of POSIX')
@pytest.mark.parametrize('end', [signal.SIGINT, signal.SIGTERM])
def test_a_real_run_leaves_nothing(tmp_path, end):
    pytest.importorskip('gradio', reason='the extra `demo` is not installed')
    command = [sys.executable, '-c', 'import sys; from pkdn_basicsr.cli.demo import run; sys.exit(run(sys.argv[1:]))',
               '--weights', save_student(tmp_path / 'net.pth'), '--port', str(_free_port()), '--device', 'cpu']
    temp = tmp_path / 'temp'
    temp.mkdir()
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, 'TMPDIR': str(temp)}, text=True,
                               stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(
                                   signal.SIGINT, signal.default_int_handler))
    guard = threading.Timer(120, process.kill)
    guard.start()
    try:
        address = process.stdout.readline().split()[4]
        assert b'Face super-resolution' in urllib.request.urlopen(address, timeout=30).read()
        assert [path.name.startswith('basicsr_demo_') for path in Path(temp).iterdir()].count(True) == 1
        process.send_signal(end)
        assert 'deleted' in process.communicate(timeout=60)[0]
    finally:
        guard.cancel()
        process.kill()
    assert process.returncode == 0
    assert not [path for path in temp.iterdir() if path.name.startswith('basicsr_demo_')]


def _free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
