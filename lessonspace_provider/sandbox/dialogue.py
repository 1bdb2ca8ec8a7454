# SPDX-License-Identifier: Apache-2.0
"""The dialogue of the sandbox's lessons, and the names of its school: dialogue.json holds both.

All made up. The languages and scripts are there because programs that handle transcripts meet them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from random import Random
from typing import TypedDict

from lessonspace_provider.sandbox.dialogue_names import add_names
from lessonspace_provider.sandbox.messages import Segment, Speaker


class _Phrases(TypedDict):
    teacher: list[str]
    student: list[str]


class _Words(TypedDict):
    teachers: list[str]
    students: list[str | None]
    space_names: list[str | None]
    subjects: list[str]
    phrases: dict[str, _Phrases]


WORDS: _Words = json.loads((files(__package__) / "dialogue.json").read_text(encoding="utf-8"))

LANGUAGES = tuple(WORDS["phrases"])


def make_segments(
    random: Random,
    language: str,
    speakers: list[Speaker],
    seconds: float,
    at_least_bytes: int | None = None,
    *,
    spoken_names: bool = False,
) -> list[Segment]:
    """Make up the dialogue of a lesson.

    :param random: where all chance comes from.
    :param language: one of :data:`LANGUAGES`; now and then a sentence is in another one.
    :param speakers: who speaks; the first speaks as a teacher.
    :param seconds: how long the lesson was.
    :param at_least_bytes: as UTF-8 JSON, the file is to be at least so large; None = 20 to 400 segments.
    :param spoken_names: whether people speak of each other by name.
    """
    count = min(400, max(20, int(seconds / 9)))
    segments: list[Segment] = []
    size = 0
    while len(segments) < count if at_least_bytes is None else size < at_least_bytes:
        segment = _make_segment(random, language, speakers)
        segments.append(segment)
        size += len(segment["text"].encode()) + 60
    _spread(random, segments, seconds)
    if spoken_names:
        add_names(random, language, segments, speakers)
    return segments


def _make_segment(random: Random, language: str, speakers: list[Speaker]) -> Segment:
    teaches = len(speakers) == 1 or random.random() < 0.6
    speaker = speakers[0] if teaches else random.choice(speakers[1:])
    phrases = WORDS["phrases"][language if random.random() < 0.93 else random.choice(LANGUAGES)]
    sentences = random.choices(phrases["teacher" if teaches else "student"], k=random.choice((1, 1, 2, 3, 5)))
    first, second = random.randint(2, 60), random.randint(61, 120)
    text = " ".join(sentence.format(n=first, m=second) for sentence in sentences)
    return {"start_time": 0.0, "end_time": 0.0, "user": speaker, "breakout_id": "main", "text": text}


def _spread(random: Random, segments: list[Segment], seconds: float) -> None:
    """Give the segments their times: in order, now and then overlapping, within the lesson."""
    step = seconds / len(segments)
    for number, segment in enumerate(segments):
        start = step * (number + random.uniform(0.0, 0.4))
        length = step * random.uniform(0.3, 1.5)
        segment["start_time"] = round(start, 2)
        segment["end_time"] = round(min(start + length, seconds), 2)
