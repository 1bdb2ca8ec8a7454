# SPDX-License-Identifier: Apache-2.0
"""
Measure how long each person spoke in a session, from the segments of its transcript. Pure.

- A person's talk time is the time that at least one of their segments covers: overlapping segments count once.
- Two people who speak at the same time both count. So the talk time of all is the sum over people.
- Breakout rooms run in parallel: turns are counted in each room, talk time over all rooms.
- A turn is a run of segments of one speaker that no other speaker of the room interrupts, ordered by start. Its length
  is the time that its segments cover, without pauses.
- A person is a Lessonspace user id, whatever names it has; all segments without one count as one unknown speaker.
- Segments may be in any order. See ``utterances`` for times and texts that can't be read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from lessonspace_provider.api.arguments import LARGEST_NUMBER, ROLES
from lessonspace_provider.transcripts.segments import MAIN_ROOM, one_line, printable, text_of, user_of

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Role, Segment

#: Seconds: a time in a transcript that is later than a day is an error. A session ends minutes after all are idle.
LATEST_SECOND = 86_400.0

_MICROSECONDS = 1_000_000


class Utterance(NamedTuple):
    """
    What can be read of a segment.

    :param start: seconds, 0 to ``LATEST_SECOND``; None when it can't be read.
    :param end: likewise.
    :param user_id: Lessonspace user id; None when the segment has none that 64 bits hold.
    :param role: of that user in the session; None when it is not known.
    :param name: of the speaker as the segment has it, on one line; None without one.
    :param room: breakout id; None when the segment has none.
    :param text: without control characters other than tabs and line breaks; a lone surrogate is U+FFFD.
    """

    start: float | None
    end: float | None
    user_id: int | None
    role: Role | None
    name: str | None
    room: str | None
    text: str


@dataclass
class SpeakerTime:
    """
    The talk time and words of one person.

    :param user_id: None for all segments without a user id together.
    :param name: the name in the person's first segment that has one.
    :param seconds: talk time.
    :param words: number of words, separated by white space.
    """

    user_id: int | None
    role: Role | None
    name: str | None = None
    seconds: float = 0.0
    words: int = 0


@dataclass(frozen=True)
class TalkTime:
    """
    The talk time of a session.

    :param speakers: in the order of their first segments.
    :param segments: number of segments.
    :param turns: number of turns in all rooms.
    :param longest_turn_seconds: talk time of the longest turn; 0 without a turn.
    :param spoken_seconds: the time in which at least one person spoke, in any room.
    :param duration: of the session in seconds; None when it is not known.
    """

    speakers: tuple[SpeakerTime, ...]
    segments: int
    turns: int
    longest_turn_seconds: float
    spoken_seconds: float
    duration: float | None

    @property
    def seconds(self) -> float:
        """The talk time of all people."""
        return _rounded(sum(speaker.seconds for speaker in self.speakers))

    @property
    def words(self) -> int:
        """The words of all people."""
        return sum(speaker.words for speaker in self.speakers)

    @property
    def silence_seconds(self) -> float | None:
        """The time of the session in which no one spoke in any room; None when its duration is not known."""
        return None if self.duration is None else _rounded(max(self.duration - self.spoken_seconds, 0.0))

    def seconds_of(self, role: Role | None) -> float:
        """Return the talk time of the people with a role; None: of people whose role is not known."""
        return _rounded(sum(speaker.seconds for speaker in self.speakers if speaker.role == role))

    def words_of(self, role: Role | None) -> int:
        """Return the number of words of the people with a role; None: of people whose role is not known."""
        return sum(speaker.words for speaker in self.speakers if speaker.role == role)


def measure_talk_time(
    segments: Iterable[Segment], roles: Mapping[int, str] | None = None, *, duration: float | None = None
) -> TalkTime:
    """
    Measure a transcript.

    :param segments: as the hook returns them, or as an archive's ``json`` file has them.
    :param roles: role by Lessonspace user id; see ``known_role``.
    :param duration: of the session in seconds; later times are cut off. None: no time is cut off.
    """
    return measure(utterances(segments, roles or {}), duration)


def known_role(role: object) -> Role | None:
    """Read one of the documented roles, in any case; None for anything else."""
    lower = role.lower() if isinstance(role, str) else None
    return cast("Role", lower) if lower in ROLES else None


def utterances(segments: Iterable[Segment], roles: Mapping[int, str]) -> Iterator[Utterance]:
    """
    Read each segment, in the order given.

    A time is None if it is no finite number or later than ``LATEST_SECOND``, and 0 if it is negative.

    :param roles: role by Lessonspace user id.
    """
    names: dict[str, str | None] = {}
    known = {user_id: known_role(role) for user_id, role in roles.items()}
    for segment in segments:
        user, room = user_of(segment), segment.get("breakout_id")
        user_id, name = _user_id(user.get("id")), user.get("name")
        shown = None
        if isinstance(name, str):
            shown = names[name] if name in names else names.setdefault(name, one_line(name) or None)
        yield Utterance(
            _seconds(segment.get("start_time")),
            _seconds(segment.get("end_time")),
            user_id,
            None if user_id is None else known.get(user_id),
            shown,
            printable(room) if isinstance(room, str) else None,
            printable(text_of(segment)),
        )


def measure(said: Iterable[Utterance], duration: float | None = None) -> TalkTime:
    """
    Measure utterances; they are read through once.

    A segment without a start keeps its place behind the one before. One without a readable end, or whose end is before
    its start, takes no time; its words count.

    :param duration: see ``measure_talk_time``; 0 or less: not known.
    """
    known = duration if duration is not None and duration > 0 else None
    timeline = _Timeline(round((known or LATEST_SECOND) * _MICROSECONDS))
    for utterance in said:
        timeline.add(utterance)
    return timeline.measured(known)


@dataclass
class _Covered:
    """How much time intervals cover that are added in the order of their starts, in microseconds."""

    until: int = 0
    total: int = 0

    def add(self, start: int, end: int) -> None:
        if end > self.until:
            self.total += end - max(start, self.until)
            self.until = end


@dataclass
class _Room:
    """The turn that is going on in a room."""

    speaker: int = -1
    turn: _Covered = field(default_factory=_Covered)


class _Timeline:
    """Segments in arrays, since a transcript may have hundreds of thousands."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._segments = 0
        self._speakers: dict[int | None, tuple[int, SpeakerTime]] = {}
        self._rooms: dict[str, int] = {}
        self._starts, self._ends = array("q"), array("q")
        self._who, self._where = array("l"), array("l")

    def add(self, said: Utterance) -> None:
        self._segments += 1
        known = self._speakers.get(said.user_id)
        if known is None:
            known = len(self._speakers), SpeakerTime(said.user_id, said.role)
            self._speakers[said.user_id] = known
        number, speaker = known
        if speaker.name is None:
            speaker.name = said.name
        words = len(said.text.split())
        speaker.words += words
        before = self._starts[-1] if self._starts else 0
        start = before if said.start is None else min(round(said.start * _MICROSECONDS), self._limit)
        end = start
        if said.start is not None and said.end is not None:
            end = max(start, min(round(said.end * _MICROSECONDS), self._limit))
        # A segment with neither words nor length would still end the turn before.
        if words or end > start:
            self._starts.append(start)
            self._ends.append(end)
            self._who.append(number)
            self._where.append(self._rooms.setdefault(said.room or MAIN_ROOM, len(self._rooms)))

    def measured(self, duration: float | None) -> TalkTime:
        people, rooms, anyone = [_Covered() for _ in self._speakers], [_Room() for _ in self._rooms], _Covered()
        turns = longest = 0
        for place in self._order():
            start, end, who = self._starts[place], self._ends[place], self._who[place]
            room = rooms[self._where[place]]
            if room.speaker != who:
                turns, room.speaker, room.turn = turns + 1, who, _Covered()
            for covered in (people[who], anyone, room.turn):
                covered.add(start, end)
            longest = max(longest, room.turn.total)
        for number, speaker in self._speakers.values():
            speaker.seconds = people[number].total / _MICROSECONDS
        speakers = tuple(speaker for _, speaker in self._speakers.values())
        return TalkTime(
            speakers, self._segments, turns, longest / _MICROSECONDS, anyone.total / _MICROSECONDS, duration
        )

    def _order(self) -> Iterable[int]:
        places = range(len(self._starts))
        starts = self._starts
        if all(starts[place] <= starts[place + 1] for place in places[:-1]):
            return places
        return sorted(places, key=starts.__getitem__)


def _user_id(value: object) -> int | None:
    return value if type(value) is int and -LARGEST_NUMBER <= value < LARGEST_NUMBER else None


def _seconds(value: object) -> float | None:
    # Neither a flag, nor not a number, which is in no range.
    if (type(value) is float or type(value) is int) and -LARGEST_NUMBER <= value <= LATEST_SECOND:
        return float(value) if value > 0 else 0.0
    return None


def _rounded(seconds: float) -> float:
    """Round to microseconds, which is what is measured: sums of floats have no more."""
    return round(seconds, 6)
