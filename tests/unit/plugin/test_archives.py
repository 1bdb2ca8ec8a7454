# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import anyio
import pytest

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.plugin import archives as module
from lessonspace_provider.plugin.archives import Archive, HealthCache, chosen, configured_archives
from tests.unit.archive.health_kit import a_health

PLACE = "file:///var/archive"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", []),
        ("file:///a", ["file:///a"]),
        ("file:///a, s3://aws_default@school/transcripts", ["file:///a", "s3://aws_default@school/transcripts"]),
        ("\n  file:///a\n  file:///b,\n", ["file:///a", "file:///b"]),
        ("file:///a,file:///a", ["file:///a"]),
    ],
)
def test_archives_are_listed_in_the_configuration(monkeypatch, text, places):
    if "s3://" in text:
        pytest.importorskip("airflow.providers.amazon", reason="S3 needs the amazon provider")
    monkeypatch.setenv("AIRFLOW__LESSONSPACE__ARCHIVES", text)
    assert [archive.place for archive in configured_archives()] == places


def test_credentials_in_the_configuration_are_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv("AIRFLOW__LESSONSPACE__ARCHIVES", "s3://key:secret@school/a, relative, file:///a")
    bad, relative, good = configured_archives()
    assert (bad.place, relative.place, good) == ("", "", Archive("file:///a"))
    assert "secret" not in str(bad)
    assert chosen([bad, relative, good], None) == good
    assert chosen([bad], "") is None


class Store:
    """Counts reads, and gives what it is to give."""

    def __init__(self):
        self.reads, self.error, self.time = 0, None, 0.0

    def read(self, place):
        self.reads += 1
        if self.error:
            raise self.error
        return a_health()

    def cache(self):
        return HealthCache(self.read, lambda: self.time)


def test_a_health_is_kept_for_a_minute():
    store = Store()
    cache = store.cache()
    for time, reads in ((0, 1), (59.9, 1), (60, 2), (61, 2)):
        store.time = time
        assert anyio.run(cache.get, PLACE) == a_health()
        assert store.reads == reads


def test_so_is_that_it_could_not_be_read_without_what_may_be_secret():
    store = Store()
    store.error = ValueError("https://signed?X-Amz-Signature=1")
    cache = store.cache()
    for _ in range(3):
        with pytest.raises(LessonspaceError, match="unexpected ValueError") as caught:
            anyio.run(cache.get, PLACE)
        assert "Signature" not in str(caught.value)
    assert store.reads == 1


def test_requests_at_the_same_time_read_once():
    store, released = Store(), threading.Event()
    cache = HealthCache(lambda place: released.wait(30) and store.read(place), lambda: 0.0)

    async def ask():
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(cache.get, PLACE)
            await anyio.lowlevel.checkpoint()
            released.set()

    anyio.run(ask)
    assert store.reads == 1


def test_a_store_that_hangs_holds_no_request_and_no_other_archive(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    released = threading.Event()
    cache = HealthCache(lambda place: released.wait(60) if place == PLACE else a_health(), lambda: 0.0)

    async def ask():
        with pytest.raises(LessonspaceError, match="has not answered"):
            await cache.get(PLACE)
        assert await cache.get("file:///other") == a_health()
        released.set()

    anyio.run(ask)
