# SPDX-License-Identifier: Apache-2.0
"""JSON of a server: its values, and how many of them are held."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonspace_provider.api import plain_json as module
from lessonspace_provider.api.plain_json import DEEPEST, held, parse
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


def nested(levels, inner):
    for _ in range(levels):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + 400 * "0", "-9223372036854775809", "9" * 10_000]
)
def test_a_number_that_consumers_cannot_hold_becomes_null(number):
    assert parse(f'{{"n": {number}, "m": [{number}, 7]}}'.encode()) == {"n": None, "m": [None, 7]}


@pytest.mark.parametrize("number", ["0", "-0", "7", "-7", "999999999999999999", "1.5", "-1.5e3", "1e-400", "1e300"])
def test_other_numbers_are_read_as_json_reads_them(number):
    assert repr(parse(number.encode())) == repr(json.loads(number))


def test_text_that_no_file_can_hold_gets_a_replacement_character():
    read = parse(rb'{"n\ud83d": "Zo\ud83d", "m": ["\u0000x", "\ud83d\ude00", "Gr\u00fc\u00dfe"]}')
    assert read == {"n\ufffd": "Zo\ufffd", "m": ["\ufffdx", "\U0001f600", "Grüße"]}


def test_what_is_nested_too_deeply_becomes_null():
    assert parse(json.dumps(nested(DEEPEST, 1)).encode()) == nested(DEEPEST, 1)
    assert parse(json.dumps({"a": nested(DEEPEST, 1), "b": 2}).encode()) == {"a": nested(DEEPEST - 1, None), "b": 2}


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nan", "'a'", "[1] 2"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"line 1|Expecting"):
        parse(text.encode())


@given(_values)
def test_whatever_is_read_can_be_written_by_every_strict_writer(value):
    json.dumps(parse(json.dumps(value).encode()), allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("levels", [500, 5_000, 300_000])
@pytest.mark.parametrize("deep", ['{"a":%s"]}\\\\\\""%s', "[%s1%s"])
def test_one_item_that_is_nested_endlessly_stops_no_other(levels, deep):
    end = "}" if deep[0] == "{" else "]"
    opening = '{"a":' if deep[0] == "{" else "["
    nest = deep % (opening * levels, end * (levels + 1))
    read = parse(f'{{"results": [{{"n": 1}}, {nest}, {{"n": "]}}"}}]}}'.encode())
    assert read["results"][0] == {"n": 1}
    assert read["results"][2] == {"n": "]}"}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000 + '"' + '\\"' * 100_000])
def test_what_is_nested_endlessly_and_broken_is_refused(text):
    with pytest.raises((ValueError, RecursionError)):
        parse(text.encode())


SMALL = {"uuid": "x", "profiles": [{"user": 1, "name": "Ann"}], "logs": None}


@pytest.mark.parametrize(
    "item",
    [[[]] * 300, [{}] * 300, {f"{number}": 0 for number in range(150)}, "x" * 64 * 300, [["x" * 64] * 10] * 30],
    ids=["lists", "objects", "fields", "long text", "texts"],
)
def test_items_of_any_shape_are_held_up_to_a_bound(monkeypatch, item):
    monkeypatch.setattr(module, "MOST_VALUES", 1000)
    read = []

    def endless():
        while True:
            read.append(item)
            yield item

    with pytest.raises(
        LessonspaceReplyTooLargeError, match=r"too many sessions .* stopped after [1-4]\. Use a shorter"
    ):
        held(endless(), "sessions")
    assert len(read) <= 5


def test_items_that_fit_are_held_as_they_are(monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 1000)
    assert held(iter([SMALL] * 80), "sessions") == [SMALL] * 80
