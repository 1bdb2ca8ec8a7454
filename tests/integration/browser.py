# SPDX-License-Identifier: Apache-2.0
"""A real browser: Debian's Chromium, driven by Playwright, that reaches nothing beyond this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from scripts.standalone import reserve_loopback_port

#: Where tests keep what a person may want to look at.
SCREENSHOTS = Path(__file__).parent.parent.parent / ".cache" / "screenshots"


def chromium_program() -> str | None:
    """Find the browser on PATH, where distributions call it by one of two names."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def open_browser(program: str, *, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """
    Start a browser with one empty page; it ends with the block, and leaves no profile behind.

    Playwright's own servers for the browser's files are not needed.

    :param program: the browser, from ``chromium_program``.
    :param width: of the window, in CSS pixels.
    :param height: likewise.
    """
    with (
        TemporaryDirectory(prefix="lessonspace-browser-") as home,
        reserve_loopback_port() as nobody_listens,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=program,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
            args=[*_loopback_only(nobody_listens.getsockname()[1]), *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        )
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def _loopback_only(dead_port: int) -> list[str]:
    # Chromium asks no proxy for loopback, and this one, for all else, is not there.
    return [
        f"--proxy-server=http://127.0.0.1:{dead_port}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    ]
