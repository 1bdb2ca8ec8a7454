# SPDX-License-Identifier: Apache-2.0
"""The browser of the tests reaches this machine, and nothing else."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Error


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>Hello</h1>")

    def log_message(self, *args):
        pass


def test_a_server_on_loopback_is_reached(browser_page):
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            browser_page.goto(f"http://127.0.0.1:{server.server_port}/")
            assert browser_page.inner_text("h1") == "Hello"
        finally:
            server.shutdown()
            thread.join()


# A name and an address that are reserved for examples.
@pytest.mark.parametrize("url", ["http://school.example/", "http://192.0.2.1/", "https://192.0.2.1/"])
def test_what_is_not_on_loopback_is_blocked_before_it_is_sent(browser_page, url):
    with pytest.raises(Error, match="ERR_PROXY_CONNECTION_FAILED"):
        browser_page.goto(url)
