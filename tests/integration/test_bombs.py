# SPDX-License-Identifier: Apache-2.0
"""What small replies that grow when they are decoded or parsed take of memory, as the peak of a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from functools import cache
from itertools import repeat
from pathlib import Path

import pytest

from lessonspace_provider.api.responses import LARGEST_FILE, LARGEST_PAGE
from tests.endless_replies import head
from tests.integration.peak_memory import ENDED, SESSION
from tests.raw_server import RawServer

KEY = "4f9d2c1e-7a6b-4c3d-9e8f-0a1b2c3d4e5f"
#: MB that no call may take, with all that Airflow takes itself.
MOST = 600

MB = 1 << 20
TOO_LARGE, NOT_READ = "LessonspaceReplyTooLargeError", "LessonspaceServerError"
LISTED = {
    "uuid": SESSION,
    "start_time": ENDED.isoformat(),
    "end_time": ENDED.isoformat(),
    "profiles": [{"user": 1, "name": "Ann", "role": "teacher"}, {"user": 2, "name": "Ben", "role": "student"}],
}


@cache
def packed(begin: bytes, unit: bytes, size: int) -> bytes:
    """Compress so many bytes without making them all at once."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    block = unit * (MB // len(unit))
    return b"".join([packer.compress(begin), *map(packer.compress, repeat(block, size // MB)), packer.flush()])


def reply(body, *headers, status="200 OK"):
    return [head(f"Content-Length: {len(body)}", *headers, status=status), body]


def filled(unit, size, begin=b"[", end=b"]"):
    """Make a list of equal items, a little smaller than so many bytes."""
    count = (size - len(begin) - len(end) - 100) // (len(unit) + 1)
    return begin + b",".join([unit] * count) + end


GZIP = "Content-Encoding: gzip"


def objects():
    return packed(b'{"results":[{}', b",{}", 700 * MB)


def spaces():
    return packed(b"[", b" ", 700 * MB)


def twice():
    return gzip.compress(spaces())


#: Which call meets it, the reply, and the error it ends with.
BOMBS = {
    "objects": ("page", lambda: reply(objects(), GZIP), TOO_LARGE),
    "object": ("object", lambda: reply(objects(), GZIP), TOO_LARGE),
    "spaces": ("page", lambda: reply(spaces(), GZIP), TOO_LARGE),
    "file": ("transcript", lambda: reply(spaces(), GZIP), TOO_LARGE),
    "archived file": ("archive", lambda: reply(spaces(), GZIP), "LessonspaceError"),
    "gzip in gzip": ("page", lambda: reply(twice(), "Content-Encoding: gzip, gzip"), NOT_READ),
    "gzip in gzip, two headers": ("page", lambda: reply(twice(), GZIP, GZIP), NOT_READ),
    "deflate": ("page", lambda: reply(zlib.compress(b" " * 700 * MB), "Content-Encoding: deflate"), NOT_READ),
    "error": ("page", lambda: reply(spaces(), GZIP, status="400 No"), "LessonspaceBadRequestError"),
    "store's error": (
        "transcript",
        lambda: reply(spaces(), GZIP, status="400 Bad Request"),
        "LessonspaceBadRequestError",
    ),
    "redirect": ("page", lambda: reply(spaces(), GZIP, "Location: /", status="302 Found"), NOT_READ),
    "no end": ("page", lambda: [head("Connection: close"), *repeat(b" " * MB, 700)], TOO_LARGE),
}

#: Items of which a list takes much more memory than its text.
ITEMS = {
    "objects": b"{}",
    "lists in lists": b"[" * 30 + b"]" * 30,
    "very deep lists": b"[" * 900 + b"]" * 900,
    "objects in objects": b'{"":' * 30 + b"0" + b"}" * 30,
    "fields": b'{"a":0}',
    "texts": b'"ab"',
}


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    """Measure a call against a reply: the error's kind, and the peak in MB."""
    answer = {}
    replies = {
        r"/file": lambda _: answer["file"](),
        r"/transcript/": lambda _: reply(json.dumps({"transcriptionUrl": f"{server.url}/file"}).encode()),
        r"/sessions/[^/?]+/": lambda _: answer["object"](),
        r"/sessions/": lambda _: answer["page"](),
    }
    with RawServer(replies) as server:
        extra = {"organisation_id": "42", "rate_limit_per_second": 0, "rate_limit_max_wait": 0.001}
        connection = {"conn_type": "lessonspace", "password": KEY, "host": f"{server.url}/v2", "extra": extra}
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment["AIRFLOW_CONN_LESSONSPACE_DEFAULT"] = json.dumps(connection)
        command = [sys.executable, "-m", "tests.integration.peak_memory"]
        root = Path(__file__).parent.parent.parent
        with subprocess.Popen(
            command, env=environment, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:

            def measured(call, body):
                page = json.dumps({"count": 1, "next": None, "results": [LISTED]}).encode()
                answer.update(page=lambda: reply(page), object=body, file=body)
                if call == "page":
                    answer["page"] = body
                print(call, file=process.stdin, flush=True)
                result = json.loads(process.stdout.readline())
                return result["error"], result["peak"]

            yield measured
            process.stdin.close()


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_reply_that_grows_when_it_is_decoded_takes_little_memory(measure, bomb):
    call, body, expected = BOMBS[bomb]
    error, peak = measure(call, body)
    assert error == expected
    assert peak < MOST


@pytest.mark.parametrize("item", ITEMS)
def test_a_reply_that_grows_when_it_is_parsed_takes_little_memory(measure, item):
    # With the key in it, since the reply is copied without it then.
    body = filled(ITEMS[item], LARGEST_PAGE, b'{"results":[],"key":"%b","a":[' % KEY.encode(), b"]}")
    error, peak = measure("page", lambda: reply(body))
    assert error is None
    assert peak < MOST


TEXT = b'{"start_time":1.5,"end_time":2,"text":"%b"}'
FILES = {
    "long texts": (lambda: filled(TEXT % (b"x" * 100_000), 60 * MB), None),
    "wide texts": (lambda: filled(TEXT % ("\U0001f600" * 20_000).encode(), 40 * MB), None),
    "many": (lambda: filled(TEXT % b"", 4 * MB), None),
    "too many": (lambda: filled(b"{}", 20 * MB), "LessonspaceError"),
    "one text": (lambda: b'[{"text":"' + b"x" * 200 * MB + b'"}]', "LessonspaceError"),
    "one list": (lambda: b'[{"text":' + filled(b"[]", 40 * MB) + b"}]", "LessonspaceError"),
    "no list": (lambda: b'{"text":' + filled(b"[]", 40 * MB) + b"}", "LessonspaceError"),
    "utf-16": (lambda: filled(TEXT, 100 * MB).decode().encode("utf-16"), "LessonspaceError"),
    "lists in lists": (lambda: filled(b'{"text":"","a":' + b"[" * 30 + b"]" * 30 + b"}", MB), None),
}


@pytest.mark.parametrize("file", FILES)
def test_a_transcript_of_any_shape_takes_little_memory(measure, file):
    body, expected = FILES[file][0](), FILES[file][1]
    error, peak = measure("archive", lambda: reply(body))
    assert error == expected
    assert peak < MOST


def test_a_transcript_as_large_as_may_be_takes_little_more_memory_than_it_has(measure):
    body = filled(TEXT % (b"x" * 100_000), LARGEST_FILE)
    error, peak = measure("transcript", lambda: reply(body))
    assert error == TOO_LARGE, "too large for a list"
    assert LARGEST_FILE // MB < peak < MOST


@pytest.mark.parametrize("item", ["fields", "lists in lists"])
def test_a_transcript_in_memory_takes_little_memory(measure, item):
    body = filled(b'{"text":"","a":' + ITEMS[item] + b"}", 8 * MB)
    error, peak = measure("transcript", lambda: reply(body))
    assert error is None
    assert peak < MOST
