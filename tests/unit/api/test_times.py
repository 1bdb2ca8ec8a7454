# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lessonspace_provider.api.times import read_time, write_time

EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
LORD_HOWE = timezone(timedelta(hours=10, minutes=30))


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (EIGHT, EIGHT),
        (datetime(2026, 11, 23, 18, 30, tzinfo=LORD_HOWE), EIGHT),
        (pendulum.datetime(2026, 11, 23, 9, tz="Europe/Berlin"), EIGHT),
        ("2026-11-23T08:00:00Z", EIGHT),
        ("2026-11-23T08:00Z", EIGHT),
        ("2026-11-23 08:00:00+00:00", EIGHT),
        ("2026-11-23T18:30:00+10:30", EIGHT),
        ("2026-11-23T18:30:00+1030", EIGHT),
        ("20261123T080000Z", EIGHT),
        ("2026-11-23T08:00:00.000001Z", EIGHT + timedelta(microseconds=1)),
        ("2026-11-23T08:00:00.1234567Z", EIGHT + timedelta(microseconds=123456)),
        ("2026-11-22T23:00:00-09:00", EIGHT),
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=timezone.utc)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
    ],
)
def test_a_point_in_time_is_read_as_utc(value, moment):
    read = read_time(value)
    assert read == moment
    assert read.tzinfo is timezone.utc
    assert type(read) is datetime


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        1763884800,
        1763884800.5,
        True,
        b"2026-11-23T08:00:00Z",
        date(2026, 11, 23),
        timedelta(hours=1),
        datetime(2026, 11, 23, 8),
        pendulum.naive(2026, 11, 23, 8),
        "",
        " ",
        "now",
        "today",
        "2026-11-23",
        "2026-11-23T08:00:00",
        "08:00Z",
        "P1D",
        "2026-11-23T08:00:00Z/2026-11-24T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-11-23T25:00:00Z",
        "23.11.2026 08:00",
        "{{ data_interval_start }}",
        "10:",
        "1:",
        "10:é",
        "\ud83d",
        "2026-11-23T08:00:00." + "0" * 1000 + "Z",
        "9" * 100_000,
        ["2026-11-23T08:00:00Z"],
        {"time": "2026-11-23T08:00:00Z"},
        "0001-01-01T00:00:00+14:00",
        "1899-12-31T23:59:59Z",
        "9000-01-01T00:00:00Z",
        datetime.max.replace(tzinfo=timezone.utc),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_what_is_no_point_in_time_is_none(value):
    assert read_time(value) is None


@given(st.text(st.sampled_from("0123456789:-+.,TZPWDH/ é\0"), max_size=70) | st.text())
@example("10:")
@example("0/")
@example("/")
def test_any_text_is_a_time_or_none(text):
    assert isinstance(read_time(text), (datetime, type(None)))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (EIGHT, "2026-11-23T08:00:00Z"),
        (EIGHT.replace(microsecond=5), "2026-11-23T08:00:00.000005Z"),
        (datetime(2026, 11, 23, 18, 30, tzinfo=LORD_HOWE), "2026-11-23T08:00:00Z"),
        (pendulum.datetime(2026, 11, 23, 9, tz="Europe/Berlin"), "2026-11-23T08:00:00Z"),
    ],
)
def test_a_point_in_time_is_written_in_utc(moment, text):
    assert write_time(moment) == text


def test_an_hour_that_happens_twice_is_distinguished_by_its_offset():
    # Berlin sets its clocks back on 2026-10-25 at 03:00.
    first = pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Berlin", fold=0)
    second = pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Berlin", fold=1)
    assert [write_time(moment) for moment in (first, second)] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


def test_what_was_written_reads_back():
    moment = datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=LORD_HOWE)
    assert read_time(write_time(moment)) == moment


def test_time_that_was_read_can_be_reckoned_with():
    assert read_time(pendulum.datetime(2026, 11, 23, 9, tz="Europe/Berlin")) + timedelta(hours=1) == EIGHT + timedelta(
        hours=1
    )
