# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import timedelta

import pytest
import srt
import webvtt
from hypothesis import example, given, settings

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.transcripts.formats import check_formats
from tests.spreadsheet import is_formula, split_as_a_spreadsheet
from tests.unit.transcripts.kit import ANY_SEGMENTS, FORMATS, SEGMENTS, segment, write


def read_vtt(data):
    """Parse with webvtt-py, strictly: cues as (start ms, end ms, speaker, text)."""
    cues = webvtt.WebVTT.from_string(data.decode(), strict=True).captions
    return [
        (
            cue.start_time.in_milliseconds(),
            cue.end_time.in_milliseconds(),
            html.unescape(cue.voice),
            html.unescape(cue.text),
        )
        for cue in cues
    ]


def read_srt(data):
    """Parse with srt, which raises on anything it can't place: cues as (start ms, end ms, content)."""
    ms = timedelta(milliseconds=1)
    cues = list(srt.parse(data.decode()))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    return [(cue.start // ms, cue.end // ms, cue.content) for cue in cues]


def read_csv(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def without_guard(cell):
    """Take the apostrophes off that stand before what could be a formula."""
    formula = r"(?:[^\w;,\t\n\r\x0b\x0c\x85\u2028\u2029]|[\u115f\u1160\u3164\uffa0])*[=+\-@＝＋－＠﹦﹢﹣﹫]"
    return re.sub(rf"^'(?='*[\t\n\r])|(?:^|(?<=[;,\t\n\r]))'(?={formula})", "", cell)


def times(cues):
    return [cue[:2] for cue in cues]


def test_json_keeps_the_segments_untouched_unknown_fields_included():
    data = write(SEGMENTS, "json")
    assert json.loads(data) == SEGMENTS
    assert "🎉".encode() in data
    assert write(json.loads(data), "json") == data


@pytest.mark.parametrize("segments", [SEGMENTS, [{}], [], [{"text": "a\nb", "more": [{}, {"x": []}]}]])
def test_the_layout_of_json_never_changes(segments):
    assert write(segments, "json").decode() == json.dumps(segments, ensure_ascii=False, indent=1) + "\n"


def test_json_and_jsonl_hold_no_nan_or_infinity_as_json_has_none():
    for format_name in ("json", "jsonl"):
        data = write([segment(start=float("nan"), end=float("inf"))], format_name)
        read = json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        read = read[0] if format_name == "json" else read
        assert (read["start_time"], read["end_time"]) == (None, None)


def test_jsonl_has_a_segment_on_each_line_whatever_line_ends_the_text_has():
    segments = [*SEGMENTS, segment(text="a\u2028b\u2029c\x85d\ne\rf")]
    lines = write(segments, "jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == segments


def test_lone_surrogates_survive_in_json_and_do_not_make_the_other_formats_fail():
    odd = [segment(name="A\ud800nn", text="x\udfffy")]
    assert json.loads(write(odd, "json")) == odd
    assert json.loads(write(odd, "jsonl")) == odd[0]
    assert read_vtt(write(odd, "vtt"))[0][2:] == ("A\ufffdnn", "x\ufffdy")
    for format_name in FORMATS:
        write(odd, format_name).decode()


def test_txt_has_a_line_per_segment_with_time_and_speaker():
    assert write(SEGMENTS, "txt").decode().splitlines() == [
        "[00:00:00] Ann: Hello 🎉",
        "[01:02:05] User 2: two lines",
        "[01:02:05] Unknown: שלום",
    ]


def test_vtt_has_a_cue_per_segment_with_the_speaker_in_its_voice_tag():
    assert read_vtt(write(SEGMENTS, "vtt")) == [
        (500, 2000, "Ann", "Hello 🎉"),
        (3725900, 3730000, "User 2", "two lines"),
        (3725900, 3726900, "Unknown", "שלום"),
    ]


def test_vtt_follows_its_specification():
    assert write([segment(text="1 < 2 & 3 --> 4", name="A>B\n<&")], "vtt") == (
        b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v A&gt;B &lt;&amp;>1 &lt; 2 &amp; 3 --&gt; 4\n\n"
    )


def test_srt_has_numbered_cues():
    assert write(SEGMENTS[:2], "srt").decode() == (
        "1\n00:00:00,500 --> 00:00:02,000\nAnn: Hello 🎉\n\n2\n01:02:05,900 --> 01:02:10,000\nUser 2: two lines\n\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "before\n\nafter",
        "before\r\n \r\nafter",
        "a\n\n2\n00:00:01,000 --> 00:00:02,000\nforged",
        "a\n\n00:00:01.000 --> 00:00:02.000\nforged",
        "\n42\n1.2.3\n",
        "NOTE\n\nSTYLE",
        "---> <-- --> <v Bob>",
        "",
    ],
)
def test_no_text_ends_its_cue_or_begins_another(text):
    segments = [segment(0, 1, text=text), segment(1, 2, text="next")]
    shown = " ".join(text.split())
    assert read_vtt(write(segments, "vtt")) == [(0, 1000, "Ann", shown), (1000, 2000, "Ann", "next")]
    cues = read_srt(write(segments, "srt"))
    assert cues == [(0, 1000, f"Ann: {re.sub('-{2,}>', '->', shown)}".strip()), (1000, 2000, "Ann: next")]
    assert len(write(segments, "txt").decode().splitlines()) == 2


def test_control_characters_go_from_what_people_read_and_stay_in_json():
    odd = [segment(name="A\x00nn\x1b", text="be\x00ll\x07 \x0bfeed\x85end")]
    assert read_vtt(write(odd, "vtt"))[0][2:] == ("Ann", "bell feed end")
    assert read_csv(write(odd, "csv"))[0]["text"] == "bell  feed end"
    assert json.loads(write(odd, "json")) == odd


def test_right_to_left_text_and_joined_emoji_stay_as_they_are():
    text = "\u2067שלום\u2069 مرحبا 👩‍👩‍👧 e\u0301"
    segments = [segment(text=text)]
    assert read_vtt(write(segments, "vtt"))[0][3] == text
    assert read_srt(write(segments, "srt"))[0][2] == f"Ann: {text}"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (59.9996, 61, (60_000, 61_000)),
        (3599.9999, 3600.0001, (3_600_000, 3_600_001)),
        (1.0001, 1.0004, (1000, 1001)),
        (5, 5, (5000, 5001)),
        (5, 4, (5000, 6000)),
        (5, None, (5000, 6000)),
        (-3, 1, (0, 1000)),
        (360_000.25, 360_001, (360_000_250, 360_001_000)),
        (float("nan"), 2, (0, 2000)),
        (1, float("inf"), (1000, 2000)),
        (10**400, 1, (0, 1000)),
        ("soon", False, (0, 1000)),
    ],
)
def test_times_are_whole_milliseconds_that_end_after_they_start(start, end, expected):
    segments = [segment(start, end)]
    assert times(read_vtt(write(segments, "vtt"))) == [expected]
    assert times(read_srt(write(segments, "srt"))) == [expected]


@pytest.mark.parametrize(
    ("seconds", "clock"), [(3600, "01:00:00"), (359_999.9, "99:59:59"), (360_000, "100:00:00"), (59.9996, "00:01:00")]
)
def test_hours_have_two_digits_or_more(seconds, clock):
    segments = [segment(seconds, seconds + 10)]
    assert write(segments, "txt").decode() == f"[{clock}] Ann: hi\n"
    assert f"\n{clock}." in write(segments, "vtt").decode()
    assert f"\n{clock}," in write(segments, "srt").decode()


def test_what_people_read_is_in_order_of_time_and_what_programs_read_in_the_apis_order():
    segments = [segment(9, 10, text="c"), segment(1, 2, text="a"), segment(1, 3, text="b")]
    assert [cue[3] for cue in read_vtt(write(segments, "vtt"))] == ["a", "b", "c"]
    assert [cue[2] for cue in read_srt(write(segments, "srt"))] == ["Ann: a", "Ann: b", "Ann: c"]
    assert [line[-1] for line in write(segments, "txt").decode().splitlines()] == ["a", "b", "c"]
    assert json.loads(write(segments, "json")) == segments
    assert [json.loads(line)["text"] for line in write(segments, "jsonl").splitlines()] == ["c", "a", "b"]
    assert [row["text"] for row in read_csv(write(segments, "csv"))] == ["c", "a", "b"]


def test_people_who_speak_at_once_keep_a_cue_each_with_its_own_times():
    segments = [segment(0, 10, "Ann", "long"), segment(2, 4, "Bob", "yes"), segment(2, 12, "Cy", "no")]
    assert read_vtt(write(segments, "vtt")) == [
        (0, 10_000, "Ann", "long"),
        (2000, 4000, "Bob", "yes"),
        (2000, 12_000, "Cy", "no"),
    ]
    assert times(read_srt(write(segments, "srt"))) == [(0, 10_000), (2000, 4000), (2000, 12_000)]


def test_a_segment_without_a_start_stays_behind_the_one_before():
    segments = [segment(5, 6, text="a"), segment(None, None, text="b"), segment(7, 8, text="c")]
    assert [cue[3] for cue in read_vtt(write(segments, "vtt"))] == ["a", "b", "c"]


def test_csv_follows_rfc_4180():
    segments = [segment(0.5, 2, name='An"n', text="one, two\nthree"), {}]
    assert write(segments, "csv") == (
        b'start_time,end_time,speaker_id,speaker,text\r\n0.5,2,1,"An""n","one, two\nthree"\r\n,,,Unknown,\r\n'
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "  =", "\u00a0="])
def test_no_csv_cell_begins_a_formula_and_its_exact_text_can_be_read_back(start):
    for text in (f"{start}1+1", f"'{start}1", f"''{start}1"):
        (row,) = read_csv(write([segment(name="=HYPERLINK(1)", text=text)], "csv"))
        assert row["text"] == f"'{text}"
        assert row["speaker"] == "'=HYPERLINK(1)"
        assert without_guard(row["text"]) == text


@pytest.mark.parametrize(
    "text", ["x;=1+cmd|' /C calc'!A0", "x\t=1", "\u200b=1", "\ufeff=1", "\u2060\u00a0＝1", "x;\u200b@SUM(1)", "x\n+1"]
)
def test_csv_cell_is_harmless_when_a_spreadsheet_splits_it(text):
    for delimiters in (",", ";", "\t", ",;\t"):
        cells = split_as_a_spreadsheet(write([segment(name=text, text=text)], "csv").decode(), delimiters)
        assert not [cell for cell in cells if is_formula(cell)]
    (row,) = read_csv(write([segment(text=text)], "csv"))
    assert without_guard(row["text"]) == text


def test_csv_leaves_apostrophes_and_negative_numbers_alone():
    (row,) = read_csv(write([segment(-1.5, 2, text="'cause 1+1=2")], "csv"))
    assert (row["start_time"], row["text"]) == ("-1.5", "'cause 1+1=2")


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (None, "Unknown"),
        ({}, "Unknown"),
        ({"id": None, "name": None}, "Unknown"),
        ({"id": 0, "name": " \n"}, "User 0"),
        ({"id": 7, "name": "\x00"}, "User 7"),
        ({"id": "a b", "name": 3}, "User a b"),
        ({"name": "Ann\n\nB."}, "Ann B."),
        ("Ann", "Unknown"),
    ],
)
def test_a_speaker_is_called_by_name_else_by_id_else_unknown(user, shown):
    segments = [{"start_time": 0, "end_time": 1, "user": user, "text": "hi"}]
    assert read_vtt(write(segments, "vtt"))[0][2] == shown
    assert read_srt(write(segments, "srt"))[0][2] == f"{shown}: hi"
    assert write(segments, "txt").decode() == f"[00:00:00] {shown}: hi\n"
    assert read_csv(write(segments, "csv"))[0]["speaker"] == shown


def test_no_segments_make_valid_files_anyway():
    assert {name: write([], name) for name in FORMATS} == {
        "json": b"[]\n",
        "jsonl": b"",
        "txt": b"",
        "vtt": b"WEBVTT\n\n",
        "srt": b"",
        "csv": b"start_time,end_time,speaker_id,speaker,text\r\n",
    }
    assert read_vtt(write([], "vtt")) == []


def test_formats_are_taken_once_each_in_the_order_given():
    assert check_formats(("txt", "json", "txt")) == ["txt", "json"]


@pytest.mark.parametrize("formats", ["json", [], ["pdf"], ["json", "pdf"], None, 3, [["json"]]])
def test_formats_that_do_not_exist_are_refused_and_the_known_ones_named(formats):
    with pytest.raises(LessonspaceInputError, match=r"formats=.*json, jsonl, txt, vtt, srt, csv"):
        check_formats(formats)


def _readable(value):
    """The normalisation that the formats document, written a second time and differently."""
    if not isinstance(value, str):
        return ""
    text = re.sub("[\ud800-\udfff]", "\ufffd", value)
    text = re.sub(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]", "", text)
    return re.sub(r"[\x1c-\x1f\s]+", " ", text).strip()


@settings(max_examples=120, deadline=None)
@given(ANY_SEGMENTS)
@example([{"text": "a\n\n2\n00:00:01,000 --> 00:00:02,000\nb", "user": {"name": "7\n1.2.3"}}])
def test_whatever_the_api_sends_every_format_is_read_back_whole_by_other_parsers(segments):
    texts = [_readable(segment.get("text")) for segment in segments]

    for parsed in (
        json.loads(write(segments, "json")),
        [json.loads(line) for line in write(segments, "jsonl").decode().splitlines()],
    ):
        assert len(parsed) == len(segments)
        for got, sent in zip(parsed, segments):
            assert got.keys() == sent.keys()
            if isinstance(sent.get("text"), str):
                assert got["text"] == sent["text"]

    rows = read_csv(write(segments, "csv"))
    assert [_readable(without_guard(row["text"])) for row in rows] == texts
    assert not any(re.match(r"\s*[=+\-@]", row[field]) for row in rows for field in ("speaker", "text"))

    cues = read_vtt(write(segments, "vtt"))
    assert sorted(cue[3] for cue in cues) == sorted(texts)
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    assert all(start < end for start, end in times(cues))

    numbered = read_srt(write(segments, "srt"))
    assert times(numbered) == times(cues)
    for (_, _, speaker, text), (_, _, content) in zip(cues, numbered):
        assert content == re.sub("-{2,}>", "->", f"{speaker}: {text}".strip())

    assert len(write(segments, "txt").decode().splitlines()) == len(segments)
