# SPDX-License-Identifier: Apache-2.0
"""What the tests of transcripts share: segments, and whatever the API might send in their place."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from lessonspace_provider.transcripts.formats import WRITERS, pieces_of

SEGMENTS = [
    {"start_time": 0.5, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "Hello 🎉"},
    {"start_time": 3725.9, "end_time": 3730.0, "user": {"id": 2, "name": None}, "text": "two\nlines", "new": {"x": 1}},
    {"start_time": None, "text": "שלום"},
]

FORMATS = list(WRITERS)


def write(segments, format_name):
    return b"".join(pieces_of(segments, format_name))


def segment(start=0.0, end=1.0, name="Ann", text="hi", user_id=1):
    return {"start_time": start, "end_time": end, "user": {"id": user_id, "name": name}, "text": text}


# What a JSON parser can hand over: lone surrogates included, NaN and infinity too, as Python's does.
_awkward = ["-->", "\n\n", "\r", "\x00", "<v", ">", "&amp;", "\u2028", "1\n00:00:01,000", "\n2\n", "1.2.3", "12"]
_awkward += ["=", "'", '"', ",", " ", "a", "\ud800", "\x1f", "🎉", "\ufeff"]
_texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.lists(st.sampled_from(_awkward), max_size=8).map("".join),
)
_scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), _texts)
_times = st.one_of(st.floats(-10, 400_000), st.floats(), st.none(), st.integers(), _texts)
_users = st.one_of(_scalars, st.fixed_dictionaries({}, optional={"id": _scalars, "name": _scalars, "more": _scalars}))
ANY_SEGMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "start_time": _times,
            "end_time": _times,
            "user": _users,
            "breakout_id": _scalars,
            "text": st.one_of(_texts, _scalars),
            "more": _scalars,
        },
    ),
    max_size=6,
).map(lambda segments: json.loads(json.dumps(segments)))
