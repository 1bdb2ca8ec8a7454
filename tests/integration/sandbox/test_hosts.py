# SPDX-License-Identifier: Apache-2.0
"""A web page in a browser on this machine can't use the sandbox."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from lessonspace_provider.sandbox import Sandbox, SandboxSettings

OWN = ["127.0.0.1", "127.0.0.1:1", "localhost:8750", "LOCALHOST", "[::1]:8750", "[::1]", "192.0.2.7:80"]
FOREIGN = ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "localhost.evil.example", "a@b:c", "[", ""]


def post(url, host, **options):
    # requests would send the URL's own host beside another one.
    return requests.post(url, headers={"Host": host, **options.pop("headers", {})}, timeout=30, **options)


@pytest.mark.parametrize("host", OWN)
def test_requests_to_an_ip_address_or_localhost_pass(sandbox, host):
    assert post(f"{sandbox.root_url}/sandbox/state/", host, json={}).status_code == 200
    assert requests.get(f"{sandbox.base_url}/hello/", headers={"Host": host}, timeout=30).status_code == 401
    assert requests.get(f"{sandbox.store_url}/x", headers={"Host": host}, timeout=30).status_code == 403


@pytest.mark.parametrize("host", FOREIGN)
def test_requests_to_another_name_are_refused(sandbox, control, host):
    before = control.state()
    for url in (f"{sandbox.root_url}/sandbox/reset/", f"{sandbox.base_url}/hello/", f"{sandbox.store_url}/x"):
        answer = post(url, host, json={"seed": 7})
        assert (answer.status_code, evil_words(answer)) == (400, [])
    assert control.state() == before


def evil_words(answer):
    return [word for word in ("evil", "a@b") if word in answer.text]


def test_a_sandbox_that_allows_remote_callers_has_any_name():
    with Sandbox(SandboxSettings(allow_remote=True, days=0, sessions_per_day=0)) as sandbox:
        assert urlsplit(sandbox.root_url).hostname == "127.0.0.1"
        assert post(f"{sandbox.root_url}/sandbox/state/", "school-sandbox:8750", json={}).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_commands_that_a_page_could_send_unasked_are_refused(sandbox, control, content_type):
    url, before = f"{sandbox.root_url}/sandbox/advance-clock/", control.state().now
    headers = {"Content-Type": content_type} if content_type else {}
    assert requests.post(url, data='{"seconds": 60}', headers=headers, timeout=30).status_code == 415
    assert requests.get(url, params={"seconds": 60}, headers=headers, timeout=30).status_code == 405
    assert control.state().now == before


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("http://127.0.0.1:1", 403),
        ("http://192.0.2.7", 403),
        ("https://localhost", 403),
        ("null", 403),
        ("", 403),
        (None, 200),
        ("own", 200),
    ],
)
def test_commands_of_a_page_of_another_origin_are_refused(sandbox, origin, status):
    headers = {} if origin is None else {"Origin": sandbox.root_url if origin == "own" else origin}
    answer = requests.post(f"{sandbox.root_url}/sandbox/state/", json={}, headers=headers, timeout=30)
    assert answer.status_code == status


def test_a_sandbox_allows_no_page_of_another_origin_to_read_or_ask(sandbox):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{sandbox.root_url}/sandbox/state/", headers=headers, timeout=30)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
