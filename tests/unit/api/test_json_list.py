# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import codecs
import json
import tracemalloc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonspace_provider.api import json_list
from lessonspace_provider.api.json_list import JsonList, loads
from lessonspace_provider.transcripts.formats import WRITERS, pieces_of
from lessonspace_provider.transcripts.redaction import with_labels

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def parsed(read, data):
    """What came of it: the value, lists included, or that it is not JSON."""
    try:
        value = read(data)
    except ValueError:
        return "not JSON"
    return list(value) if isinstance(value, JsonList) else value


@settings(deadline=None)
@given(st.lists(_values, max_size=4) | _values, st.sampled_from([None, 1, "\t"]))
def test_it_reads_what_json_reads_however_it_is_laid_out(value, indent):
    data = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert parsed(loads, data) == value


@settings(deadline=None)
@given(st.lists(_values, max_size=3), st.data())
def test_it_refuses_what_json_refuses(value, data):
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.sampled_from(["", ",", "]", "[", " ", "x"])) + text[at + 1 :]
    assert parsed(loads, changed.encode()) == parsed(json.loads, changed.encode())


@pytest.mark.parametrize(
    "text", ["", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] x", "]", '[{"a": 1]', '["\xff"]']
)
def test_a_list_that_is_broken_anywhere_is_refused_before_any_of_it_is_read(text):
    with pytest.raises(ValueError, match=r"line 1|at byte|before byte|can't decode"):
        loads(text.encode("latin-1"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_it_reads_every_encoding_of_json(encoding):
    assert list(loads(' [{"text": "Grüße 🎉"}] '.encode(encoding))) == [{"text": "Grüße 🎉"}]


def test_it_can_be_read_through_again_and_knows_its_length():
    read = loads(b'[1, {"a": 2}, [3]]')
    assert [len(read), *read, *read] == [3, 1, {"a": 2}, [3], 1, {"a": 2}, [3]]
    assert {"a": 2} in read
    assert 2 not in read


@pytest.mark.parametrize("lead", range(1016, 1026))
def test_an_item_that_ends_where_a_piece_ends_is_read_whole(lead):
    text = json.dumps([12345.5, "é" * 2000, 678], ensure_ascii=False)
    assert list(loads(f"[{' ' * lead}{text},{text}]".encode())) == 2 * [[12345.5, "é" * 2000, 678]]


@pytest.mark.parametrize("digits", range(1016, 1032))
def test_a_number_longer_than_a_piece_is_one_number(digits):
    assert list(loads(b"[0.%b,2]" % (b"7" * digits))) == [float("0.7777777777777777777777"), 2]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + 400 * "0", "9" * 10_000])
def test_a_number_that_consumers_cannot_hold_becomes_null(number):
    assert list(loads(f'[{{"start_time": {number}}}, 2.5]'.encode())) == [{"start_time": None}, 2.5]
    assert loads(f'{{"a": [{number}]}}'.encode()) == {"a": [None]}


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b",".join([b"{}"] * 40) + b"]",
        b'["' + b"x" * 5000 + b'"]',
        b"[0,[" + b"[]," * 5000 + b"[]]]",
        b"[" + b"1" * 5000 + b",2]",
        b'{"a": [' + b"[]," * 5000 + b"[]]}",
        b'"' + b"x" * 5000 + b'"',
        json.dumps(["x"] * 30, indent=300).encode("utf-16"),
        codecs.BOM_UTF8 + json.dumps(["x"] * 30, indent=300).encode(),
    ],
    ids=["items", "text", "lists", "number", "object", "no list", "utf-16", "utf-8-sig"],
)
def test_what_would_take_more_memory_or_time_than_its_bounds_is_refused(monkeypatch, data):
    assert loads(data) is not None
    monkeypatch.setattr(json_list, "MOST_ITEMS", 30)
    monkeypatch.setattr(json_list, "LARGEST_ITEM", 4096)
    monkeypatch.setattr(json_list, "_LARGEST_RECODED", 4096)
    with pytest.raises(ValueError, match="More than"):
        loads(data)


def test_a_list_within_its_bounds_is_read(monkeypatch):
    data = json.dumps(["x" * 1500] * 30, indent=300).encode()
    monkeypatch.setattr(json_list, "MOST_ITEMS", 30)
    monkeypatch.setattr(json_list, "LARGEST_ITEM", 4096)
    monkeypatch.setattr(json_list, "_LARGEST_RECODED", 4096)
    assert list(loads(data)) == ["x" * 1500] * 30


def segments_of_a_large_transcript():
    segment = {
        "start_time": 61.5,
        "end_time": 64.0,
        "user": {"id": 7, "name": "Ada Teacher"},
        "text": "word " * 20 + "🎉",
    }
    return json.dumps([{**segment, "start_time": number} for number in range(10_000)], ensure_ascii=False).encode()


def peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format_name", WRITERS)
@pytest.mark.parametrize("speakers", [None, {7: "Teacher"}])
def test_a_large_transcript_is_written_in_hardly_more_memory_than_it_has_itself(format_name, speakers):
    data = segments_of_a_large_transcript()

    def write():
        segments = loads(data) if speakers is None else with_labels(loads(data), speakers)
        deque(pieces_of(segments, format_name), maxlen=0)

    assert peak_of(write) < len(data) / 5
