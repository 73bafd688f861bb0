"""Serving the page to this machine only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pkdn_basicsr.demo.handlers import Handlers
from pkdn_basicsr.demo.page import STYLE, THEME, build_page
from pkdn_basicsr.demo.upload import MOST_BYTES
from pkdn_basicsr.errors import UsageError

_ADDRESS = '127.0.0.1'


@contextmanager
def serving(handlers: Handlers, port: int) -> Iterator[str]:
    """Serve the page while the context lasts; uploads and results lie in a folder that ends with it.

    There is no share link and no telemetry, nothing is asked of other machines, and of all files only those of this
    folder are given out. Requests by another host name are refused, so that no web page can reach in by DNS rebinding.

    Args:
        handlers: What the page does.
        port: Where to listen on 127.0.0.1.

    Yields:
        The page's address.

    Raises:
        UsageError: The port is taken.
    """
    with tempfile.TemporaryDirectory(prefix='basicsr_demo_', ignore_cleanup_errors=True) as folder:
        direct = os.environ.get('no_proxy') or os.environ.get('NO_PROXY')  # Gradio asks its own page whether it is up
        os.environ.update(GRADIO_TEMP_DIR=folder, GRADIO_ANALYTICS_ENABLED='False',
                          no_proxy=f'{direct},{_ADDRESS}' if direct else _ADDRESS)
        page = build_page(handlers, Path(folder))
        try:
            _, address, _ = page.launch(
                server_name=_ADDRESS, server_port=port, share=False, inline=False, quiet=True, show_error=False,
                prevent_thread_lock=True, max_file_size=MOST_BYTES, ssr_mode=False, mcp_server=False,
                run_history=False, enable_monitoring=False, footer_links=[], css=STYLE, theme=THEME,
                allowed_paths=[folder],  # an empty list would mean those of the environment
                app_kwargs={'middleware': [Middleware(TrustedHostMiddleware, allowed_hosts=[_ADDRESS, 'localhost'])]})
        except OSError as error:
            raise UsageError(f'--port: cannot listen on port {port} ({error}); name another one') from None
        try:
            yield address
        finally:
            page.close(verbose=False)
