"""The page in a real Chromium; `apt-get install chromium-headless-shell` and `pip install playwright` bring one."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from pkdn_basicsr.metrics.psnr_ssim import calculate_protocol_psnr

pytest.importorskip('gradio', reason='the extra `demo` is not installed')
playwright = pytest.importorskip('playwright.sync_api', reason='Playwright is not installed')
expect = playwright.expect

_BROWSERS = ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'chrome')


@pytest.fixture(scope='module')
def browser():
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if not found:
        pytest.skip(f'no browser is installed ({", ".join(_BROWSERS)})')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=['--no-sandbox'])  # root has no sandbox
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The opened page; it must neither fail nor ask another machine for anything."""
    page = browser.new_page(viewport={'width': 1280, 'height': 1200})
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    failures, requests = [], []
    page.on('pageerror', lambda error: failures.append(error))
    page.on('request', lambda request: requests.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert not failures
    assert not [url for url in requests if not url.startswith((address, 'data:', 'blob:'))]


@pytest.fixture
def send(page):
    def send(content, name='face.png'):
        if not isinstance(content, bytes):
            buffer = io.BytesIO()
            Image.fromarray(content).save(buffer, 'png')
            content = buffer.getvalue()
        if page.locator('#upload').get_by_label('Clear').is_visible():
            page.locator('#upload').get_by_label('Clear').click()
        field = page.locator('#upload input[type=file]')
        field.set_input_files({'name': name, 'mimeType': 'image/png', 'buffer': content})
    return send


def _face(height, width):
    coarse = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def _shown(page, name):
    """Wait until a picture is on the screen; return its pixels."""
    picture = page.locator(f'#{name} img').last
    expect(picture).to_be_visible()
    return np.asarray(Image.open(io.BytesIO(page.request.get(picture.get_attribute('src')).body())).convert('RGB'))


def test_a_small_face(page, send, handlers):
    send(_face(16, 20))
    expect(page.locator('#told')).to_contain_text('20×16 pixels enlarged to 160×128')
    result = handlers.upscalers['student x8'].upscale(_face(16, 20))
    assert np.array_equal(_shown(page, 'result'), result)
    assert _shown(page, 'slider').shape == result.shape
    assert _shown(page, 'parts').shape == result.shape
    expect(page.locator('#slider')).to_contain_text('Bicubic (left)')
    expect(page.locator('#truth')).to_be_hidden()
    expect(page.locator('#notice')).to_be_hidden()


def test_a_large_face_is_compared_with_the_truth(page, send, handlers):
    page.get_by_label('A large face').check()
    send(_face(128, 128))
    expect(page.locator('#slider')).to_contain_text('Truth (left)')
    assert np.array_equal(_shown(page, 'truth'), _face(128, 128))
    psnr = calculate_protocol_psnr(_shown(page, 'result')[..., ::-1], _face(128, 128)[..., ::-1], 'dic')
    expect(page.locator('#scores')).to_contain_text(re.compile(rf'network\s*{psnr:.2f}'))
    expect(page.locator('#scores')).to_contain_text('bicubic')


def test_the_result_can_be_downloaded(page, send, handlers):
    send(_face(16, 16), 'me.png')
    with page.expect_download() as download:
        page.locator('#download').click()
    assert download.value.suggested_filename == 'me_x8.png'
    expected = handlers.upscalers['student x8'].upscale(_face(16, 16))
    assert np.array_equal(np.asarray(Image.open(download.value.path())), expected)


def test_another_network(page, send):
    send(_face(16, 16))
    expect(page.locator('#told')).to_contain_text('128×128')
    page.locator('#model input').click()
    page.get_by_role('option', name='student x4').click()
    expect(page.locator('#told')).to_contain_text('64×64')
    expect(page.locator('#facts')).to_contain_text('×4')


def test_the_size_of_the_shrunk_face(page, send):
    page.get_by_label('A large face').check()
    send(_face(256, 256))
    expect(page.locator('#told')).to_contain_text('16×16 pixels')
    page.locator('#lq_side input[type=number]').fill('32')
    page.locator('#lq_side input[type=number]').press('Enter')
    page.locator('#lq_side input[type=number]').blur()
    expect(page.locator('#told')).to_contain_text('32×32 pixels')


def test_a_text_of_50_mb_named_png(page, send, tmp_path):
    (tmp_path / 'text.png').write_bytes(b'hello' * 10_000_000)
    page.locator('#upload input[type=file]').set_input_files(tmp_path / 'text.png')
    expect(page.get_by_text('maximum allowed size of 20')).to_be_visible()
    send(_face(16, 16))
    expect(page.locator('#told')).to_contain_text('128×128')


@pytest.mark.parametrize(('content', 'said'), [
    (b'hello' * 1000, 'This file is not a picture'),
    (np.zeros((1, 1, 3), np.uint8), '1×1 pixels; at least 8×8'),
    (_face(300, 300), 'Choose “large face”'),
], ids=['text', '1x1', 'large'])
def test_what_cannot_be_used_is_told_politely(page, send, content, said):
    send(_face(16, 16))
    expect(page.locator('#told')).to_be_visible()
    send(content)
    expect(page.locator('#notice')).to_contain_text(said)
    expect(page.locator('#told')).to_be_hidden()
    expect(page.locator('#download')).to_be_hidden()
    assert 'Traceback' not in page.content()
    send(_face(16, 16))
    expect(page.locator('#told')).to_be_visible()
    expect(page.locator('#notice')).to_be_hidden()


@pytest.mark.parametrize('name', ['../../../../etc/face.png', '<img src=x onerror=alert(1)>.png'])
def test_a_path_or_markup_in_the_file_name(page, send, name):
    page.on('dialog', lambda dialog: pytest.fail(dialog.message))
    send(_face(16, 16), name)
    expect(page.locator('#told')).to_contain_text('128×128')
    with page.expect_download() as download:
        page.locator('#download').click()
    assert not re.search(r'[/<>]', download.value.suggested_filename)
